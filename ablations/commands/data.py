"""`vaebench data`: data sets, and what was found where."""

from argparse import Namespace

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ablations.commands._shared import DONE
from vae.datasets import NOTICE, check, survey

__all__ = ["run"]


def run(options: Namespace, console: Console) -> int:
    """List the data sets, or verify the one that is named."""
    return _check(options, console) if options.action == "check" else _list(console)


def _list(console: Console) -> int:
    table = Table("data set", "found", "train", "test", "shape", "checksum", "licence", "where, or why not")
    for facts in survey():
        shape = " x ".join(map(str, facts.shape)) if facts.shape else "-"
        table.add_row(
            facts.name,
            "yes" if facts.found else "no",
            "-" if facts.train is None else f"{facts.train:,}",
            "-" if facts.test is None else f"{facts.test:,}",
            shape,
            (facts.checksum or "-")[:12],
            escape(facts.licence),
            escape(facts.where),
        )
    console.print(table)
    console.print("next: vaebench data check NAME verifies every file; $VAEBENCH_DATA names a folder to look in first")
    return DONE


def _check(options: Namespace, console: Console) -> int:
    lines = check(options.name, options.path)
    for line in lines:
        console.print(escape(line), soft_wrap=True)
    noticed = any(line.startswith(NOTICE) for line in lines)
    verdict = "can be read, but look at the notices above" if noticed else "is as it should be"
    console.print(f'{options.name} {verdict}. Next: name it in a study, dataset = ["{options.name}"]')
    return DONE
