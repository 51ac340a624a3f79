"""`vaebench run`: train what is missing of a study, write its tables and report."""

from argparse import Namespace

from rich.console import Console
from rich.markup import escape

from ablations.commands._notices import chosen_on_test, loaded
from ablations.commands._shared import checked, performed
from ablations.records.store import Store
from ablations.runner.plan import make_plan, no_grid
from ablations.runner.run import run as run_study
from ablations.study.study import Study
from ablations.text.numbers import clean

__all__ = ["run"]


def run(options: Namespace, console: Console) -> int:
    """Train what is missing of a study, write its tables and report."""
    checked(options)
    study = Study.load(options.study, smoke=options.smoke)
    if study.ranges:
        raise no_grid(study)
    planned = make_plan(study, Store(options.results / study.folder_name), refresh=options.refresh)
    done = len(planned.trials) - len(planned.missing)
    counts = f"{len(planned.trials)} trials, {done} done, {len(planned.missing)} to train"
    console.print(f"study [bold]{escape(clean(study.name))}[/]: {counts}")
    if planned.stale:
        console.print(f"[yellow]{len(planned.stale)} of them were made by older code[/]; --refresh trains them again")
    if study.stop and planned.missing:
        chosen_on_test(study, "[stop]", console)
    loaded((trial.spec.data for trial in planned.missing), console)
    return performed(study, options, console, len(planned.missing), run_study)
