"""The command `vaebench compare`: a comparison on the terminal, and as a file to keep."""

import math
import re
from argparse import Namespace
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

import pandas as pd
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ablations.compare import ALL, Change, Comparison, compare
from ablations.configurations import measured
from ablations.formatting import ABSENT, Formats, clean, count
from ablations.page import page
from ablations.quantities import MAIN, quantity
from ablations.sections import Cell, Column, TableView
from ablations.tables import csv_text, write_atomically
from vae.errors import SpecError, VaebenchError

__all__ = ["as_csv", "as_html", "as_markdown", "run", "views"]

_SAME, _WORSE = 0, 1
_MOST_ROWS = 60  # on a terminal
_STYLES = {"worse": "bold red", "failed": "bold red", "missing": "yellow", "better": "green", "mended": "green"}
_MINUS = "\N{MINUS SIGN}"
_MARKDOWN = re.compile(r"([\\`*_\[\]<>|&~$#!])")  # what acts within a line


def run(options: Namespace, console: Console) -> int:
    """Say what changed between folders of results; 1 where something is worse or failed."""
    write = _writer(options.output)
    found = compare(options.folders, tuple(options.metric or MAIN), options.tolerance)
    if write is not None:
        try:
            write_atomically(options.output, write(found).encode())
        except OSError as error:
            raise VaebenchError(f"{options.output} can't be written: {error.strerror or error}") from error
    for view in views(found):
        if view.rows:
            _show(view, console)
    console.print(escape(_sentence(found)), soft_wrap=True)
    if write is not None:
        console.print(f"  {escape(str(options.output))}", soft_wrap=True)
    console.print(f"next: {_advice(found)}", soft_wrap=True)
    return _WORSE if found.worsened else _SAME


def views(found: Comparison) -> list[TableView]:
    """Return the comparison as tables: of the metrics, and of the trials that are not done on both sides."""
    several = len(found.folders) > 2  # noqa: PLR2004 - only then must a row say which
    columns: dict[str, list[float]] = {name: [] for name in found.metrics}
    for record in found.records:
        for name, value in measured(record).items():
            if name in columns:
                columns[name].append(value)
    formats = Formats.fit(columns)
    folder = [Column("folder", "folder", numeric=False)] if several else []
    heads = [
        Column("configuration", "configuration", numeric=False),
        Column("metric", "metric", numeric=False),
        Column("pairs", "pairs", rank=4),
        Column("before", "before", rank=2),
        Column("after", "after", rank=2),
        Column("relative", "change (%)", rank=1),
        Column("interval", "95 % interval (%)", rank=3),
        Column("verdict", "verdict", numeric=False),
    ]
    rows = [
        ((Cell(clean(one.folder), clean(one.folder)),) if several else ()) + _cells(one, formats)
        for one in found.changes
    ]
    trials = [
        ((Cell(clean(one.folder), clean(one.folder)),) if several else ())
        + (Cell(one.trial, one.trial), Cell(one.kind, one.kind, status=one.kind), Cell(one.reason, one.reason))
        for one in found.trials
    ]
    others = [
        Column("trial", "trial", numeric=False),
        Column("kind", "what", numeric=False),
        Column("reason", "reason", numeric=False, rank=1),
    ]
    against = ", ".join(map(clean, found.folders[1:]))
    return [
        TableView(
            "changes",
            f"{against} against {clean(found.folders[0])}",
            (*folder, *heads),
            tuple(rows),
            _note(found.tolerance),
        ),
        TableView("trials", "Trials that are not done on both sides", (*folder, *others), tuple(trials)),
    ]


def as_csv(found: Comparison) -> str:
    """Return the comparison as CSV: a row a change, with all digits, then a row a trial that is not done on both sides.

    `relative`, `relative_low` and `relative_high` are shares, not percent.
    """
    rows: list[dict[str, object]] = [
        {
            "folder": one.folder,
            "configuration": one.configuration,
            "metric": one.metric,
            "pairs": one.pairs,
            "before": one.before,
            "after": one.after,
            "relative": one.relative,
            "relative_low": one.relative - one.half,
            "relative_high": one.relative + one.half,
            "verdict": one.verdict,
            "reason": None,
        }
        for one in found.changes
    ]
    rows += [
        {"folder": one.folder, "configuration": one.trial, "verdict": one.kind, "reason": one.reason or None}
        for one in found.trials
    ]
    frame = pd.DataFrame(rows)
    if "pairs" in frame:
        frame["pairs"] = frame["pairs"].astype("Int64")
    return csv_text(frame)


def as_markdown(found: Comparison) -> str:
    """Return the comparison as Markdown tables."""
    parts = [f"**{_literal(_sentence(found))}**"]
    for view in views(found):
        if not view.rows:
            continue
        lines = [
            _line(column.label for column in view.columns),
            "|" + "|".join(" ---: " if column.numeric else " --- " for column in view.columns) + "|",
            *(_line(cell.text for cell in row) for row in view.rows),
        ]
        parts += [_literal(view.caption) + ":", "\n".join(lines)]
        parts += [_literal(view.note)] if view.note else []
    return "\n\n".join(parts) + "\n"


