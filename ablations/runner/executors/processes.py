"""Warm worker processes that train many trials each: TensorFlow is imported once a worker, a crash takes one trial."""

import math
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from types import TracebackType
from typing import IO, Self

from ablations.records.status import Status
from ablations.runner.executors._base import EXECUTORS, LISTENING_SECONDS, Executor, refused, unfit
from ablations.runner.executors._seats import seats
from ablations.runner.job import Event, Job, Unread
from ablations.runner.memory import oom_kills
from ablations.runner.trial import failed
from vae.code import is_current
from vae.environment import backend
from vae.gpus import VISIBLE
from vae.graph import graph_key

__all__ = ["Processes"]

STOP_SECONDS = 5  # for a worker to end by itself before it is killed
OUT_OF_MEMORY = "the kernel killed the worker process for want of memory. Run fewer --workers, or smaller batches"
LOG_LINES = 20  # of a dead worker's output that its trial's record keeps
REMEDY = "Workers import from PYTHONPATH and the packages of this Python: mend what is named, or move it out of the way"
# Of a notebook's figures, and of who tests a program of their own: either would end a worker as it imports libraries.
OTHERS = {"MPLBACKEND", "PYTHONWARNINGS"}
# What a process ends by of itself; other signals are sent by somebody, and the next worker may be spared.
FAULTS = {signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGSEGV} if os.name == "posix" else set()


@dataclass
class _Worker:
    """One process, what it printed, and the job it has."""

    number: int
    process: subprocess.Popen[bytes]
    log: IO[bytes]
    oom_kills: int  # of the machine, when it was hired
    job: Job | None = None
    graph: str = ""
    deadline: float = math.inf
    overdue: bool = False
    ready: bool = False  # it has started, and said so by telling anything
    begun: bool = False  # it has told that it began its job
    garbled: str = ""  # why what it tells can't be read

    def give(self, job: Job, timeout: float | None) -> None:
        """Hand over a job.

        Raises:
            Exception: of any kind, where the job can't be pickled; nothing is sent then.
        """
        sent = pickle.dumps(job)
        self.job, self.graph, self.begun = job, graph_key(job.trial.spec), False
        self.deadline = math.inf if timeout is None else time.monotonic() + timeout
        with suppress(OSError):  # it died while idle: the thread that reads from it tells
            pickle.dump(sent, self.process.stdin)  # type: ignore[arg-type]
            self.process.stdin.flush()  # type: ignore[union-attr]

    def hear(self, word: Event | Unread) -> Iterator[Event]:
        """Yield the events of what the worker tells."""
        self.ready = True
        if isinstance(word, Event):
            self.begun = self.begun or word.kind == "started"
            yield word
        elif self.job is not None:
            yield from refused(self.job, word.why)
        if isinstance(word, Unread) or word.kind == "finished":
            self.job = None

    def last_words(self) -> str:
        """Return the end of what it printed; only once it has ended, for it writes where this reads."""
        self.log.seek(0)
        return b"\n".join(self.log.read().splitlines()[-LOG_LINES:]).decode(errors="replace")


class _Waiting:
    """Jobs to deal out, those of one graph together: a worker that has traced a model is given all that can use it."""

    def __init__(self, jobs: Iterable[Job]) -> None:
        self._groups: dict[str, deque[Job]] = {}
        for job in jobs:
            self._groups.setdefault(graph_key(job.trial.spec), deque()).append(job)
        self._begun: set[str] = set()

    def __bool__(self) -> bool:
        return bool(self._groups)

    def take(self, graph: str = "") -> Job:
        """Return the next job: of this graph, else of one that nobody has begun, else of the one with most left."""
        if graph not in self._groups:
            untouched = next((one for one in self._groups if one not in self._begun), None)
            graph = untouched or max(self._groups, key=lambda one: len(self._groups[one]))
        self._begun.add(graph)
        group = self._groups[graph]
        job = group.popleft()
        if not group:
            del self._groups[graph]
        return job


