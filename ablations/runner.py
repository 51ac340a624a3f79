"""A study, run: what is done is skipped, what fails is kept, and the tables are written whatever happened."""

import os
import platform
import subprocess
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ablations import pruning
from ablations.energy import metered
from ablations.executors import EXECUTORS, Event, Executor, Job, Resources
from ablations.lease import hold
from ablations.ledger import Run
from ablations.memory import available, budget
from ablations.records import INTERRUPTED, PRUNED, Record
from ablations.searchlog import proposed_trials
from ablations.store import Store, writing
from ablations.study import Study, Trial
from vae._frozen import canonical_json
from vae.datasets import load
from vae.environment import source_hash
from vae.errors import DataError, SpecError

if TYPE_CHECKING:
    import pandas as pd

TRANSIENT = ("crashed", "out_of_memory")  # what another try may not meet again

__all__ = [
    "TRANSIENT",
    "Outcome",
    "Plan",
    "Schedule",
    "collect",
    "crew_size",
    "make_plan",
    "no_grid",
    "records_of",
    "run",
]


@dataclass(frozen=True)
class Plan:
    """What a run of a study would do.

    Attributes:
        trials: all of the study.
        missing: those to train.
        stale: names of finished trials that were made by older code.
        skipped: a record for each row of the grid that a rule leaves out.
    """

    trials: Sequence[Trial]
    missing: Sequence[Trial]
    stale: frozenset[str]
    skipped: Sequence[Record] = ()


@dataclass(frozen=True)
class Outcome:
    """What a run of a study left.

    Attributes:
        store: the results folder.
        records: one a trial, in the study's order, then those skipped; trials that were not reached have none.
        trained: how many were trained now.
        table: one row a trial.
        summary: one row a configuration.
        plan: what was planned.
    """

    store: Store
    records: Sequence[Record]
    trained: int
    table: "pd.DataFrame"
    summary: "pd.DataFrame"
    plan: Plan

    @property
    def failed(self) -> list[Record]:
        """The trials that were tried to their end and are not done."""
        return [record for record in self.records if record.failed]


Schedule = Callable[[Plan, str | None], Iterator[Sequence[Job]]]
"""Of a plan and the code's commit: what to train, list by list, each to be performed before the next is asked for."""


def make_plan(
    study: Study, store: Store, *, refresh: bool = False, recorded: bool = False, searched: bool = False
) -> Plan:
    """Look what is done: a trial counts as done when its folder holds a finished record.

    Args:
        study: what is asked for.
        store: where results are.
        refresh: train stale trials again.
        recorded: do without data sets that are no longer there, for those who only read the results.
        searched: the trials are those that the study's search has proposed, not its grid.

    Raises:
        DataError: a data set is missing.
    """
    trials = _trials(study, store, recorded=recorded, searched=searched or bool(study.ranges))
    known = set(store.names())
    records = {trial.name: store.read(trial.name) for trial in trials if trial.name in known}
    settled = ("done", PRUNED) if study.stop else ("done",)
    done = {name: record for name, record in records.items() if record is not None and record.status in settled}
    stale = frozenset(name for name, record in done.items() if record.code.get("vae") != source_hash())
    again = stale if refresh else frozenset()
    missing = [trial for trial in trials if trial.name not in done or trial.name in again]
    return Plan(trials, missing, stale - again, tuple(study.skipped()))


def _trials(study: Study, store: Store, *, recorded: bool, searched: bool) -> list[Trial]:
    """Return the trials of a study's grid or search; for who reads the results, what there is of both."""
    if not recorded:
        return proposed_trials(study, store) if searched else list(study.trials())
    if searched:
        return _recorded(proposed_trials(study, store), store)
    trials = _recorded(list(study.trials()), store)
    proposed = _recorded(proposed_trials(study, store), store)
    if not proposed:
        return trials
    there = set(store.names())
    return list({trial.name: trial for trial in [*proposed, *(one for one in trials if one.name in there)]}.values())


def _recorded(trials: list[Trial], store: Store) -> list[Trial]:
    """Return trials under the names that they have in the store, where their data can't be asked."""
    try:
        for trial in trials:
            _ = trial.digest
    except DataError:
        records = [record for name in store.names() if (record := store.read(name)) is not None]
        records.sort(key=lambda record: record.finished)
        digests = {canonical_json(record.spec): record.digest for record in records}
        settings = [trial.spec.canonical() for trial in trials]
        trials = [
            replace(trial, recorded=digests.get(one, "none")) for trial, one in zip(trials, settings, strict=True)
        ]
    return trials


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
        retries: how often a trial is tried again, in this run, whose failure may be the machine's (`TRANSIENT`).
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
    searched = schedule is not None
    if study.ranges and not searched:
        raise no_grid(study)
    store = Store(Path(results) / study.folder_name)
    plan = make_plan(study, store, refresh=refresh, searched=searched)
    for spec in dict.fromkeys(trial.spec.data for trial in (study.trials() if searched else plan.missing)):
        load(spec)  # now, rather than in the night; workers find it decoded
    store.create()
    with writing(store.root), hold(store.lease):
        # Only now: another runner may have finished some of them since.
        plan = make_plan(study, store, refresh=refresh, searched=searched)
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
                for jobs in (schedule or partial(_grid, study, store))(plan, commit):
                    if on_jobs:
                        on_jobs(jobs)
                    for event in _perform(pool, jobs, store, retries):
                        if event.record is not None and event.record.status == "done":
                            done.add(event.trial)
                        if on_event:
                            on_event(event)
        finally:
            store.progress_file.unlink(missing_ok=True)
            plan = make_plan(study, store, searched=True) if searched else plan
            outcome = collect(store, plan, len(done))
            if done:
                store.ledger.run(Run(started, _now(), platform.node(), crew, each, len(done), meter.joules))
    return outcome


