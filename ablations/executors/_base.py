"""The contract of an executor, and the one function that performs a trial."""

import platform
import time
import traceback
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Self, TypeVar

from ablations.records import PAUSED, Record
from ablations.store import Store
from ablations.study import Trial
from vae.datasets import Data, load
from vae.environment import configure, describe, peak_rss_mb, reset_peak_rss, source_hash
from vae.errors import DataError, DivergedError, SpecError, VaebenchError
from vae.registry import Registry
from vae.spec import DataSpec, RunSpec

if TYPE_CHECKING:
    from vae.reuse import Models
    from vae.training import Trained

__all__ = ["EXECUTORS", "Event", "Executor", "Job", "Resources", "failed", "forget_data", "live", "perform", "repeat"]

Progress = Callable[[int, Mapping[str, float]], None]
T = TypeVar("T")


@dataclass(frozen=True)
class Job:
    """A trial to perform and where its results go; it can be sent to another process.

    Attributes:
        trial: the trial.
        root: the study's folder of results.
        commit: of the code.
        until: the epoch after which it is to pause; None trains it to its end.
        shared: the workspace that it has in common with shorter and longer trials of the same configuration: the state
            of the finished training stays there for the next.
    """

    trial: Trial
    root: Path
    commit: str | None = None
    until: int | None = None
    shared: str | None = None

    @property
    def name(self) -> str:
        """The trial's name."""
        return self.trial.name

    @property
    def workspace(self) -> str:
        """Where its checkpoints are kept."""
        return self.shared or self.name

    @property
    def last_epoch(self) -> int:
        """The epoch at which it ends."""
        return self.until or self.trial.spec.train.epochs

    def leaves_state(self, status: str) -> bool:
        """Tell whether somebody is to go on from what is in the workspace, after an end with this status."""
        return status == PAUSED or (status == "done" and self.shared is not None)


@dataclass(frozen=True)
class Event:
    """Something that happened to a trial.

    Attributes:
        kind: `started`, `epoch` or `finished`, which is said of a trial that pauses, too.
        trial: its name.
        epoch: epochs done, for `epoch`.
        values: the history's row, for `epoch`.
        record: for `finished`.
        worker: which worker has it.
    """

    kind: Literal["started", "epoch", "finished"]
    trial: str
    epoch: int = 0
    values: Mapping[str, float] = field(default_factory=dict)
    record: Record | None = None
    worker: int = 0