Inbox = SimpleQueue[tuple[_Worker, Event | Unread | None]]


@EXECUTORS.register("processes")
class Processes(Executor):
    """A pool of `workers` processes of `threads` threads each.

    Workers are started with `python -m`, not forked and not through `__main__`, so that scripts and notebooks need no
    guard and no state leaks from here; and with `-P`, so that they import nothing from the folder they happen to be in.
    """

    _kept: "tuple[dict[int, _Worker], Inbox] | None" = None

    def __enter__(self) -> Self:
        """Keep the workers from one `run` to the next: importing TensorFlow again would take them seconds."""
        self._kept = {}, SimpleQueue()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Dismiss the workers."""
        if self._kept is not None:
            _dismiss(self._kept[0].values())
            self._kept = None

    def check(self) -> None:
        """Look whether Keras' backend is installed, and whether there are GPUs, where trials ask for them.

        Raises:
            SpecError: it is not, or there are none.
        """
        backend()
        seats(1, self.resources.gpus)

    def run(self, jobs: Sequence[Job]) -> Iterator[Event]:
        """Yield events; a worker that dies makes its trial `crashed` and is replaced."""
        waiting = _Waiting(jobs)
        inbox: Inbox
        crew: dict[int, _Worker]
        crew, inbox = self._kept or ({}, SimpleQueue())
        finished = False
        try:
            places = seats(min(self.workers, len(jobs)), self.resources.gpus)
            for number, gpu in enumerate(places):
                _staff(crew, number, self.threads, inbox, gpu)
                yield from _give(crew[number], waiting, self.timeout)
            while any(worker.job for worker in crew.values()):
                try:
                    worker, word = inbox.get(timeout=_until_next_deadline(crew.values()))
                except Empty:
                    _stop_overdue(crew.values())
                    continue
                if worker is not crew.get(worker.number):
                    continue  # the end of a line that was buried before
                if word is not None:
                    yield from worker.hear(word)
                else:
                    yield from _bury(worker, self.timeout)
                    if waiting:
                        crew[worker.number] = worker = _hire(worker.number, self.threads, inbox, places[worker.number])
                if worker.job is None:
                    yield from _give(worker, waiting, self.timeout)
            finished = True
        finally:
            if not (finished and self._kept):
                _dismiss(crew.values())
                crew.clear()


def _staff(crew: dict[int, _Worker], number: int, threads: int, inbox: Inbox, gpu: str | None) -> None:
    """Hire a worker for a place that has none, or whose worker died while it was idle."""
    if number in crew and crew[number].process.poll() is not None:
        _dismiss([crew.pop(number)])
    if number not in crew:
        crew[number] = _hire(number, threads, inbox, gpu)


def _hire(number: int, threads: int, inbox: Inbox, gpu: str | None = None) -> _Worker:
    """Start a worker, and a thread that passes on what it says; None is its end."""
    log = tempfile.TemporaryFile()  # noqa: SIM115 - closed when the worker is dismissed
    process = subprocess.Popen(  # noqa: S603 - our own module
        [sys.executable, "-P", "-m", "ablations.runner.executors._worker", str(number), str(threads)],
        env=_environment(gpu),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log,
        start_new_session=True,  # Ctrl-C is for the parent, which stops its workers itself
    )
    worker = _Worker(number, process, log, oom_kills())

    def listen() -> None:
        try:
            with process.stdout as stream:  # type: ignore[union-attr]
                while True:
                    inbox.put((worker, pickle.load(stream)))  # noqa: S301 - our own
        except (EOFError, OSError):
            pass
        except Exception as error:  # noqa: BLE001 - a line that can't be read has ended, too
            worker.garbled = f"{type(error).__name__}: {error}"
        inbox.put((worker, None))

    Thread(target=listen, daemon=True, name=f"worker-{number}").start()
    return worker


def _environment(gpu: str | None) -> dict[str, str]:
    """Return the variables of a worker: the runner's own, without those that are meant for other programs."""
    found = {name: value for name, value in os.environ.items() if name not in OTHERS}
    root = str(Path(__file__).parents[3])
    # An empty entry, as a stray colon makes one, is the current folder.
    places = [root, *filter(None, found.get("PYTHONPATH", "").split(os.pathsep))]
    found["PYTHONPATH"] = os.pathsep.join(places)
    if gpu is not None:
        found[VISIBLE] = gpu
    return found


