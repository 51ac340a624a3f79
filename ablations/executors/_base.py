"""The contract of an executor, and the one function that performs a trial."""

import platform
import time
import traceback
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ablations.records import Record
from ablations.store import Store
from ablations.study import Trial
from vae.datasets import Data, load
from vae.environment import configure, describe, peak_rss_mb, reset_peak_rss, source_hash
from vae.errors import DataError, DivergedError, VaebenchError
from vae.registry import Registry
from vae.spec import DataSpec, RunSpec

if TYPE_CHECKING:
    from vae.reuse import Models

__all__ = ["EXECUTORS", "Event", "Executor", "Job", "failed", "forget_data", "perform", "repeat"]

Progress = Callable[[int, Mapping[str, float]], None]


@dataclass(frozen=True)
class Job:
    """A trial to perform and where its results go; it can be sent to another process."""

    trial: Trial
    root: Path
    commit: str | None = None

    @property
    def name(self) -> str:
        """The trial's name."""
        return self.trial.name


@dataclass(frozen=True)
class Event:
    """Something that happened to a trial.

    Attributes:
        kind: `started`, `epoch` or `finished`.
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


class Executor(ABC):
    """Performs jobs, in any order, and yields what happens; never raises because of a trial.

    Args:
        workers: trials at a time.
        threads: threads a worker may compute with.
        timeout: seconds after which a trial is stopped, whatever it does; None for never.
    """

    def __init__(self, workers: int, threads: int, timeout: float | None = None) -> None:
        """Remember the sizes; nothing is started yet."""
        self.workers, self.threads, self.timeout = workers, threads, timeout

    @abstractmethod
    def run(self, jobs: Sequence[Job]) -> Iterator[Event]:
        """Yield events until all jobs are finished; closing the iterator stops all work."""


EXECUTORS: Registry[type[Executor]] = Registry("executor", "ablations.executors")


def perform(job: Job, threads: int, on_epoch: Progress | None = None) -> Record:
    """Train, evaluate and commit one trial; a failure is a record too."""
    started = _now()
    base = failed(job, "failed", "", started)
    store = Store(job.root)
    try:
        record = _train_and_evaluate(job, base, threads, on_epoch)
    except VaebenchError as error:
        status = {DivergedError: "diverged", DataError: "data_error"}.get(type(error), "failed")
        record = replace(base, status=status, reason=str(error), finished=_now())
    except Exception as error:  # noqa: BLE001 - whatever it is, it must not stop the other trials
        status = "out_of_memory" if _is_memory_error(error) else "failed"
        reason = f"{type(error).__name__}: {error}"
        notes = {"traceback": traceback.format_exc()}
        record = replace(base, status=status, reason=reason, notes=notes, finished=_now())
    if record.status != "done":
        with store.commit(job.name) as draft:
            draft.write_record(record)
    store.clear_workspace(job.name)
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


def _train_and_evaluate(job: Job, base: Record, threads: int, on_epoch: Progress | None) -> Record:
    import keras

    from vae.evaluation import evaluate
    from vae.training import train

    keras.backend.clear_session()
    reset_peak_rss()
    began = time.process_time()  # of all threads of this process, which performs one trial at a time
    data = _load(job.trial.spec.data)
    trained = train(job.trial.spec, data, on_epoch, Store(job.root).workspace(job.name), _models())
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