def as_html(found: Comparison) -> str:
    """Return the comparison as a page of its own that asks nothing of anyone."""
    tables = [view for view in views(found) if view.rows]
    return page("compare.html.j2", {"sentence": _sentence(found), "tables": tables})


_WRITERS: dict[str, Callable[[Comparison], str]] = {".csv": as_csv, ".md": as_markdown, ".html": as_html}


def _writer(output: Path | None) -> Callable[[Comparison], str] | None:
    if output is None:
        return None
    writer = _WRITERS.get(output.suffix.lower())
    if writer is None:
        raise SpecError(f"--output {output}: expected a file that ends in {', '.join(_WRITERS)}")
    return writer


def _cells(one: Change, formats: Formats) -> tuple[Cell, ...]:
    what = quantity(one.metric)
    low, high = one.relative - one.half, one.relative + one.half
    interval = ABSENT if math.isnan(one.half) else f"{_percent(low)} to {_percent(high)}"
    return (
        Cell(one.configuration, "" if one.configuration == ALL else one.configuration, best=one.configuration == ALL),
        Cell(what.heading, what.heading),
        Cell(str(one.pairs), str(one.pairs)),
        *(Cell(formats.number(one.metric, side), _sortable(side)) for side in (one.before, one.after)),
        Cell(_percent(one.relative), _sortable(one.relative)),
        Cell(interval, _sortable(low)),
        Cell(one.verdict, one.verdict, status={"worse": "failed"}.get(one.verdict, "done")),
    )


def _percent(share: float) -> str:
    if math.isnan(share):
        return ABSENT
    if math.isinf(share):
        return "+∞" if share > 0 else f"{_MINUS}∞"
    text = f"{100 * share:+.2f}"
    return "0.00" if float(text) == 0 else text.replace("-", _MINUS)


def _sortable(value: float) -> str:
    return repr(value) if math.isfinite(value) else ""


def _note(tolerance: float) -> str:
    share = f"{100 * tolerance:g} %"
    return (
        "Change: mean of the differences by seed, in percent of the mean before, with Student's 95 % interval over the "
        f"seeds (over the configurations, each counted once, in rows of {ALL}). Better or worse: the change is larger "
        f"than the tolerance of {share} and the interval leaves out zero. Same: the whole interval is within the "
        "tolerance. Unresolved: neither, and always so for one pair whose numbers differ. Intervals are not corrected "
        "for the number of comparisons."
    )


def _sentence(found: Comparison) -> str:
    verdicts = Counter(one.verdict for one in found.changes)
    told = [
        f"{verdicts[name]:,} {name}" for name in ("worse", "better", "differs", "unresolved", "same") if verdicts[name]
    ]
    kinds = Counter(one.kind for one in found.trials)
    trials = [f"{count(kinds[name], 'trial')} {name}" for name in ("failed", "missing", "new", "mended") if kinds[name]]
    metrics = ", ".join(quantity(name).label for name in found.metrics)
    result = f"{count(len(found.changes), 'comparison')} of {metrics}: {', '.join(told) or 'none'}"
    return ". ".join([result, *([", ".join(trials)] if trials else [])]) + "."


def _advice(found: Comparison) -> str:
    if any(one.kind == "failed" for one in found.trials):
        return "see why trials failed: vaebench status DIR"
    if found.worsened:
        return "look at the reports of both folders; --metric and --tolerance set what counts"
    if any(one.kind == "missing" for one in found.trials):
        return "train what is missing: vaebench run STUDY"
    if any(one.pairs < 2 and one.verdict == "unresolved" for one in found.changes):  # noqa: PLR2004 - no interval
        return "give the study more seeds: one pair has no interval"
    return "nothing is worse"


def _show(view: TableView, console: Console) -> None:
    """Print a table; of a long one the rows that are the same come last and are cut."""
    rows = list(view.rows)
    if len(rows) > _MOST_ROWS:
        rows.sort(key=lambda row: row[-1].text == "same")
    table = Table(title=escape(view.caption), title_justify="left")
    for column in view.columns:
        table.add_column(escape(column.label), justify="right" if column.numeric else "left")
    for row in rows[:_MOST_ROWS]:
        table.add_row(*(_styled(cell.text) for cell in row))
    console.print(table)
    if len(rows) > _MOST_ROWS:
        console.print(f"... {len(rows) - _MOST_ROWS} more; --output FILE.html, .md or .csv writes all")


def _styled(text: str) -> str:
    style = _STYLES.get(text)
    return f"[{style}]{text}[/]" if style else escape(text)


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(map(_literal, cells)) + " |"


def _literal(text: str) -> str:
    """Return text that Markdown shows as it is."""
    return _MARKDOWN.sub(r"\\\1", clean(text))
