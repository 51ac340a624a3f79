"""The one function that performs a trial."""

import platform
import time
import traceback
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

from ablations.records.ledger import now
from ablations.records.record import Record
from ablations.records.status import Status
from ablations.records.store import Store
from ablations.runner.job import Job
from vae.code import code_of
from vae.datasets import Data, load
from vae.environment import configure, describe, peak_rss_mb, reset_peak_rss
from vae.errors import DataError, DivergedError, VaebenchError
from vae.spec import DataSpec, RunSpec

if TYPE_CHECKING:
    from vae.reuse import Models
    from vae.training import Progress, Trained

__all__ = ["failed", "forget_data", "perform", "repeat"]


def perform(job: Job, threads: int, on_epoch: "Progress | None" = None, data: Data | None = None) -> Record:
    """Train, evaluate and commit one trial; a failure is a record too.

    Args:
        job: the trial, and where its results go.
        threads: that the process computes with, for the record.
        on_epoch: called after each epoch.
        data: its data set, where that came another way than from this machine's disk.
    """
    started = now()
    base = failed(job, Status.FAILED, "", started)
    store = Store(job.root)
    try:
        record = _train_and_evaluate(job, base, threads, on_epoch, data)
    except VaebenchError as error:
        status = {DivergedError: Status.DIVERGED, DataError: Status.DATA_ERROR}.get(type(error), Status.FAILED)
        record = replace(base, status=status, reason=str(error), finished=now())
    except Exception as error:  # noqa: BLE001 - whatever it is, it must not stop the other trials
        status = Status.OUT_OF_MEMORY if _is_memory_error(error) else Status.FAILED
        reason = f"{type(error).__name__}: {error}"
        notes = {"traceback": traceback.format_exc()}
        record = replace(base, status=status, reason=reason, notes=notes, finished=now())
    if record.status not in (Status.DONE, Status.PAUSED):
        with store.commit(job.name) as draft:
            draft.write_record(record)
    if not job.leaves_state(record.status):
        store.clear_workspace(job.workspace)
    return record


def _is_memory_error(error: Exception) -> bool:
    """Tell whether a backend says in its own way that memory ran out."""
    return isinstance(error, MemoryError) or "OOM" in str(error) or "ResourceExhausted" in type(error).__name__


def failed(job: Job, status: Status, reason: str, started: str = "") -> Record:
    """Return the record of a trial that came to nothing."""
    return Record(
        trial=job.name,
        digest=job.trial.digest,
        axes=dict(job.trial.axes),
        status=status,
        reason=reason,
        spec=job.trial.spec.settings(),
        environment={"host": platform.node()},
        code={**code_of(job.trial.spec), "git": job.commit},
        started=started,
        finished=now(),
    )


def _train_and_evaluate(job: Job, base: Record, threads: int, on_epoch: "Progress | None", data: Data | None) -> Record:
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
        status=Status.DONE,
        reason=None,
        metrics=evaluation.metrics,
        timings=trained.timings | {"eval_seconds": evaluation.seconds} | spent,
        environment=describe(threads),
        data=_facts(data),
        notes=trained.notes,
        finished=now(),
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
        status=Status.PAUSED,
        reason=f"after epoch {job.last_epoch} of {job.trial.spec.train.epochs} it waits for its rivals",
        timings=trained.timings | {"peak_rss_mb": peak_rss_mb()},
        data=_facts(data),
        notes=trained.notes,
        finished=now(),
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
    facts: dict[str, object] = {
        "name": data.name,
        "checksum": data.checksum,
        "licence": data.licence,
        "source": data.source,
        "shape": list(data.shape),
        "train_images": len(data.train.images),
        "test_images": len(data.test.images),
        "class_names": list(data.class_names),
    }
    return facts | ({"notices": list(data.notices)} if data.notices else {})
