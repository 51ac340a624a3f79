"""Worker processes of both revisions, alive at the same time, of which one computes at a time."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from bench.gate._revision import Trees
from vae.errors import VaebenchError

__all__ = ["ROLES", "Effort", "Lacking", "Measured", "Worker", "counted", "measure"]

ROLES = ("head", "base", "control")
STOP_SECONDS = 10
LAST_WORDS = 12  # lines of a dead worker's output

Say = Callable[[str], None]


@dataclass(frozen=True)
class Effort:
    """How much is measured.

    Attributes:
        rounds: fresh processes of each revision, one after another.
        blocks: of each benchmark in a round; a block times each process twice, mirrored: A B C C B A.
        seconds: of each timing.
        threads: that each process may use.
        slow: benchmark -> the share by which a planted slowdown lengthens the head's calls, timed as a fourth role
            beside the head as it is.
    """

    rounds: int = 5
    blocks: int = 10
    seconds: float = 0.02
    threads: int = 1
    slow: Mapping[str, float] = field(default_factory=dict)

    def order(self, name: str) -> list[int]:
        """Return the roles in the order of timing: the head and its slowed twin don't follow one another."""
        return [0, 1, 3, 2] if name in self.slow else [0, 1, 2]


@dataclass(frozen=True)
class Lacking:
    """A benchmark that could not be prepared: if by the base, then it is new; if by the head, it is broken."""

    role: str
    reason: str


@dataclass
class Measured:
    """What a measurement gave.

    Attributes:
        times: benchmark -> seconds (rounds, blocks, roles); the roles are `ROLES`, then the slowed head.
        lacking: benchmark -> why it was not timed.
        peaks: role -> the peak resident memory of each round's process in MB.
    """

    times: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    lacking: dict[str, Lacking] = field(default_factory=dict)
    peaks: dict[str, list[float]] = field(default_factory=dict)


class Worker:
    """A process that imports one revision and obeys; see `bench.gate._worker`."""

    def __init__(self, trees: Trees, role: str, threads: int) -> None:
        """Start it; it imports what it needs when first asked."""
        self.role = role
        tree = trees.head if role == "head" else trees.base
        count = str(threads)
        settings = {
            "PYTHONPATH": os.pathsep.join([str(trees.code), str(tree)]),
            "VAEBENCH_CACHE": str(trees.caches / role.ljust(max(map(len, ROLES)), "-")),
            "VAEBENCH_OFFLINE": "1",
            "MPLBACKEND": "Agg",
            "TF_CPP_MIN_LOG_LEVEL": "3",
            "TF_NUM_INTRAOP_THREADS": count,
            "TF_NUM_INTEROP_THREADS": "1",
            **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), count),
        }
        self._tree = tree
        self._log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed by stop
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.gate._worker"],
            cwd=trees.code,
            env=os.environ | settings,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            encoding="utf-8",
            start_new_session=True,  # Ctrl-C is for the parent, which stops its workers itself
        )

    def ask(self, do: str, **arguments: Any) -> Any:
        """Return the answer to a command.

        Raises:
            VaebenchError: the process died, or the command failed there.
        """
        try:
            self._process.stdin.write(json.dumps({"do": do, **arguments}) + "\n")  # type: ignore[union-attr]
            self._process.stdin.flush()  # type: ignore[union-attr]
            line = self._process.stdout.readline()  # type: ignore[union-attr]
        except OSError:
            line = ""
        if not line:
            self._process.wait()
            self._log.seek(0)
            words = b"\n".join(self._log.read().splitlines()[-LAST_WORDS:]).decode(errors="replace")
            raise VaebenchError(f"the {self.role}'s process died (exit code {self._process.returncode}):\n{words}")
        reply = json.loads(line)
        if "error" in reply:
            raise VaebenchError(f"the {self.role} could not {do}: {reply['error']}")
        return reply["answer"]

    def prepare(self, names: Sequence[str]) -> dict[str, str]:
        """Prepare benchmarks, and return why some can't be.

        Raises:
            VaebenchError: another installation of the code would be timed.
        """
        found = Path(self.ask("origin"))
        if found != self._tree.resolve():
            raise VaebenchError(f"the {self.role}'s code should come from {self._tree}, but came from {found}")
        lacking: dict[str, str] = self.ask("prepare", names=list(names))
        return lacking

    def stop(self) -> None:
        """End the process."""
        with suppress(OSError):
            self._process.stdin.close()  # type: ignore[union-attr]
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()  # type: ignore[union-attr]
        self._log.close()


