"""A study, run: what is done is skipped, what fails is kept, and the tables are written whatever happened."""

import os
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from ablations import tables
from ablations.executors import EXECUTORS, Event, Job
from ablations.records import Record
from ablations.store import Store
from ablations.study import Study, Trial
from vae.environment import source_hash

__all__ = ["Outcome", "Plan", "make_plan", "run"]


@dataclass(frozen=True)
class Plan:
    """What a run of a study would do.

    Attributes:
        trials: all of the study.
        missing: those to train.
        stale: names of finished trials that were made by older code.
    """

    trials: Sequence[Trial]
    missing: Sequence[Trial]
    stale: frozenset[str]


@dataclass(frozen=True)
class Outcome:
    """What a run of a study left.

    Attributes:
        store: the results folder.
        records: one a trial, in the study's order; trials that were not reached have none.
        trained: how many were trained now.
        table: one row a trial.
        summary: one row a configuration.
        plan: what was planned.
    """

    store: Store
    records: Sequence[Record]
    trained: int
    table: pd.DataFrame
    summary: pd.DataFrame
    plan: Plan

    @property
    def failed(self) -> list[Record]:
        """The trials that are not done."""
        return [record for record in self.records if record.status != "done"]


def make_plan(study: Study, store: Store, *, refresh: bool = False) -> Plan:
    """Look what is done: a trial counts as done when its folder holds a finished record.

    Args:
        study: what is asked for.
        store: where results are.
        refresh: train stale trials again.
    """
    trials = list(study.trials())
    records = {trial.name: store.read(trial.name) for trial in trials}
    done = {name: record for name, record in records.items() if record is not None and record.status == "done"}
    stale = frozenset(name for name, record in done.items() if record.code.get("vae") != source_hash())
    again = stale if refresh else frozenset()
    missing = [trial for trial in trials if trial.name not in done or trial.name in again]
    return Plan(trials, missing, stale - again)


def run(  # noqa: PLR0913 - each is a setting of the command line
    study: Study,
    results: str | Path = "results",
    *,
    executor: str = "processes",
    workers: int | None = None,
    threads: int | None = None,
    refresh: bool = False,
    on_event: Callable[[Event], None] | None = None,
) -> Outcome:
    """Train what is missing of a study and write its tables.

    Args:
        study: what to run.
        results: the folder that holds a folder for each study.
        executor: an entry of `EXECUTORS`.
        workers: trials at a time; one a core, by default, with `processes`.
        threads: threads of each worker; the cores divided among the workers, by default.
        refresh: train trials again that older code made.
        on_event: called with everything that happens.

    Raises:
        SpecError: the executor is unknown.
        DataError: a data set is missing.
        VaebenchError: the results folder can't be written.
    """
    kind = EXECUTORS[executor]
    store = Store(Path(results) / study.folder_name)
    plan = make_plan(study, store, refresh=refresh)
    store.write_study(study.text)
    store.sweep()
    crew, each = crew_size(executor, workers, threads)
    commit = git_commit()
    jobs = [Job(trial, store.root, commit) for trial in plan.missing]
    trained = 0
    try:
        for event in kind(crew, each).run(jobs):
            trained += event.kind == "finished"
            if on_event:
                on_event(event)
    finally:
        outcome = collect(store, plan, trained)
    return outcome


def collect(store: Store, plan: Plan, trained: int = 0) -> Outcome:
    """Read the records of a study's trials and write the tables."""
    records = [record for trial in plan.trials if (record := store.read(trial.name)) is not None]
    table = tables.table(records, plan.stale)
    summary = tables.summary(table, [axis for axis in _columns(plan) if axis != "seed"])
    if records:
        paths = {"table_csv": store.table_csv, "table_parquet": store.table_parquet, "summary_csv": store.summary_csv}
        tables.write(table, summary, paths)
    return Outcome(store, records, trained, table, summary, plan)


def crew_size(executor: str, workers: int | None, threads: int | None) -> tuple[int, int]:
    """Return (workers, threads of each): by default a process of one thread for each core that may be used."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if executor == "inline":
        return 1, threads or cores
    crew = workers or max(cores // (threads or 1), 1)
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


def _columns(plan: Plan) -> list[str]:
    return list(plan.trials[0].axes)
