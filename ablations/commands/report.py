"""`vaebench report`: tables and report again, from the records."""

from argparse import Namespace

from rich.console import Console

from ablations.commands._shared import finish, running_now, study_of
from ablations.records.files import writing
from ablations.records.lease import holder
from ablations.records.store import Store
from ablations.runner.collect import collect
from ablations.search.log import recorded_plan
from ablations.text.numbers import count

__all__ = ["run"]


def run(options: Namespace, console: Console) -> int:
    """Write tables and report again from the records."""
    study = study_of(options.folder)
    store = Store(options.folder)
    with writing(store.root):
        if holder(store.lease) is None:  # else what is half-written may be somebody's, on whatever machine
            store.sweep()
        outcome = collect(store, recorded_plan(study, store), running=running_now(store))
    code = finish(study, outcome, options, console)
    if outcome.missing:
        console.print(f"{len(outcome.missing):,} of {count(len(outcome.plan.trials), 'trial')} not run yet")
    return code