@contextmanager
def _crew(trees: Trees, roles: Sequence[str], threads: int) -> Iterator[list[Worker]]:
    workers: list[Worker] = []
    try:
        workers.extend(Worker(trees, role, threads) for role in roles)
        yield workers
    finally:
        for worker in workers:
            worker.stop()


def counted(trees: Trees, roles: Sequence[str] = ROLES[:2], fault: str = "") -> dict[str, dict[str, int] | str]:
    """Return role -> counters, or why there are none; `fault` is planted into the head's."""
    with _crew(trees, roles, 1) as workers, ThreadPoolExecutor(len(workers)) as pool:

        def count(worker: Worker) -> dict[str, int] | str:
            try:
                numbers: dict[str, int] = worker.ask("count", **({"fault": fault} if worker.role == "head" else {}))
            except VaebenchError as error:
                return str(error)
            return numbers

        return dict(zip(roles, pool.map(count, workers), strict=True))


def measure(trees: Trees, names: Sequence[str], effort: Effort, say: Say) -> Measured:
    """Time benchmarks in `effort.rounds` sets of fresh processes.

    Raises:
        VaebenchError: a process died.
    """
    measured = Measured(peaks={role: [] for role in ROLES})
    calls: dict[str, int] = {}
    rounds: dict[str, list[NDArray[np.float64]]] = {}
    for number in range(effort.rounds):
        say(f"round {number + 1} of {effort.rounds}: processes start and warm up")
        with _crew(trees, ROLES, effort.threads) as workers:
            left = [name for name in names if name not in measured.lacking]
            _prepare(workers, left, measured)
            left = [name for name in left if name not in measured.lacking]
            say(f"round {number + 1} of {effort.rounds}: {len(left)} benchmarks, {effort.blocks} blocks each")
            for name in left:
                if name not in calls:
                    calls[name] = workers[1].ask("calibrate", name=name, seconds=effort.seconds)
            blocks = {name: np.empty((effort.blocks, len(effort.order(name)))) for name in left}
            for block in range(effort.blocks):  # all benchmarks, then again: a disturbance hits one block of each
                for name in left:
                    blocks[name][block] = _block(workers, name, calls[name], effort, turn=number + block)
            for name, times in blocks.items():
                rounds.setdefault(name, []).append(times)
            for worker in workers:
                peak = worker.ask("peak")
                measured.peaks[worker.role] += [] if peak is None else [peak]
    measured.times = {name: np.stack(each) for name, each in rounds.items() if name not in measured.lacking}
    return measured


def _prepare(workers: Sequence[Worker], names: Sequence[str], measured: Measured) -> None:
    """Warm all processes up at the same time, and note what one of them lacks."""
    with ThreadPoolExecutor(len(workers)) as pool:
        for worker, lacking in zip(workers, pool.map(lambda worker: worker.prepare(names), workers), strict=True):
            for name, reason in lacking.items():
                measured.lacking.setdefault(name, Lacking(worker.role, reason))


def _block(workers: Sequence[Worker], name: str, calls: int, effort: Effort, *, turn: int) -> NDArray[np.float64]:
    """Time every process twice, in mirrored order, so that a drift cancels; the one that begins changes by turns.

    Returns the geometric means of the two, (roles,).
    """
    order = np.roll(effort.order(name), turn)
    logs = np.zeros((2, len(order)))
    for half, roles in enumerate((order, order[::-1])):
        for role in roles:
            slowed = role == len(ROLES)
            options = {"slow": effort.slow[name]} if slowed else {}
            worker = workers[0 if slowed else role]
            logs[half, role] = np.log(worker.ask("time", name=name, calls=calls, **options))
    return np.asarray(np.exp(logs.mean(axis=0)))
