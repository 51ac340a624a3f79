"""The gate's findings on a terminal."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

__all__ = ["percent", "seconds", "show", "terminal"]

WIDE = 150  # of output that is no terminal: logs don't wrap

_COLOURS = {"regressed": "bold red", "broken": "bold red", "improved": "green", "inconclusive": "yellow"}


def terminal() -> Console:
    """Return the console to print to."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=WIDE)


def percent(ratio: float) -> str:
    """Return a ratio as a change, 1.1 as +10.0 %."""
    return f"{100 * (ratio - 1):+.1f} %"


def seconds(value: float) -> str:
    """Return a time with three digits in a fitting unit."""
    power = min(max(math.floor(math.log10(value) / 3), -3), 0)
    return f"{value / 1000.0**power:.3g} {('s', 'ms', 'µs', 'ns')[-power]}"


def show(
    console: Console,
    rows: Mapping[str, Mapping[str, Any]],
    counters: Sequence[tuple[str, int | None, int | None, str]],
) -> None:
    """Print the benchmarks, then the counters that differ."""
    table = Table("benchmark", "base", "head", "change", "99 % interval", "A/A", "verdict", box=None, pad_edge=False)
    for name in sorted(rows):
        table.add_row(*_cells(name, rows[name]))
    console.print(table)
    for name, before, now, verdict in counters:
        if verdict != "unchanged":
            console.print(f"{escape(name)}: {before} -> {now} {_coloured(verdict)}")
    same = sum(verdict == "unchanged" for *_, verdict in counters)
    if counters:
        console.print(f"counters: {same} of {len(counters)} the same")


def _cells(name: str, row: Mapping[str, Any]) -> tuple[str, ...]:
    verdict = str(row["verdict"])
    if "ratio" not in row:
        return (escape(name), "", "", "", "", "", f"{_coloured(verdict)}: {escape(str(row['reason']))}")
    said = _coloured(verdict)
    if verdict == "inconclusive":
        said += f": less than {100 * row['smallest']:.0f} % would not have been seen"
    if "confirmation" in row:
        said += f" (again {percent(row['confirmation']['ratio'])})"
    interval = f"{percent(row['low'])} to {percent(row['high'])}"
    times = (seconds(row["base"]), seconds(row["head"]))
    return (escape(name), *times, percent(row["ratio"]), interval, percent(row["control"]), said)


def _coloured(verdict: str) -> str:
    colour = _COLOURS.get(verdict)
    return f"[{colour}]{verdict}[/]" if colour else verdict
