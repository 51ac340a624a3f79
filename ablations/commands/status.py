"""`vaebench status`: how far a study is, and what failed."""

import shlex
import time
from argparse import Namespace
from collections import Counter

from rich.console import Console
from rich.markup import escape

from ablations.analysis.opened import opened
from ablations.commands._shared import DONE, FAILED, running_now
from ablations.records.lease import holder
from ablations.records.store import Store
from ablations.runner.plan import Plan, records_of
from ablations.search.log import recorded_plan
from ablations.text.numbers import clean, duration

__all__ = ["run"]


def run(options: Namespace, console: Console) -> int:
    """Say how far a study is and what failed."""
    store = Store(options.folder)
    study = opened(store)
    planned = recorded_plan(study, store)
    running = running_now(store)
    records = records_of(store, planned, running)
    counts = Counter[str](record.status for record in records)
    if waiting := len(planned.trials) + len(planned.skipped) - len(records):
        counts["missing"] = waiting
    console.print(f"study [bold]{escape(clean(study.name))}[/]: {len(planned.trials)} trials")
    for name, number in counts.most_common():
        console.print(f"  {number:6} {name}")
    if planned.stale:
        console.print(f"  {len(planned.stale):6} done, but by older code")
    attempts = store.ledger.attempts()
    tries = Counter(attempt.trial for attempt in attempts)
    for record in records:
        if record.failed:
            tried = f" (attempt {tries[record.trial]})" if record.trial in tries else ""
            line = f"[red]{record.status}[/] {escape(record.trial)}{tried}: {escape(str(record.reason))}"
            console.print(line, soft_wrap=True)
    _show_damage(store, planned, console)
    _show_running(store, planned, tries, console)
    others = len(set(store.names()) - {trial.name for trial in planned.trials})
    if others:
        console.print(f"{others} more in the folder are of earlier versions of the study")
    if planned.missing:
        console.print("next: vaebench run STUDY, which trains what is missing")
    else:
        console.print(f"next: vaebench report {escape(shlex.quote(str(options.folder)))}")
    return FAILED if any(record.failed for record in records) else DONE


def _show_damage(store: Store, planned: Plan, console: Console) -> None:
    """Say what can't be read besides the study's own trials, whose records say so themselves."""
    for name in sorted(set(store.names()) - {trial.name for trial in planned.trials}):
        if why := store.damage(name):
            console.print(f"[yellow]damaged[/] {escape(name)}: {escape(why)}; it is left out", soft_wrap=True)
    if wrong := store.ledger.damage():
        more = f" and {len(wrong) - 1} more" if len(wrong) > 1 else ""
        name = store.ledger.path.name
        console.print(f"[yellow]damaged[/] {name}: {escape(wrong[0])}{more}; passed over", soft_wrap=True)


def _show_running(store: Store, planned: Plan, tries: Counter[str], console: Console) -> None:
    """Say who runs the study and what each running trial is at."""
    who = holder(store.lease)
    if who is None:
        return
    console.print(f"running now ({escape(str(who))}):")
    epochs = {trial.name: trial.spec.train.epochs for trial in planned.trials}
    for name, at in store.read_progress().items():
        if name not in epochs:
            continue
        left = ""
        if at["epoch"]:
            seconds = (time.time() - at["began"]) / at["epoch"] * (epochs[name] - at["epoch"])
            left = f", about {duration(max(seconds, 0))} left"
        console.print(f"  {escape(name)}: epoch {at['epoch']:.0f} of {epochs[name]}, attempt {tries[name]}{left}")
