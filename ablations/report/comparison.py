"""The command `vaebench compare`: a comparison on the terminal, and as a file to keep."""

import math
import re
from collections import Counter
from collections.abc import Iterable

import pandas as pd

from ablations.analysis.changes import ALL, Comparison, MetricChange
from ablations.records.files import csv_text
from ablations.records.record import measured
from ablations.report.page import page
from ablations.report.tables.view import Cell, Column, TableView
from ablations.text.columns import quantity
from ablations.text.numbers import ABSENT, Formats, clean, count

__all__ = ["as_csv", "as_html", "as_markdown", "sentence", "views"]

_MINUS = "\N{MINUS SIGN}"
_MARKDOWN = re.compile(r"([\\`*_\[\]<>|&~$#!])")  # what acts within a line
_AROUND = (
    Column("what", "what", numeric=False),
    Column("before", "before", numeric=False),
    Column("after", "after", numeric=False),
    Column("pairs", "pairs", rank=1),
)


def views(found: Comparison) -> list[TableView]:
    """Return the comparison as tables: metrics, trials that are not done on both sides, and what else is different."""
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
    around = [
        ((Cell(clean(one.folder), clean(one.folder)),) if several else ())
        + tuple(Cell(text, text) for text in (one.what, one.before, one.after, str(one.pairs)))
        for one in found.surroundings
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
        TableView("surroundings", "What is different beside the settings", (*folder, *_AROUND), tuple(around)),
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
    parts = [f"**{_literal(sentence(found))}**"]
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
    return page("compare.html.j2", {"sentence": sentence(found), "tables": tables})


def _cells(one: MetricChange, formats: Formats) -> tuple[Cell, ...]:
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


def sentence(found: Comparison) -> str:
    """Return the comparison in one sentence: how many metrics are better, worse or alike."""
    verdicts = Counter(one.verdict for one in found.changes)
    told = [
        f"{verdicts[name]:,} {name}" for name in ("worse", "better", "differs", "unresolved", "same") if verdicts[name]
    ]
    kinds = Counter(one.kind for one in found.trials)
    trials = [f"{count(kinds[name], 'trial')} {name}" for name in ("failed", "missing", "new", "mended") if kinds[name]]
    metrics = ", ".join(quantity(name).label for name in found.metrics)
    result = f"{count(len(found.changes), 'comparison')} of {metrics}: {', '.join(told) or 'none'}"
    return ". ".join([result, *([", ".join(trials)] if trials else [])]) + "."


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(map(_literal, cells)) + " |"


def _literal(text: str) -> str:
    """Return text that Markdown shows as it is."""
    return _MARKDOWN.sub(r"\\\1", clean(text))
