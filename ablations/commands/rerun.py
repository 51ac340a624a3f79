"""`vaebench rerun`: a finished trial trained again, and compared."""

from argparse import Namespace
from pathlib import Path

import psutil
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ablations.analysis.surroundings import differences
from ablations.commands._shared import DONE, FAILED
from ablations.commands.evaluate import plugins_named
from ablations.records.record import Record
from ablations.records.status import Status
from ablations.records.store import Store
from ablations.runner.trial import repeat
from ablations.text.numbers import count
from vae.code import is_current
from vae.environment import describe
from vae.errors import SpecError

__all__ = ["run"]

MOST_THREADS_A_CORE = 32


def run(options: Namespace, console: Console) -> int:
    """Train a finished trial again, beside it, and say whether the numbers agree."""
    plugins_named(options, Store(options.folder.resolve().parent.parent))
    record = Store.of_trial(options.folder)
    if record is None or record.status != Status.DONE:
        raise SpecError(
            f"{options.folder} holds no finished trial. Expected a folder such as results/quick/trials/NAME"
        )
    threads = _repeatable(record, options.folder)
    console.print(f"training {escape(record.trial)} again with {threads} threads ...")
    again = repeat(record, threads)
    table = Table("metric", "recorded", "now", "")
    differ = 0
    for name, before in record.metrics.items():
        now = again.get(name)
        same = before == now
        differ += not same
        table.add_row(name, str(before), str(now), "equal" if same else "differs")
    console.print(table)
    if differ:
        console.print(f"{differ} of {len(record.metrics)} numbers differ. Recorded with {_made_by(record)}")
        console.print(_changed(record, threads), soft_wrap=True)
        return FAILED
    console.print(f"all {len(record.metrics)} numbers are equal to the last bit")
    return DONE


def _repeatable(record: Record, folder: Path) -> int:
    """Return with how many threads a trial can be trained again.

    Raises:
        SpecError: its record doesn't say what is needed, or asks for more than this machine can do.
    """
    needed = {
        "environment.threads": record.environment.get("threads"),
        "data.checksum": record.data.get("checksum"),
        "metrics": record.metrics,
    }
    if missing := [name for name, value in needed.items() if not value]:
        raise SpecError(f"{folder}: its record says nothing of {', '.join(missing)}, so there is nothing to compare")
    threads, cores = int(record.environment["threads"]), psutil.cpu_count() or 1
    if threads > cores * MOST_THREADS_A_CORE:
        raise SpecError(
            f"{folder}: it was trained with {threads:,} threads, and this machine has {count(cores, 'core')}: expected "
            f"{cores * MOST_THREADS_A_CORE:,} at most, for numbers are equal with equal threads alone. Take a machine "
            "like the one that the report names"
        )
    return threads


def _made_by(record: Record) -> str:
    packages = " ".join(f"{name} {version}" for name, version in record.environment.get("packages", {}).items())
    code = "" if is_current(record.code) else "; vae's code has changed since"
    return escape(f"{record.environment.get('processor')}, {packages}{code}")


def _changed(record: Record, threads: int) -> str:
    """Say what is not as it was when the trial was recorded."""
    found = list(differences(record.environment, describe(threads)))
    if not found:
        return "nothing else that is recorded is different now"
    return escape(f"different now: {'; '.join(f'{what} {then}, now {now}' for what, then, now in found)}")
