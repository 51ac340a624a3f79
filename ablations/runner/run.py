"""A study, run: what is done is skipped, what fails is kept, and the tables are written whatever happened."""

import platform
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from ablations.records.files import writing
from ablations.records.lease import Lease, hold
from ablations.records.ledger import Run, now
from ablations.records.status import Status
from ablations.records.store import Store
from ablations.runner.collect import Collected, collect
from ablations.runner.crew import Crew
from ablations.runner.energy import metered
from ablations.runner.executors import Executor
from ablations.runner.job import Event, Job
from ablations.runner.plan import Plan, make_plan, no_grid, records_of
from ablations.runner.rows import keep_rows
from ablations.runner.schedule import GridSchedule, Schedule
from ablations.runner.watchers import Watcher
from ablations.study.study import Study
from vae.code import git_commit
from vae.datasets import load

__all__ = ["run"]


def run(
    study: Study,
    results: str | Path = "results",
    *,
    crew: Crew = Crew(),
    refresh: bool = False,
    watch: Watcher | None = None,
    schedule: Schedule | None = None,
) -> Collected:
    """Train what is missing of a study and write its tables.

    Args:
        study: what to run.
        results: the folder that holds a folder for each study.
        crew: where trials run, how many at a time, with what each.
        refresh: train trials again that older code made.
        watch: told of each list of jobs before it is performed, and of everything that happens; it stays open.
        schedule: what to train, of a search; the study's grid without one, rung by rung where it has a `stop`.

    Raises:
        SpecError: the executor can't work here, or an axis is a range and this is no search.
        DataError: a data set is missing or can't be read; nothing was trained.
        VaebenchError: the results folder can't be written, another runner holds it or took it over, or no worker can
            start.
    """
    crew.check()
    watch = watch or Watcher()
    if study.ranges and schedule is None:
        raise no_grid(study)
    store = Store(Path(results) / study.folder_name)
    schedule = schedule or GridSchedule(study, store)
    plan = make_plan(study, store, schedule.trials(), refresh=refresh)
    for spec in dict.fromkeys(trial.spec.data for trial in schedule.ahead(plan)):
        load(spec)  # now, rather than in the night; workers find it decoded
    store.create()
    with writing(store.root), hold(store.lease) as lease:
        store.sweep()  # which may put a finished trial back
        # Only now: another runner may have finished some of them since.
        plan = make_plan(study, store, schedule.trials(), refresh=refresh)
        store.write_study(study.text)
        keep_rows(study, store, plan)
        _reconcile(store, plan)
        pool = crew.hire(records_of(store, plan))
        commit = git_commit()
        done: set[str] = set()
        started = now()
        try:
            with metered() as meter, pool:
                for wave in schedule.waves(plan, commit):
                    jobs = [replace(job, token=lease.token, metrics=study.metrics) for job in wave]
                    watch.on_jobs(jobs)
                    for event in _perform(partial(_under, lease, pool), jobs, store, crew.retries):
                        if event.record is not None and event.record.status == Status.DONE:
                            done.add(event.trial)
                        watch.on_event(event)
        finally:
            lease.check()  # tables, too, are the holder's business alone
            store.progress_file.unlink(missing_ok=True)
            plan = make_plan(study, store, schedule.trials())
            keep_rows(study, store, plan)
            outcome = collect(store, plan, len(done))
            if done:
                size = pool.workers, pool.threads
                store.ledger.run(Run(started, now(), platform.node(), *size, len(done), meter.joules))
    return outcome


def _reconcile(store: Store, plan: Plan) -> None:
    """Log the end of trials whose runner died between their commit and the log."""
    open_ends = {one.trial: one.status == Status.INTERRUPTED for one in store.ledger.attempts()}
    missing = {trial.name for trial in plan.missing}
    for trial in plan.trials:
        if open_ends.get(trial.name) and trial.name not in missing:
            store.ledger.end(trial.name, Status.DONE, None)
            store.clear_workspace(trial.name)


def _under(lease: Lease, executor: Executor, jobs: Sequence[Job]) -> Iterator[Event]:
    """Yield what happens as long as the lease is ours; once it is another's, all work is stopped."""
    for event in executor.run(jobs):
        lease.check()
        yield event


def _perform(
    perform: Callable[[Sequence[Job]], Iterator[Event]], jobs: Sequence[Job], store: Store, retries: int
) -> Iterator[Event]:
    """Run the jobs, log each attempt, and try those again whose failure may be the machine's."""
    running: dict[str, dict[str, float]] = {}
    for tries_left in range(retries, -1, -1):
        again: set[str] = set()
        for event in perform(jobs):
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
