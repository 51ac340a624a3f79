"""Finished trials, measured again from their saved models: new columns without a new training."""

from collections.abc import Mapping
from typing import Any

from ablations.records.files import writing
from ablations.records.lease import hold
from ablations.records.record import Record
from ablations.records.status import Status
from ablations.records.store import Store
from ablations.runner.crew import Crew
from ablations.runner.job import Job
from ablations.runner.rows import keep_columns
from ablations.runner.watchers import Watcher
from ablations.study.trial import Trial
from vae.code import part_hash
from vae.errors import SpecError
from vae.spec import RunSpec

__all__ = ["lacking", "measure_again"]

Metrics = Mapping[str, Mapping[str, Any]]


def lacking(record: Record, metrics: Metrics) -> dict[str, Mapping[str, Any]]:
    """Return those of the metrics that a trial has not: never measured, by other code, or with other settings."""
    parts = record.code.get("parts", {})
    return {
        name: settings
        for name, settings in metrics.items()
        if name not in record.metrics
        or parts.get(f"metric {name}") != part_hash("metric", name)
        or dict(record.evaluation.get(name, {})) != dict(settings)
    }


def measure_again(store: Store, metrics: Metrics, crew: Crew, watch: Watcher | None = None) -> tuple[int, list[Record]]:
    """Measure what finished trials lack, several at a time; one that is cut short goes on where it was.

    Args:
        store: the results.
        metrics: name -> settings.
        crew: where, and how many at a time; on `ray` there are no saved models.
        watch: told of each trial.

    Returns:
        How many trials were measured, and the records of those that could not be, with the reason; these trials stay
        as they are.

    Raises:
        SpecError: the executor can't measure, or a trial is of parts that are not known here.
        VaebenchError: another runner holds the folder, or it can't be written.
    """
    if crew.executor == "ray":
        raise SpecError(
            "evaluate: models are saved here, and not sent to a cluster: take --executor processes or inline"
        )
    crew.check()
    watch = watch or Watcher()
    with writing(store.root), hold(store.lease) as lease:
        store.sweep()
        records = [record for name in store.names() if (record := store.read(name)) is not None]
        done = [record for record in records if record.status == Status.DONE]
        jobs = [job for record in done if (job := _job(store, record, metrics, lease.token)) is not None]
        failed = []
        keep_columns(store, metrics)
        if jobs:
            watch.on_jobs(jobs)
            with crew.hire(records) as pool:
                for event in pool.run(jobs):
                    watch.on_event(event)
                    lease.check()
                    if event.record is not None and event.record.status != Status.DONE:
                        failed.append(event.record)
    return len(jobs) - len(failed), failed


def _job(store: Store, record: Record, metrics: Metrics, token: str | None) -> Job | None:
    wanted = lacking(record, metrics)
    if not wanted:
        return None
    try:
        spec = RunSpec.parse(record.spec, record.trial)
    except SpecError as error:
        raise SpecError(
            f"{error}\nA part of the trial {record.trial} is not known here: name the file that brings it with "
            "--plugin FILE, or take the study's own copies with --plugins"
        ) from None
    trial = Trial(record.axes, spec, recorded=record.digest, folder=record.trial)
    return Job(trial, store.root, token=token, metrics=wanted, evaluates=True)