def no_grid(study: Study) -> SpecError:
    """Return the error of a study that can be searched alone."""
    axis = next(iter(study.ranges))
    return SpecError(
        f"{study.where}: axes.{axis} is a range, which has no grid of trials: search it with `vaebench tune "
        f"{study.source}`, or give a list of values"
    )


def _grid(study: Study, store: Store, plan: Plan, commit: str | None) -> Iterator[Sequence[Job]]:
    """Yield what is missing of a grid."""
    if study.stop:
        yield from pruning.waves(study, store, plan, commit)
    elif plan.missing:
        yield [Job(trial, store.root, commit) for trial in plan.missing]


def _reconcile(store: Store, plan: Plan) -> None:
    """Log the end of trials whose runner died between their commit and the log."""
    open_ends = {one.trial: one.status == INTERRUPTED for one in store.ledger.attempts()}
    missing = {trial.name for trial in plan.missing}
    for trial in plan.trials:
        if open_ends.get(trial.name) and trial.name not in missing:
            store.ledger.end(trial.name, "done", None)
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
                if event.record.status in TRANSIENT and tries_left:
                    again.add(event.trial)
            store.write_progress(running)
            yield event
        jobs = [job for job in jobs if job.name in again]
        if not jobs:
            return


def records_of(store: Store, plan: Plan, running: Collection[str] = ()) -> list[Record]:
    """Return the records of a study's trials, those of interrupted and skipped ones included.

    Args:
        store: where they are.
        plan: of the study.
        running: trials that somebody trains just now.
    """
    last = {attempt.trial: attempt for attempt in store.ledger.attempts()}
    records = []
    for trial in plan.trials:
        record, attempt = store.read(trial.name), last.get(trial.name)
        cut_short = attempt is not None and attempt.status == INTERRUPTED and trial.name not in running
        if attempt is not None and cut_short and (record is None or record.status not in ("done", PRUNED)):
            reason = "its last attempt was cut short; the next run goes on from there"
            record = Record(trial.name, trial.digest, dict(trial.axes), INTERRUPTED, reason, trial.spec.settings())
        if record is not None:
            records.append(record)
    return [*records, *plan.skipped]


def collect(store: Store, plan: Plan, trained: int = 0, running: Collection[str] = ()) -> Outcome:
    """Read the records of a study's trials and write the tables; `running` are trained by somebody just now."""
    from ablations import tables  # pandas, which a plan can do without

    records = records_of(store, plan, running)
    table = tables.table(records, plan.stale)
    summary = tables.summary(table, [axis for axis in _columns(plan) if axis != "seed"])
    if records:
        paths = {"table_csv": store.table_csv, "table_parquet": store.table_parquet, "summary_csv": store.summary_csv}
        tables.write(table, summary, paths)
    return Outcome(store, records, trained, table, summary, plan)


def crew_size(executor: str, workers: int | None, threads: int | None, memory: float) -> tuple[int, int]:
    """Return (workers, threads of each): by default a process of one thread a core, as many as memory holds.

    Args:
        executor: its name.
        workers: that are asked for; memory does not lower them.
        threads: that are asked for.
        memory: bytes of a worker.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if executor == "inline":
        return 1, threads or cores
    if executor == "ray":  # the cluster knows what it has room for
        return workers or 0, threads or 1
    fit = max(int(available() // memory), 1)
    crew = workers or min(max(cores // (threads or 1), 1), fit)
    return crew, threads or max(cores // crew, 1)


def git_commit() -> str | None:
    """Return the commit of the code, with a plus sign where files were changed since; None outside of git."""
    folder = Path(__file__).parents[1]
    if not (folder / ".git").exists():
        return None

    def git(*words: str) -> str:
        command = ["git", "-C", str(folder), *words]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=20).stdout.strip()  # noqa: S603

    try:
        changed = git("status", "--porcelain", "--untracked-files=no")
        return git("rev-parse", "HEAD") + ("+" if changed else "")
    except (OSError, subprocess.SubprocessError):
        return None


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _columns(plan: Plan) -> list[str]:
    return list(plan.trials[0].axes) if plan.trials else []
