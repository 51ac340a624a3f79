"""`vaebench plan`: a study's trials with their size and estimated time."""

import shlex
from argparse import Namespace
from collections import Counter

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ablations.commands._notices import chosen_on_test, loaded
from ablations.commands._shared import DONE
from ablations.records.store import Store
from ablations.runner.crew import Crew
from ablations.runner.estimate import forecast, speed_of, total_seconds
from ablations.runner.halving import share_trained
from ablations.runner.plan import make_plan, no_grid
from ablations.study.study import Study
from ablations.text.numbers import duration

__all__ = ["run"]

MOST_ROWS = 60  # longer plans are cut in the middle


def run(options: Namespace, console: Console) -> int:
    """List a study's trials with their size and estimated time."""
    study = Study.load(options.study, smoke=options.smoke)
    if study.ranges:
        raise no_grid(study)
    store = Store(options.results / study.folder_name)
    planned = make_plan(study, store)
    records = [record for name in store.names() if (record := store.read(name))]
    speed = speed_of(records)
    missing = {trial.name for trial in planned.missing}
    data = loaded((trial.spec.data for trial in planned.trials), console)
    forecasts = {trial.name: forecast(trial, data[trial.spec.data], speed or 1.0) for trial in planned.trials}
    table = Table("trial", "state", "parameters", "FLOPs/image", "time")
    for index, trial in enumerate(planned.trials):
        if len(planned.trials) > MOST_ROWS and MOST_ROWS // 2 <= index < len(planned.trials) - MOST_ROWS // 2:
            if index == MOST_ROWS // 2:
                table.add_row(f"... {len(planned.trials) - MOST_ROWS} more ...")
            continue
        one = forecasts[trial.name]
        state = "to train" if trial.name in missing else "stale" if trial.name in planned.stale else "done"
        cost = f"{one.cost.parameters:,}", f"{one.cost.flops_per_image:,}"
        table.add_row(trial.name, state, *cost, duration(one.seconds))
    console.print(table)
    workers, threads = Crew(workers=options.workers, memory=options.memory).size(records)
    seconds = total_seconds([forecasts[name] for name in missing], workers)
    basis = "from this study's finished trials" if speed else "from the arithmetic alone, good to a factor of three"
    same = f", {study.duplicates} rows of the grid left out as equal to another" if study.duplicates else ""
    console.print(f"{len(planned.trials)} trials{same}; {len(missing)} to train")
    for reason, number in Counter(record.reason for record in planned.skipped).items():
        console.print(f"{number} rows of the grid skipped {escape(str(reason))}")
    console.print(f"about {duration(seconds)} on {workers} workers of {threads} threads ({basis})")
    if study.stop and planned.trials:
        share, rungs = share_trained(study.stop, planned.trials), ", ".join(map(str, study.stop.rungs))
        console.print(f"\\[stop]: rungs after epochs {rungs} leave about {share:.0%} of all epochs, and of that time")
        chosen_on_test(study, "[stop]", console)
    smoke = " --smoke" if options.smoke else ""
    console.print(f"next: vaebench run {escape(shlex.quote(str(options.study)))}{smoke}")
    return DONE
