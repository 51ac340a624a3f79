"""What commands have in common: exit codes, the study in a folder of results, how a run ends."""

import os.path
import shlex
import time
from argparse import Namespace
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from ablations.records.lease import holder
from ablations.records.store import Store, writing
from ablations.runner.collect import Outcome
from ablations.runner.executors import EXECUTORS
from ablations.runner.job import Event, Job, Resources
from ablations.runner.watchers import Subject, open_watchers
from ablations.runner.watchers.terminal import Watch
from ablations.study.study import Study
from ablations.study.trial import Trial
from ablations.text.numbers import duration
from vae.errors import SpecError

__all__ = ["DONE", "FAILED", "check_executor", "finish", "performed", "running_now", "study_of"]

DONE, FAILED = 0, 1


def performed(
    study: Study, options: Namespace, console: Console, expected: int, perform: Callable[..., Outcome]
) -> int:
    """Train, telling how it goes to all who watch, write the report, and return the exit code."""
    began = time.monotonic()
    store = Store(options.results / study.folder_name)
    known: dict[str, Trial] = {}
    places = {"tensorboard": options.tensorboard, "mlflow": options.mlflow}
    with open_watchers(Subject(study, store, known), places) as others:
        with Watch(console, expected) as watch:

            def on_event(event: Event) -> None:
                watch(event)
                others.on_event(event)

            def on_jobs(jobs: Sequence[Job]) -> None:
                known.update({job.name: job.trial for job in jobs})
                watch.expect(jobs)

            outcome = perform(study, options.results, on_event=on_event, on_jobs=on_jobs, **_running_options(options))
        console.print(f"trained {outcome.trained} trials in {duration(time.monotonic() - began)}")
        code = finish(study, outcome, options, console)
        others.files = sorted(path for path in store.report.glob("*") if path.is_file())
        others.close()
    for kind, reason in others.lost.items():
        console.print(f"[yellow]--{kind} broke off[/], the study did not: {escape(reason)}", soft_wrap=True)
    return code


def check_executor(options: Namespace) -> None:
    """Refuse an executor that can't work here, before anything is read or written."""
    EXECUTORS[options.executor](1, 1, options.timeout, Resources(options.gpus_per_trial)).check()


def _running_options(options: Namespace) -> dict[str, Any]:
    """Return how trials are run, as the command line says."""
    names = ("executor", "workers", "threads", "memory", "timeout", "retries", "refresh", "address")
    return {name: getattr(options, name) for name in names} | {"gpus": options.gpus_per_trial}


def running_now(store: Store) -> frozenset[str]:
    """Return the trials that somebody trains just now."""
    return frozenset(store.read_progress()) if holder(store.lease) else frozenset()


def finish(study: Study, outcome: Outcome, options: Namespace, console: Console) -> int:
    """Render the report and say where everything is."""
    from ablations.report import report as reports  # Matplotlib and pandas, which the other commands can do without
    from ablations.search.found import read_search

    store = outcome.store
    source = reports.Source(
        name=study.name,
        title=study.title,
        question=study.question,
        spec_text=study.text,
        axes=study.axes,
        baseline=study.report.baseline,
        command=_command(study, searched=store.search.is_file()),
        records=outcome.records,
        history=store.history,
        arrays=store.arrays,
        stale=outcome.plan.stale,
        runs=store.ledger.runs(),
        search=read_search(study, store),
        metrics=study.report.metrics,
    )
    with writing(store.root):
        rendered = reports.render(
            source,
            store.report,
            latex=not options.no_pdf,
            embedding=study.report.embedding,
            path=study.report.interpolation,
        )
    for path in (store.table_csv, store.summary_csv, rendered.html, rendered.tex, rendered.pdf):
        if path is not None:
            console.print(f"  {escape(str(path))}", soft_wrap=True)
    if rendered.no_pdf:
        console.print(f"  no PDF: {escape(rendered.no_pdf)}")
    for record in outcome.failed:
        console.print(f"[red]{record.status}[/] {record.trial}: {escape(str(record.reason))}", soft_wrap=True)
    if outcome.failed:
        again = "the search went on without them" if source.search else "the same command tries them again"
        console.print(f"{len(outcome.failed)} of {len(outcome.plan.trials)} trials failed; {again}")
        return FAILED
    console.print(f"next: open {escape(str(rendered.html))}", soft_wrap=True)
    return DONE


def _command(study: Study, *, searched: bool) -> str:
    """Return the command that repeats the study: by its name where it is built in, else by its file."""
    words = ["vaebench", "tune" if searched else "run", study.source]
    return shlex.join([*words, "--smoke"] if study.smoke else words)


def study_of(folder: Path) -> Study:
    file = Store(folder).study_file
    if not os.path.isfile(file):  # noqa: PTH113 - Path.is_file raises where the name is too long
        raise SpecError(
            f"{folder} holds no results of a study (no {file.name}). Expected a folder such as results/quick"
        )
    return Study.load(file)
