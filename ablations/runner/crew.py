"""Who performs the trials of a study: where, how many at a time, and what each may take."""

import math
import os
from collections.abc import Iterable
from dataclasses import dataclass
from numbers import Integral, Real

from ablations.records.record import Record
from ablations.runner.executors import EXECUTORS, Executor
from ablations.runner.job import Resources
from ablations.runner.memory import available, budget
from vae.errors import SpecError

__all__ = ["Crew"]


@dataclass(frozen=True)
class Crew:
    """Where trials run, how many at a time, and what each may take; nothing starts before a study is run.

    >>> Crew(workers=4, threads=2).size([])
    (4, 2)

    Attributes:
        executor: an entry of `EXECUTORS`: `inline` trains in this process, `processes` in worker processes, `ray` on a
            cluster.
        workers: trials at a time; by default one a core, as many as memory holds, and with `ray` as many as the cluster
            has room for.
        threads: that a worker computes with; by default the cores divided among the workers, and 1 with `ray`.
        memory: bytes that a worker may need: no more workers start than fit, and `ray` asks its nodes for so much. By
            default what the study's largest finished trial took and a quarter more, at least 2 GB.
        timeout: seconds after which a trial is stopped, whatever it does; None for never.
        gpus: GPUs a trial; below 1, several trials share one. None leaves it to the executor: `processes` deals out the
            visible GPUs in turn, `ray` asks for none.
        address: of a Ray cluster: `auto`, `local`, HOST:PORT or ray://HOST:PORT.
        retries: how often a trial is tried again, in one run, whose failure may be the machine's (`Status.transient`).
    """

    executor: str = "processes"
    workers: int | None = None
    threads: int | None = None
    memory: float | None = None
    timeout: float | None = None
    gpus: float | None = None
    address: str = "auto"
    retries: int = 1

    def __post_init__(self) -> None:
        """Refuse what nobody can work with.

        Raises:
            SpecError: the executor is unknown, or a number is out of range; the message names the option of the
                command line.
        """
        _ = EXECUTORS[self.executor]
        for name, value, least in (("workers", self.workers, 1), ("threads", self.threads, 1)):
            if value is not None:
                _whole(name, value, least)
        _whole("retries", self.retries, 0)
        for name, amount, unit in (("memory", self.memory, "bytes"), ("timeout", self.timeout, "seconds")):
            if amount is not None and not (_is_number(amount) and 0 < amount < math.inf):
                raise SpecError(f"--{name}: got {amount!r}, expected a number of {unit} above 0")
        if self.gpus is not None and not (_is_number(self.gpus) and 0 <= self.gpus <= 1):
            raise SpecError(
                f"--gpus-per-trial: got {self.gpus!r}, expected 0 to 1: a trial trains on one GPU or a share of it"
            )
        if not (isinstance(self.address, str) and self.address):
            raise SpecError(f"--address: got {self.address!r}, expected auto, local, HOST:PORT or ray://HOST:PORT")

    def check(self) -> None:
        """Look whether the executor can work here, before anything is read or written.

        Raises:
            SpecError: it can't; the message says what is missing and how to get it.
        """
        self._executor(1, 1, self.memory or 0.0).check()

    def size(self, records: Iterable[Record]) -> tuple[int, int]:
        """Return (workers, threads of each): by default a process of one thread a core, as many as memory holds.

        Args:
            records: of the study's trials, which tell how much memory one takes; workers that are asked for are not
                lowered by that.
        """
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        if self.executor == "inline":
            return 1, self.threads or cores
        if self.executor == "ray":  # the cluster knows what it has room for
            return self.workers or 0, self.threads or 1
        fit = max(int(available() // self._memory(records)), 1)
        workers = self.workers or min(max(cores // (self.threads or 1), 1), fit)
        return workers, self.threads or max(cores // workers, 1)

    def hire(self, records: Iterable[Record]) -> Executor:
        """Return the executor, of the size that these records of the study let it have; nothing is started yet."""
        seen = list(records)
        workers, threads = self.size(seen)
        return self._executor(workers, threads, self._memory(seen))

    def _memory(self, records: Iterable[Record]) -> float:
        return self.memory or budget(records)

    def _executor(self, workers: int, threads: int, memory: float) -> Executor:
        resources = Resources(self.gpus, memory, self.address)
        return EXECUTORS[self.executor](workers, threads, self.timeout, resources)


def _whole(name: str, value: object, least: int) -> None:
    """Refuse what is no whole number, or too small a one.

    Raises:
        SpecError: it is.
    """
    if not (isinstance(value, Integral) and _is_number(value) and int(value) >= least):
        raise SpecError(f"--{name}: got {value!r}, expected a whole number of at least {least}")


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)