def _until_next_deadline(workers: Iterable[_Worker]) -> float:
    first = min((worker.deadline for worker in workers if worker.job and not worker.overdue), default=math.inf)
    return min(max(first - time.monotonic(), 0), LISTENING_SECONDS)


def _stop_overdue(workers: Iterable[_Worker]) -> None:
    """Kill workers whose trial takes too long; a hung one hears nothing less."""
    for worker in workers:
        if worker.job and time.monotonic() >= worker.deadline:
            worker.overdue = True
            worker.process.kill()


def _give(worker: _Worker, waiting: _Waiting, timeout: float | None) -> Iterator[Event]:
    """Give a worker the next job, and yield the events of those before it that can't be sent."""
    while waiting:
        job = waiting.take(worker.graph)
        try:
            worker.give(job, timeout)
        except Exception as error:  # noqa: BLE001 - pickling calls what the job is made of
            yield from refused(job, f"{type(error).__name__}: {error}")
        else:
            return


def _bury(worker: _Worker, timeout: float | None) -> Iterator[Event]:
    """Record the end of a worker as its trial's failure.

    Raises:
        VaebenchError: it could not start, and no other would.
    """
    job = worker.job
    try:
        worker.process.wait(0 if worker.garbled else STOP_SECONDS)  # of itself: what it ends by says why
    except subprocess.TimeoutExpired:
        worker.process.kill()
        worker.process.wait()
    code, log = worker.process.returncode, worker.last_words()
    _dismiss([worker])
    worker.job = None
    if job is None:
        return
    if not (worker.ready or worker.overdue) and (code >= 0 or -code in FAULTS):
        raise unfit("worker processes", log or _cause(code), REMEDY)
    if not worker.begun:
        yield Event("started", job.name, worker=worker.number)
    if worker.overdue:
        record = failed(job, Status.TIMEOUT, f"stopped after {timeout:g} s, the limit that --timeout sets")
    elif worker.garbled:
        record = failed(job, Status.FAILED, f"what the worker process told can't be read ({worker.garbled})")
    elif code == -signal.SIGKILL and oom_kills() > worker.oom_kills:
        record = failed(job, Status.OUT_OF_MEMORY, OUT_OF_MEMORY)
    else:
        record = failed(job, Status.CRASHED, f"the worker process died ({_cause(code)})")
    record = replace(record, notes={"log": log})
    store = job.store
    found = store.read(job.name)
    if found is not None and found.status == Status.DONE and is_current(found.code) and not job.evaluates:
        record = found  # it died between its commit and its word
        if not job.leaves_state(record.status):
            store.clear_workspace(job.workspace)
    else:
        job.leave(record)
    yield Event("finished", job.name, record=record, worker=worker.number)


def _cause(code: int) -> str:
    if code < 0:
        return signal.Signals(-code).name
    return f"exit code {code}"


def _dismiss(workers: Iterable[_Worker]) -> None:
    """Stop workers: the end of its input ends an idle one, a busy one is terminated."""
    crew = list(workers)
    for worker in crew:
        with suppress(OSError):
            worker.process.stdin.close()  # type: ignore[union-attr]
        if worker.job is not None:
            worker.process.terminate()
    for worker in crew:
        try:
            worker.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            worker.process.kill()
            worker.process.wait()
        worker.log.close()
