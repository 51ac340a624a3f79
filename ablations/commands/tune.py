"""`vaebench tune`: search a study instead of training its grid."""

from argparse import Namespace

from rich.console import Console
from rich.markup import escape

from ablations.commands._notices import chosen_on_test
from ablations.commands._shared import checked, performed
from ablations.records.store import Store
from ablations.runner.plan import make_plan
from ablations.search.log import proposed_trials
from ablations.search.tune import check as check_search
from ablations.search.tune import tune as search
from ablations.study.study import Study
from ablations.study.tune import TuneSpec
from ablations.text.numbers import clean, count

__all__ = ["run"]


def run(options: Namespace, console: Console) -> int:
    """Search a study's axes, write the tables and the report of what was tried."""
    checked(options)
    study = Study.load(options.study, smoke=options.smoke)
    check_search(study)
    spec = study.tune or TuneSpec()
    store = Store(options.results / study.folder_name)
    planned = make_plan(study, store, proposed_trials(study, store))
    done = len(planned.trials) - len(planned.missing)
    most = f"at most {spec.most} configurations" if spec.most else "as many configurations as it has"
    seeds = len(study.axes["seed"])
    what = f"{spec.tuner} search for {' and '.join(spec.names)}, {most} with {count(seeds, 'seed')} each"
    console.print(f"study [bold]{escape(clean(study.name))}[/]: {escape(what)}; {count(done, 'trial')} done")
    chosen_on_test(study, "[tune]", console)
    return performed(study, options, console, (spec.most or 0) * seeds - done, search)
