"""`vaebench report`: tables and report again, from the records."""

from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from ablations.analysis.opened import opened
from ablations.commands._shared import finish, render, running_now
from ablations.records.files import writing
from ablations.records.lease import holder
from ablations.records.store import Store
from ablations.runner.collect import Collected, collect
from ablations.search.log import recorded_plan
from ablations.study.closed import ClosedStudy
from ablations.study.study import Study
from ablations.text.numbers import count

if TYPE_CHECKING:
    from ablations.report.report import Rendered

__all__ = ["report", "run"]


def run(options: Namespace, console: Console) -> int:
    """Write tables and report again from the records."""
    store = Store(options.folder)
    study = opened(store)
    outcome = _collected(study, store)
    code = finish(study, outcome, options, console)
    if outcome.missing:
        console.print(f"{len(outcome.missing):,} of {count(len(outcome.plan.trials), 'trial')} not run yet")
    return code


def report(folder: str | Path, *, latex: bool = False) -> "Rendered":
    """Write the tables and the report of a folder of results again, and return where everything is.

    Args:
        folder: results/<study>.
        latex: write the LaTeX report too, and compile it where latexmk is installed.

    Raises:
        VaebenchError: the folder holds no results, or can't be written.
    """
    store = Store(Path(folder))
    study = opened(store)
    return render(study, _collected(study, store), latex=latex)


def _collected(study: Study | ClosedStudy, store: Store) -> Collected:
    with writing(store.root):
        if holder(store.lease) is None:  # else what is half-written may be somebody's, on whatever machine
            store.sweep()
        return collect(store, recorded_plan(study, store), running=running_now(store))
