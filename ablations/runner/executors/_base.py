"""The contract of an executor, and what executors have in common."""

import re
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Thread
from types import TracebackType
from typing import Self, TypeVar

from ablations.records.status import Status
from ablations.runner.job import Event, Job, Resources
from ablations.runner.trial import failed
from vae.errors import VaebenchError
from vae.registry import Registry

__all__ = ["EXECUTORS", "LISTENING_SECONDS", "Executor", "live", "refusal", "refused", "unfit"]

LAST_LINES = 6  # of what a worker that can't start printed

T = TypeVar("T")


class Executor(ABC):
    """Performs jobs, in any order, and yields what happens; never raises because of a trial.

    Args:
        workers: trials at a time; 0 for as many as there is room for, where the executor can tell.
        threads: threads a worker may compute with.
        timeout: seconds after which a trial is stopped, whatever it does; None for never.
        resources: what else a trial needs.
    """

    def __init__(
        self, workers: int, threads: int, timeout: float | None = None, resources: Resources | None = None
    ) -> None:
        """Remember the sizes; nothing is started yet."""
        self.workers, self.threads, self.timeout = workers, threads, timeout
        self.resources = resources or Resources()

    def check(self) -> None:  # noqa: B027 - most need nothing
        """Look whether this executor can work here, before anything is done.

        Raises:
            SpecError: it can't; the message says what is missing and how to get it.
        """

    @abstractmethod
    def run(self, jobs: Sequence[Job]) -> Iterator[Event]:
        """Yield events until all jobs are finished; closing the iterator stops all work.

        Raises:
            VaebenchError: no worker can start, so that every trial would come to nothing for the same reason.
        """

    def __enter__(self) -> Self:
        """Keep what the first `run` starts for those that follow in the block."""
        return self

    def __exit__(  # noqa: B027 - see its docstring
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop what was kept: by default nothing is."""


def unfit(who: str, said: str, remedy: str) -> VaebenchError:
    """Return the error of workers that can't start: what one said of it, its last lines, and what to do.

    Args:
        who: can't start.
        said: all that one printed, or the end of it.
        remedy: what to do, as a sentence without its stop.
    """
    lines = [line.rstrip() for line in said.splitlines() if line.strip() and not line.startswith("Traceback ")]
    named = [line for line in lines if re.match(r"[A-Za-z_][\w.]*(Error|Exception|Exit)\b", line)]
    cause = next(reversed(named or lines), "it ended without a word").rstrip(".")
    last = "".join(f"\n  {line}" for line in lines[-LAST_LINES:])
    return VaebenchError(f"{who} can't start: {cause}. {remedy}; the same command then goes on from there{last}")


def refusal(why: str) -> tuple[Status, str]:
    """Return (status, reason) of a trial that can't be handed to another process."""
    return Status.FAILED, (
        f"it can't be handed to another process ({why}). What a study uses must be found there: name its file in "
        "plugins, keep it in a module on PYTHONPATH, or take --executor inline"
    )


def refused(job: Job, why: str) -> Iterator[Event]:
    """Yield the events of a job that can't be handed to another process, and record its trial as failed."""
    record = failed(job, *refusal(why))
    job.leave(record)
    yield Event("started", job.name)
    yield Event("finished", job.name, record=record)


EXECUTORS: Registry[type[Executor]] = Registry("executor", "ablations.runner.executors")


@dataclass(frozen=True)
class _End:
    """The end of a thread's work."""

    error: BaseException | None


LISTENING_SECONDS = 1.0
"""A signal that comes just before a wait begins does not end it: no wait is longer without a look at what came."""


def live(name: str, work: Callable[[Callable[[T], None]], None], beat: float = 0.0) -> Iterator[list[T]]:
    """Yield what `work` tells while it works; a generator can't yield from inside a callback, so it has a thread.

    Args:
        name: of the thread.
        work: is given the function to tell by; what it raises is raised here.
        beat: seconds of which all is yielded together, be it nothing; 0 for each thing by itself, as it is told.
    """
    told: SimpleQueue[T | _End] = SimpleQueue()

    def run() -> None:
        error = None
        try:
            work(told.put)
        except BaseException as raised:  # noqa: BLE001 - raised again where the items are read
            error = raised
        told.put(_End(error))

    Thread(target=run, name=name, daemon=True).start()
    end = None
    while end is None:
        items: list[T] = []
        until = time.monotonic() + beat
        with suppress(Empty):
            while end is None and (beat or not items):
                item = told.get(timeout=max(until - time.monotonic(), 0) if beat else LISTENING_SECONDS)
                if isinstance(item, _End):
                    end = item
                else:
                    items.append(item)
        if items or beat:
            yield items
    if end.error is not None:
        raise end.error
