"""What a report's tables hold: cells already in print, so that HTML and LaTeX show the same text."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from ablations.analysis.grid import Configuration, Grid
from ablations.text.columns import axis_label
from ablations.text.numbers import clean, shorten, value_text

__all__ = ["Cell", "Column", "TableView", "axis_cell", "axis_cells", "axis_columns", "is_numeric", "sortable"]

_MANY = 100  # rows
_CUT = 26  # characters of a cell in print, where nothing scrolls
_BETWEEN = 1.7  # letters that the space between two columns takes


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

    @property
    def large(self) -> bool:
        """Whether a browser takes so long to lay out all rows that the page draws them as they are looked at."""
        return len(self.rows) > _MANY

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


def axis_columns(grid: Grid, rows: Sequence[Configuration]) -> list[Column]:
    """Return the columns that tell configurations apart: the axes that vary, or else the model."""
    columns = [Column(axis, axis_label(axis), is_numeric(rows, axis)) for axis in grid.varying]
    return columns or [Column("model", "model", numeric=False)]


def axis_cells(grid: Grid, one: Configuration) -> list[Cell]:
    """Return a configuration's cells in the columns of `axis_columns`."""
    return [axis_cell(one, axis) for axis in grid.varying or ["model"]]


def axis_cell(one: Configuration, axis: str) -> Cell:
    """Return a configuration's value of an axis, sorted by value."""
    value = one.axes.get(axis, one.model if axis == "model" else None)
    return Cell(clean(value_text(value)), sortable(value))


def is_numeric(rows: Iterable[Configuration], axis: str) -> bool:
    """Tell whether all values of an axis are numbers."""
    values = [one.axes.get(axis) for one in rows]
    return all(value is None or (isinstance(value, (int, float)) and not isinstance(value, bool)) for value in values)


def sortable(value: object) -> str:
    """Return what sorting compares: a number with all digits, or text without case; "" sorts last."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return repr(float(value)) if math.isfinite(value) else ""
    return "" if value is None else clean(value_text(value)).casefold()
