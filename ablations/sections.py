"""What a report's tables hold: cells already in print, so that HTML and LaTeX show the same text."""

import math
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from ablations.configurations import SEED, Configuration, Grid, measured
from ablations.formatting import ABSENT, clean, count, percent, shorten, value_text
from ablations.quantities import FLOOR, axis_label, order, quantity
from ablations.records import PRUNED, SKIPPED, Record

__all__ = [
    "Cell",
    "Column",
    "TableView",
    "axis_cells",
    "axis_columns",
    "failures",
    "skips",
    "sortable",
    "summary_tables",
    "trial_table",
]

_PRIORITY = (
    "mse",
    "against_floor",
    "ssim",
    "kl",
    "train_seconds",
    "sigma",
    "knn_accuracy",
    FLOOR,
    "parameters",
    "n",
    "failed",
)
_TRIAL_PRIORITY = ("status", "mse", "ssim", "kl", "train_seconds", "knn_accuracy", "sse")
_NOT_RANKED = {FLOOR, "sigma", "parameters", "flops_per_image"}
_CUT = 26  # characters of a cell in print, where nothing scrolls
_BETWEEN = 1.7  # letters that the space between two columns takes
_REASON = "reason"


@dataclass(frozen=True)
class Column:
    """A column's heading.

    Attributes:
        key: the column's name, for a reader of the source.
        label: in words, with the unit.
        numeric: set to the right, sorted as numbers.
        rank: which columns go first where the paper is narrow: 0 stays always.
    """

    key: str
    label: str
    numeric: bool = True
    rank: int = 0


@dataclass(frozen=True)
class Cell:
    """One printed value.

    Attributes:
        text: as it is shown.
        value: what sorting compares; "" sorts last.
        best: the column's best.
        status: of a trial, for its colour.
        link: to a part of the page, "#" first; "" for none.
    """

    text: str
    value: str = ""
    best: bool = False
    status: str = ""
    link: str = ""


@dataclass(frozen=True)
class TableView:
    """A table ready for a template.

    Attributes:
        name: an identifier.
        caption: what the rows are.
        columns: the headings.
        rows: as many cells as columns each.
        note: what the caption leaves to say.
        dropped: headings left out by `narrow`.
    """

    name: str
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""
    dropped: tuple[str, ...] = ()

    def narrow(self, letters: int, printable: Callable[[str], str]) -> "TableView":
        """Return the table with as many columns as fit a line of so many letters, the most important first.

        Args:
            letters: of the narrow type that tables are set in.
            printable: how a text is spelt where the type lacks letters; its length is what counts.
        """
        cut = [
            tuple(
                # A number that is cut would be another one.
                replace(cell, text=printable(cell.text) if column.numeric else shorten(printable(cell.text), _CUT))
                for column, cell in zip(self.columns, row, strict=True)
            )
            for row in self.rows
        ]
        labels = [shorten(printable(column.label), _CUT) for column in self.columns]
        texts = [[row[place].text for row in cut] for place in range(len(labels))]
        widths = [
            max([_heading_width(label), *map(len, column)]) + _BETWEEN
            for label, column in zip(labels, texts, strict=True)
        ]
        kept: list[int] = []
        for place in sorted(range(len(labels)), key=lambda index: (self.columns[index].rank, index)):
            if sum(widths[other] for other in kept) + widths[place] <= letters:
                kept.append(place)
        kept.sort()
        gone = tuple(self.columns[place].label for place in range(len(labels)) if place not in kept)
        columns = tuple(replace(self.columns[place], label=labels[place]) for place in kept)
        return replace(
            self, columns=columns, rows=tuple(tuple(row[place] for place in kept) for row in cut), dropped=gone
        )


def _heading_width(label: str) -> int:
    """Headings break between words, so that the longest word counts."""
    return max((len(word) for word in label.split()), default=1)


def summary_tables(grid: Grid) -> list[TableView]:
    """Return one table a data set: a row a configuration, means and standard deviations over the seeds."""
    return [_summary_table(grid, dataset, place) for place, dataset in enumerate(grid.datasets)]


def _summary_table(grid: Grid, dataset: str, place: int) -> TableView:
    rows = grid.within(dataset, done=False)
    present = {name for one in rows for trial in one.trials for name in measured(trial)}
    names = order(present)
    axes = list(grid.varying)
    columns = axis_columns(grid, rows)
    if "sigma" in names:
        after = axes.index("kl_weight") + 1 if "kl_weight" in axes else len(columns)
        columns.insert(after, _number_column("sigma"))
    for name in (name for name in names if name not in {"sigma", FLOOR}):
        columns.append(_number_column(name))
        if name == "mse" and FLOOR in names:
            columns += [_number_column(FLOOR), Column("against_floor", "MSE against PCA", rank=_rank("against_floor"))]
    columns += [Column("n", "seeds", rank=_rank("n")), Column("failed", "not done", rank=_rank("failed"))]
    winners = {name: _winners(rows, name) for name in names}
    fixed = grid.fixed(dataset)
    stale = sum(one.stale for one in rows)
    note = "Mean ± standard deviation over the seeds; the best value of a column is bold."
    note += f" The same in every row: {'; '.join(fixed)}." if fixed else ""
    note += (
        " Rows marked † hold trials made by older code; they enter a mean only where there are no others."
        if stale
        else ""
    )
    return TableView(
        f"summary-{place + 1}",
        f"{clean(dataset)}: one row a configuration",
        tuple(columns),
        tuple(tuple(_summary_cell(grid, one, column, winners) for column in columns) for one in rows),
        note,
    )


def axis_columns(grid: Grid, rows: Sequence[Configuration]) -> list[Column]:
    """Return the columns that tell configurations apart: the axes that vary, or else the model."""
    columns = [Column(axis, axis_label(axis), _is_numeric(rows, axis)) for axis in grid.varying]
    return columns or [Column("model", "model", numeric=False)]