@dataclass(frozen=True)
class Resources:
    """What a trial needs beside its threads, and where that is to be had.

    Attributes:
        gpus: GPUs a trial; below 1, several trials share one. None leaves it to the executor: `processes` deals out the
            visible GPUs in turn, `ray` asks for none.
        memory: bytes a trial.
        address: of a Ray cluster.
    """

    gpus: float | None = None
    memory: float = 0.0
    address: str = "auto"

    def __post_init__(self) -> None:
        """Refuse a share of a GPU that no trial can use.

        Raises:
            SpecError: it is not from 0 to 1.
        """
        if self.gpus is not None and not 0 <= self.gpus <= 1:
            raise SpecError(
                f"--gpus-per-trial: got {self.gpus:g}, expected 0 to 1: a trial trains on one GPU or a share of it"
            )


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
        """Yield events until all jobs are finished; closing the iterator stops all work."""

    def __enter__(self) -> Self:
        """Keep what the first `run` starts for those that follow in the block."""
        return self

    def __exit__(  # noqa: B027 - see its docstring
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop what was kept: by default nothing is."""


EXECUTORS: Registry[type[Executor]] = Registry("executor", "ablations.executors")


@dataclass(frozen=True)
class _End:
    """The end of a thread's work."""

    error: BaseException | None


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
                item = told.get(timeout=max(until - time.monotonic(), 0) if beat else None)
                if isinstance(item, _End):
                    end = item
                else:
                    items.append(item)
        yield items
    if end.error is not None:
        raise end.error


def perform(job: Job, threads: int, on_epoch: Progress | None = None, data: Data | None = None) -> Record:
    """Train, evaluate and commit one trial; a failure is a record too.

    Args:
        job: the trial, and where its results go.
        threads: that the process computes with, for the record.
        on_epoch: called after each epoch.
        data: its data set, where that came another way than from this machine's disk.
    """
    started = _now()
    base = failed(job, "failed", "", started)
    store = Store(job.root)
    try:
        record = _train_and_evaluate(job, base, threads, on_epoch, data)
    except VaebenchError as error:
        status = {DivergedError: "diverged", DataError: "data_error"}.get(type(error), "failed")
        record = replace(base, status=status, reason=str(error), finished=_now())
    except Exception as error:  # noqa: BLE001 - whatever it is, it must not stop the other trials
        status = "out_of_memory" if _is_memory_error(error) else "failed"
        reason = f"{type(error).__name__}: {error}"
        notes = {"traceback": traceback.format_exc()}
        record = replace(base, status=status, reason=reason, notes=notes, finished=_now())
    if record.status not in ("done", PAUSED):
        with store.commit(job.name) as draft:
            draft.write_record(record)
    if not job.leaves_state(record.status):
        store.clear_workspace(job.workspace)
    return record


def _is_memory_error(error: Exception) -> bool:
    """Tell whether a backend says in its own way that memory ran out."""
    return isinstance(error, MemoryError) or "OOM" in str(error) or "ResourceExhausted" in type(error).__name__


def failed(job: Job, status: str, reason: str, started: str = "") -> Record:
    """Return the record of a trial that came to nothing."""
    return Record(
        trial=job.name,
        digest=job.trial.digest,
        axes=dict(job.trial.axes),
        status=status,
        reason=reason,
        spec=job.trial.spec.settings(),
        environment={"host": platform.node()},
        code={"vae": source_hash(), "git": job.commit},
        started=started,
        finished=_now(),
    )


def _train_and_evaluate(job: Job, base: Record, threads: int, on_epoch: Progress | None, data: Data | None) -> Record:
    import keras

    from vae.evaluation import evaluate
    from vae.training import train

    keras.backend.clear_session()
    reset_peak_rss()
    began = time.process_time()  # of all threads of this process, which performs one trial at a time
    data = data or _load(job.trial.spec.data)
    until = job.last_epoch if job.until or job.shared else None
    trained = train(job.trial.spec, data, on_epoch, Store(job.root).workspace(job.workspace), _models(), until)
    if job.last_epoch < job.trial.spec.train.epochs:
        return _pause(job, base, trained, data)
    evaluation = evaluate(trained, data)
    spent = {"cpu_seconds": time.process_time() - began, "peak_rss_mb": peak_rss_mb()}
    record = replace(
        base,
        status="done",
        reason=None,
        metrics=evaluation.metrics,
        timings=trained.timings | {"eval_seconds": evaluation.seconds} | spent,
        environment=describe(threads),
        data=_facts(data),
        notes=trained.notes,
        finished=_now(),
    )
    with Store(job.root).commit(job.name) as draft:
        trained.model.save(draft.model)
        draft.write_history(trained.history)
        draft.write_arrays(evaluation.arrays)
        draft.write_record(record)
    return record


def _pause(job: Job, base: Record, trained: "Trained", data: Data) -> Record:
    """Commit what is known of a trial that waits: its curves and what it took, and no metric."""
    record = replace(
        base,
        status=PAUSED,
        reason=f"after epoch {job.last_epoch} of {job.trial.spec.train.epochs} it waits for its rivals",
        timings=trained.timings | {"peak_rss_mb": peak_rss_mb()},
        data=_facts(data),
        notes=trained.notes,
        finished=_now(),
    )
    with Store(job.root).commit(job.name) as draft:
        draft.write_history(trained.history)
        draft.write_record(record)
    return record


def repeat(record: Record, threads: int) -> dict[str, float | None]:
    """Return the metrics of a recorded trial, trained again in this process; nothing is written.

    Raises:
        DataError: its data set is not there, or no longer the same.
    """
    configure(threads)
    from vae.evaluation import evaluate
    from vae.training import train

    spec = RunSpec.parse(record.spec, "record")
    data = load(spec.data)
    if data.checksum != record.data["checksum"]:
        raise DataError(
            f"data set '{data.name}' is not the one that was recorded: checksum {data.checksum[:12]}, "
            f"expected {record.data['checksum'][:12]}",
        )
    return evaluate(train(spec, data), data).metrics


@lru_cache(maxsize=2)
def _load(spec: DataSpec) -> Data:
    return load(spec)


@lru_cache(maxsize=1)
def _models() -> "Models":
    """Return the traced models of this process."""
    from vae.reuse import Models

    return Models()


def forget_data() -> None:
    """Read data sets anew from now on: a folder of images that was loaded before may hold others today."""
    _load.cache_clear()


def _facts(data: Data) -> dict[str, object]:
    return {
        "name": data.name,
        "checksum": data.checksum,
        "licence": data.licence,
        "source": data.source,
        "shape": list(data.shape),
        "train_images": len(data.train.images),
        "test_images": len(data.test.images),
        "class_names": list(data.class_names),
    }


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
