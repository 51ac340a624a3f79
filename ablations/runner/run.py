"""A study, run: what is done is skipped, what fails is kept, and the tables are written whatever happened."""

import platform
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from ablations.records.lease import hold
from ablations.records.ledger import Run
from ablations.records.status import Status
from ablations.records.store import Store, writing
from ablations.runner.collect import Outcome, collect
from ablations.runner.crew import budget, crew_size
from ablations.runner.energy import metered
from ablations.runner.executors import EXECUTORS, Executor
from ablations.runner.job import Event, Job, Resources
from ablations.runner.plan import Plan, make_plan, no_grid, records_of
from ablations.runner.schedule import GridSchedule, Schedule
from ablations.study.study import Study
from vae.code import git_commit
from vae.datasets import load

__all__ = ["run"]


def run(  # noqa: PLR0913 - each is a setting of the command line
    study: Study,
    results: str | Path = "results",
    *,
    executor: str = "processes",
    workers: int | None = None,
    threads: int | None = None,
    memory: float | None = None,
    timeout: float | None = None,
    gpus: float | None = None,
    address: str = "auto",
    retries: int = 1,
    refresh: bool = False,
    on_event: Callable[[Event], None] | None = None,
    on_jobs: Callable[[Sequence[Job]], None] | None = None,
    schedule: Schedule | None = None,
) -> Outcome:
    """Train what is missing of a study and write its tables.

    Args:
        study: what to run.
        results: the folder that holds a folder for each study.
        executor: an entry of `EXECUTORS`.
        workers: trials at a time; one a core, by default, with `processes`.
        threads: threads of each worker; the cores divided among the workers, by default.
        memory: bytes that a worker may need: no more workers start than fit. The largest peak of the study's finished
            trials and a quarter more, at least 2 GB, by default.
        timeout: seconds after which a trial is stopped, whatever it does.
        gpus: GPUs a trial, below 1 for several trials on one (see `Resources`).
        address: of a Ray cluster, with `ray`.
        retries: how often a trial is tried again, in this run, whose failure may be the machine's (`Status.transient`).
        refresh: train trials again that older code made.
        on_event: called with everything that happens.
        on_jobs: called with each list of jobs before it is performed.
        schedule: what to train, of a search; the study's grid without one, rung by rung where it has a `stop`.

    Raises:
        SpecError: the executor is unknown or can't work here, or an axis is a range and this is no search.
        DataError: a data set is missing or can't be read; nothing was trained.
        VaebenchError: the results folder can't be written, or another runner holds it.
    """
    kind = EXECUTORS[executor]
    kind(1, 1, timeout, Resources(gpus, memory or 0.0, address)).check()
    if study.ranges and schedule is None:
        raise no_grid(study)
    store = Store(Path(results) / study.folder_name)
    schedule = schedule or GridSchedule(study, store)
    plan = make_plan(study, store, schedule.trials(), refresh=refresh)
    for spec in dict.fromkeys(trial.spec.data for trial in schedule.ahead(plan)):
        load(spec)  # now, rather than in the night; workers find it decoded
    store.create()
    with writing(store.root), hold(store.lease):
        # Only now: another runner may have finished some of them since.
        plan = make_plan(study, store, schedule.trials(), refresh=refresh)
        store.write_study(study.text)
        store.sweep()
        _reconcile(store, plan)
        needed = memory or budget(records_of(store, plan))
        crew, each = crew_size(executor, workers, threads, needed)
        commit = git_commit()
        done: set[str] = set()
        started = _now()
        try:
            pool = kind(crew, each, timeout, Resources(gpus, needed, address))
            with metered() as meter, pool:
                for jobs in schedule.waves(plan, commit):
                    if on_jobs:
                        on_jobs(jobs)
                    for event in _perform(pool, jobs, store, retries):
                        if event.record is not None and event.record.status == Status.DONE:
                            done.add(event.trial)
                        if on_event:
                            on_event(event)
        finally:
            store.progress_file.unlink(missing_ok=True)
            outcome = collect(store, make_plan(study, store, schedule.trials()), len(done))
            if done:
                store.ledger.run(Run(started, _now(), platform.node(), crew, each, len(done), meter.joules))
    return outcome


def _reconcile(store: Store, plan: Plan) -> None:
    """Log the end of trials whose runner died between their commit and the log."""
    open_ends = {one.trial: one.status == Status.INTERRUPTED for one in store.ledger.attempts()}
    missing = {trial.name for trial in plan.missing}
    for trial in plan.trials:
        if open_ends.get(trial.name) and trial.name not in missing:
            store.ledger.end(trial.name, Status.DONE, None)
            store.clear_workspace(trial.name)


def _perform(executor: Executor, jobs: Sequence[Job], store: Store, retries: int) -> Iterator[Event]:
    """Run the jobs, log each attempt, and try those again whose failure may be the machine's."""
    running: dict[str, dict[str, float]] = {}
    for tries_left in range(retries, -1, -1):
        again: set[str] = set()
        for event in executor.run(jobs):
            if event.kind == "started":
                store.ledger.start(event.trial)
                running[event.trial] = {"epoch": 0, "began": time.time()}
            elif event.kind == "epoch":
                running[event.trial]["epoch"] = event.epoch
            elif event.record is not None:
                running.pop(event.trial, None)
                store.ledger.end(event.trial, event.record.status, event.record.reason)
                if event.record.status.transient and tries_left:
                    again.add(event.trial)
            store.write_progress(running)
            yield event
        jobs = [job for job in jobs if job.name in again]
        if not jobs:
            return


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
