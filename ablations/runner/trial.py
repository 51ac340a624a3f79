"""The one function that performs a trial."""

import platform
import time
import traceback
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

from ablations.records.lease import LeaseLostError
from ablations.records.ledger import now
from ablations.records.record import Record
from ablations.records.status import Status
from ablations.runner.job import Job
from vae.code import code_of, part_hash, summed
from vae.datasets import Data, load
from vae.environment import configure, describe, peak_rss_mb, reset_peak_rss
from vae.errors import DataError, DivergedError, PluginError, VaebenchError
from vae.metrics import METRICS
from vae.plugins import place_in
from vae.spec import DataSpec, RunSpec

if TYPE_CHECKING:
    from vae.reuse import Models
    from vae.training import Progress, Trained

__all__ = ["facts_of", "failed", "forget_data", "perform", "repeat"]


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
    try:
        return _performed(job, base, threads, on_epoch, data)
    except LeaseLostError as error:  # whoever has the folder now goes on from the checkpoints
        return replace(base, status=Status.INTERRUPTED, reason=str(error), finished=now())


def _performed(job: Job, base: Record, threads: int, on_epoch: "Progress | None", data: Data | None) -> Record:
    try:
        if job.evaluates:
            return _evaluate_again(job, data)
        record = _train_and_evaluate(job, base, threads, on_epoch, data)
    except LeaseLostError:
        raise
    except VaebenchError as error:
        status = {DivergedError: Status.DIVERGED, DataError: Status.DATA_ERROR}.get(type(error), Status.FAILED)
        reason = str(error) if isinstance(error, PluginError) else f"{place_in(error)}{error}"
        record = replace(base, status=status, reason=reason, finished=now())
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever it is, it must not stop the other trials
        status = Status.OUT_OF_MEMORY if _is_memory_error(error) else Status.FAILED
        reason = f"{place_in(error)}{type(error).__name__}: {error}"
        notes = {"traceback": traceback.format_exc()}
        record = replace(base, status=status, reason=reason, notes=notes, finished=now())
    if job.evaluates:
        return record  # of a failure; what the trial has stays
    if record.status not in (Status.DONE, Status.PAUSED):
        job.leave(record)
    if not job.leaves_state(record.status):
        job.store.clear_workspace(job.workspace)
    return record


def _is_memory_error(error: BaseException) -> bool:
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
        code={**code_of(job.trial.spec, job.metrics), "git": job.commit},
        evaluation={name: dict(settings) for name, settings in job.metrics.items() if settings},
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
    trained = train(job.trial.spec, data, on_epoch, job.store.workspace(job.workspace), _models(), until)
    if job.last_epoch < job.trial.spec.train.epochs:
        return _pause(job, base, trained, data)
    evaluation = evaluate(trained, data, job.metrics)
    spent = {"cpu_seconds": time.process_time() - began, "peak_rss_mb": peak_rss_mb()}
    record = replace(
        base,
        status=Status.DONE,
        reason=None,
        metrics=evaluation.metrics,
        timings=trained.timings | {"eval_seconds": evaluation.seconds} | spent,
        environment=describe(threads),
        data=facts_of(data),
        notes=trained.notes | evaluation.notes,
        finished=now(),
    )
    with job.store.commit(job.name) as draft:
        trained.model.save(draft.model)
        draft.write_history(trained.history)
        draft.write_arrays(evaluation.arrays)
        draft.write_record(record)
    return record


def _evaluate_again(job: Job, data: Data | None) -> Record:
    """Measure a finished trial from its saved model, and add the numbers to its record.

    Raises:
        DataError: its data set is no longer the same, or the model can't be read.
    """
    from vae.evaluation import measure
    from vae.outcome import Outcome
    from vae.saved import load_model

    record = job.store.read(job.name)
    if record is None or record.status != Status.DONE:
        raise DataError(f"{job.name} is not finished: there is no model to measure")
    data = data or _load(job.trial.spec.data)
    _check_data(data, record)
    values, failed = measure(Outcome(load_model(job.store.model(record)), data, job.trial.spec), job.metrics)
    if failed:
        return replace(record, status=Status.FAILED, reason="; ".join(failed.values()))
    hashes = {f"metric {name}": part_hash("metric", name) or "" for name in job.metrics}
    parts = {**record.code.get("parts", {}), **hashes}
    settings = {name: dict(one) for name, one in job.metrics.items() if one}
    kept = {name: one for name, one in record.evaluation.items() if name not in values}
    code = {**record.code, "parts": parts}
    if "core" in code:
        code["vae"] = summed(str(code["core"]), parts)
    amended = replace(record, metrics={**record.metrics, **values}, code=code, evaluation=kept | settings)
    job.store.amend(amended)
    return amended


def _check_data(data: Data, record: Record) -> None:
    if data.checksum != record.data["checksum"]:
        raise DataError(
            f"data set '{data.name}' is not the one that was recorded: checksum {data.checksum[:12]}, "
            f"expected {record.data['checksum'][:12]}",
        )


def _pause(job: Job, base: Record, trained: "Trained", data: Data) -> Record:
    """Commit what is known of a trial that waits: its curves and what it took, and no metric."""
    record = replace(
        base,
        status=Status.PAUSED,
        reason=f"after epoch {job.last_epoch} of {job.trial.spec.train.epochs} it waits for its rivals",
        timings=trained.timings | {"peak_rss_mb": peak_rss_mb()},
        data=facts_of(data),
        notes=trained.notes,
        finished=now(),
    )
    with job.store.commit(job.name) as draft:
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
    _check_data(data, record)
    measured = {name: record.evaluation.get(name, {}) for name in record.metrics if name in METRICS}
    return evaluate(train(spec, data), data, measured).metrics


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


def facts_of(data: Data) -> dict[str, object]:
    """Return what a record says of a data set."""
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
    if data.validation is not None:
        facts["validation_images"] = len(data.validation.images)
    return facts | ({"notices": list(data.notices)} if data.notices else {})
