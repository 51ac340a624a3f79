"""What commands have in common: exit codes, the study in a folder of results, how a run ends."""

import shlex
import time
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from rich.console import Console
from rich.markup import escape

from ablations.analysis.surroundings import mixed
from ablations.records.files import writing
from ablations.records.lease import holder
from ablations.records.store import Store
from ablations.runner.collect import Collected
from ablations.runner.crew import Crew
from ablations.runner.watchers import WATCHERS, Bars, Subject, Watcher, Watchers
from ablations.study.closed import ClosedStudy
from ablations.study.study import Study
from ablations.text.numbers import duration

if TYPE_CHECKING:
    from ablations.report.report import Rendered

__all__ = ["DONE", "FAILED", "Train", "checked", "crew_of", "finish", "performed", "render", "running_now"]

DONE, FAILED = 0, 1
MIXED = "the trials are of several backends, whose numbers should not share a mean"

MOST_NAMED = 3  # trials that a message names


class Train(Protocol):
    """What trains a study: `run`, or `tune`."""

    def __call__(self, study: Study, results: Path, *, crew: Crew, refresh: bool, watch: Watcher) -> Collected:
        """Train what is missing."""


def performed(study: Study, options: Namespace, console: Console, expected: int, train: Train) -> int:
    """Train, telling how it goes to all who watch, write the report, and return the exit code."""
    began = time.monotonic()
    store = Store(options.results / study.folder_name)

    def say(kind: str, reason: str) -> None:
        console.print(f"[yellow]the watcher {kind} broke off[/], the study did not: {escape(reason)}", soft_wrap=True)

    with Watchers.open(Subject(study, store), dict(options.watch), say) as watchers:
        bars = watchers.members["terminal"] = Bars(console, expected, study.report.metrics[0])
        crew = crew_of(options)
        outcome = train(study, options.results, crew=crew, refresh=options.refresh, watch=watchers)
        bars.close()  # before anything else is printed
        console.print(f"trained {outcome.trained} trials in {duration(time.monotonic() - began)}")
        code = finish(study, outcome, options, console)
        watchers.close(sorted(path for path in store.report.glob("[!.]*") if path.is_file()))
    if outcome.missing:
        lost, named = len(outcome.missing), escape(", ".join(trial.name for trial in outcome.missing[:MOST_NAMED]))
        more = f" and {lost - MOST_NAMED} more" if lost > MOST_NAMED else ""
        console.print(
            f"[red]{lost} of {len(outcome.plan.trials)} trials left no result[/] ({named}{more}): their folders were "
            "removed or moved while the study ran. The same command trains them",
            soft_wrap=True,
        )
        code = FAILED
    return code


def checked(options: Namespace) -> None:
    """Refuse an executor that can't work here and a watcher that nobody knows, before anything is read or written."""
    crew_of(options).check()
    for kind, _ in options.watch:
        _ = WATCHERS[kind]


def crew_of(options: Namespace) -> Crew:
    """Return who is to perform the trials, as the command line says."""
    names = ("executor", "workers", "threads", "memory", "timeout", "address", "retries")
    return Crew(**{name: getattr(options, name) for name in names}, gpus=options.gpus_per_trial)


def running_now(store: Store) -> frozenset[str]:
    """Return the trials that somebody trains just now."""
    return frozenset(store.read_progress()) if holder(store.lease) else frozenset()


def finish(study: Study | ClosedStudy, outcome: Collected, options: Namespace, console: Console) -> int:
    """Render the report and say where everything is."""
    store = outcome.store
    rendered = render(study, outcome, latex=not options.no_pdf)
    for path in (store.table_csv, store.summary_csv, rendered.html, rendered.tex, rendered.pdf):
        if path is not None:
            console.print(f"  {escape(str(path))}", soft_wrap=True)
    if rendered.no_pdf:
        console.print(f"  no PDF: {escape(rendered.no_pdf)}")
    if several := mixed(outcome.records):
        console.print(f"[yellow]{MIXED}[/] ({escape(several)}); --results keeps them apart", soft_wrap=True)
    for notice in rendered.damaged:
        console.print(f"[yellow]notice:[/] {escape(notice)}", soft_wrap=True)
    for record in outcome.records:
        if why := record.notes.get("not_measured"):
            console.print(f"[yellow]not measured[/] {escape(record.trial)}: {escape(str(why))}", soft_wrap=True)
    for record in outcome.failed:
        console.print(f"[red]{record.status}[/] {escape(record.trial)}: {escape(str(record.reason))}", soft_wrap=True)
    if outcome.failed:
        searched = store.search.is_file()
        again = "the search went on without them" if searched else "the same command tries them again"
        console.print(f"{len(outcome.failed)} of {len(outcome.plan.trials)} trials failed; {again}")
        return FAILED
    console.print(f"next: open {escape(str(rendered.html))}", soft_wrap=True)
    return DONE


def render(study: Study | ClosedStudy, outcome: Collected, *, latex: bool) -> "Rendered":
    """Write the report of what a study left."""
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
        missing=len(outcome.missing),
        runs=store.ledger.runs(),
        search=read_search(study, store),
        metrics=study.report.metrics,
    )
    with writing(store.root):
        return reports.render(
            source, store.report, latex=latex, embedding=study.report.embedding, path=study.report.interpolation
        )


def _command(study: Study | ClosedStudy, *, searched: bool) -> str:
    """Return the command that repeats the study: by its name where it is built in, else by its file."""
    words = ["vaebench", "tune" if searched else "run", study.source]
    return shlex.join([*words, "--smoke"] if study.smoke else words)