def axis_cells(grid: Grid, one: Configuration) -> list[Cell]:
    """Return a configuration's cells in the columns of `axis_columns`."""
    return [_axis_cell(one, axis) for axis in grid.varying or ["model"]]


def _axis_cell(one: Configuration, axis: str) -> Cell:
    value = one.axes.get(axis, one.model if axis == "model" else None)
    return Cell(clean(value_text(value)), sortable(value))


def _summary_cell(grid: Grid, one: Configuration, column: Column, winners: Mapping[str, set[int]]) -> Cell:
    name = column.key
    if name == "n":
        return Cell(f"{len(one.trials)}{'†' if one.stale else ''}", str(len(one.trials)))
    if name == "failed":
        failed = any(record.status != PRUNED for record in one.others)
        return Cell(str(len(one.others)), str(len(one.others)), status="failed" if failed else "")
    if name == "against_floor":
        text = percent(one.mean("mse"), one.mean(FLOOR))
        share = one.mean("mse") / one.mean(FLOOR) if text else math.nan
        return Cell(text or ABSENT, sortable(share))
    if name in one.axes or name == "model":
        return _axis_cell(one, name)
    found = one.spread(name)
    return Cell(grid.formats.spread(name, found), sortable(found.mean), best=id(one) in winners.get(name, set()))


def _winners(rows: Sequence[Configuration], name: str) -> set[int]:
    better = quantity(name).better
    known = [(one.mean(name), id(one)) for one in rows if math.isfinite(one.mean(name))]
    if better == "neither" or name in _NOT_RANKED or len(known) < 2:  # noqa: PLR2004 - one value is no contest
        return set()
    top = (max if better == "higher" else min)(value for value, _ in known)
    return {place for value, place in known if value == top}


def trial_table(grid: Grid, records: Sequence[Record], stale: Collection[str]) -> TableView:
    """Return one row a trial, those that failed included with their reason."""
    names = order({name for record in records for name in measured(record)})
    axes = [axis for axis in dict.fromkeys(axis for record in records for axis in record.axes) if axis != SEED]
    axes = [axis for axis in axes if axis in grid.varying or (axis == "dataset" and len(grid.datasets) > 1)]
    columns = [Column(axis, axis_label(axis), _is_numeric(grid.configurations, axis)) for axis in axes]
    columns += [Column(SEED, "seed"), Column("status", "status", numeric=False, rank=1)]
    columns += [Column(_REASON, "reason", numeric=False, rank=98)] if any(record.reason for record in records) else []
    columns += [replace(_number_column(name), rank=_trial_rank(name)) for name in names]
    columns += [Column("trial", "trial", numeric=False, rank=99)]
    rows = tuple(tuple(_trial_cell(grid, record, column.key, stale) for column in columns) for record in records)
    return TableView("trials", "Every trial, one row each", tuple(columns), rows)


def _trial_cell(grid: Grid, record: Record, key: str, stale: Collection[str]) -> Cell:
    if key == "status":
        text = record.status + (", stale" if record.trial in stale else "")
        return Cell(text, text, status="stale" if record.trial in stale and record.status == "done" else record.status)
    if key in {_REASON, "trial"}:
        text = clean(getattr(record, key) or "")
        return Cell(text, text)
    if key in record.axes or key in {"dataset", SEED}:
        value = record.axes.get(key)
        return Cell(clean(value_text(value)), sortable(value))
    value = measured(record).get(key)
    return Cell(grid.formats.number(key, value), sortable(value))


def failures(records: Sequence[Record]) -> list[tuple[str, str]]:
    """Return what should be done and is not as (which trials, why), trials with the same reason together."""
    groups: dict[str, list[Record]] = {}
    for record in records:
        if record.status not in ("done", SKIPPED, PRUNED):
            reason = clean(record.reason or "no reason was recorded")
            groups.setdefault(f"{record.status}: {reason}", []).append(record)
    told = []
    for reason, group in groups.items():
        named = ", ".join(clean(record.trial) for record in group[:3])
        more = f" and {len(group) - 3} more" if len(group) > 3 else ""  # noqa: PLR2004 - three name the kind
        told.append((named + more, reason))
    return told


def skips(records: Sequence[Record]) -> list[str]:
    """Return what the study's rules left out or stopped, a sentence a rule."""
    counted = Counter(clean(record.reason or "") for record in records if record.status == SKIPPED)
    told = [f"{count(number, 'row')} of the grid skipped {reason}." for reason, number in counted.items()]
    # Which epoch it was is all that many reasons have in common; each trial's own is in the table.
    stopped = Counter(clean(record.reason or "").partition(":")[0] for record in records if record.status == PRUNED)
    for reason, number in stopped.items():
        told.append(f"{count(number, 'trial')} {reason}, behind their rivals; no mean includes them.")
    return told


def _number_column(name: str) -> Column:
    return Column(name, quantity(name).heading, rank=_rank(name))


def _rank(name: str) -> int:
    return 1 + _PRIORITY.index(name) if name in _PRIORITY else 50


def _trial_rank(name: str) -> int:
    return 1 + _TRIAL_PRIORITY.index(name) if name in _TRIAL_PRIORITY else 50


def _is_numeric(rows: Iterable[Configuration], axis: str) -> bool:
    values = [one.axes.get(axis) for one in rows]
    return all(value is None or (isinstance(value, (int, float)) and not isinstance(value, bool)) for value in values)


def sortable(value: object) -> str:
    """Return what sorting compares: a number with all digits, or text without case; "" sorts last."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return repr(float(value)) if math.isfinite(value) else ""
    return "" if value is None else clean(value_text(value)).casefold()
