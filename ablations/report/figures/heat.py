"""Two settings at once: the error as a table whose cells are coloured."""

import math
from collections.abc import Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from ablations.analysis.grid import Configuration, Grid, best, ranked
from ablations.report.drawn import Drawn, LeftOut
from ablations.report.figures._choice import few, levels_of
from ablations.report.style import INK, new_figure, shown, styled
from ablations.text.columns import axis_label, quantity
from ablations.text.numbers import clean, value_text

__all__ = ["heat_map", "heat_pairs"]

_METRIC = "mse"
_LEVELS = 2
_MOST = 10  # values of an axis
_PANELS = 6
_MAP = colormaps["cividis_r"]  # the same to colour-blind eyes, and in print
_DARK = 0.55  # brightness from which letters are dark
_FIRST_ACROSS = "latent_dim"
_CELL = (0.62, 0.36)  # inches

Pair = tuple[str, str]


def heat_pairs(grid: Grid, dataset: str) -> list[Pair]:
    """Return the pairs of axes (across, up) that are drawn.

    They are the two with the most values besides the model, and the latent size with the learning rate, as in the
    paper's Figure 9, where both vary.
    """
    known = grid.within(dataset)
    numbers = {axis: len(levels_of(known, axis)) for axis in grid.varying if axis != "model"}
    axes = sorted((axis for axis, number in numbers.items() if number >= _LEVELS), key=lambda axis: -numbers[axis])
    pairs = [_ordered(*axes[:2])] if len(axes) >= _LEVELS else []
    if "learning_rate" in axes and _FIRST_ACROSS in axes:
        pairs.append((_FIRST_ACROSS, "learning_rate"))
    return list(dict.fromkeys(pairs))


def heat_map(grid: Grid, dataset: str, pair: Pair | None) -> Drawn | LeftOut:
    """Draw the MSE by two axes, a panel a model; of the other settings each cell takes the best."""
    if pair is None:
        title = f"{quantity(_METRIC).label} by two settings: {clean(dataset)}"
        return LeftOut(title, "fewer than two settings besides the model vary")
    across, up = pair
    title = f"{quantity(_METRIC).label} by {axis_label(across)} and {axis_label(up)}: {clean(dataset)}"
    known = [one for one in grid.within(dataset) if math.isfinite(one.mean(_METRIC))]
    columns, lines = (few(list(levels_of(known, axis)), _MOST) for axis in pair)
    tables = {
        model: _table([one for one in known if one.model == model], pair, columns, lines) for model in _models(known)
    }
    tables = {model: table for model, table in tables.items() if np.isfinite(table).any()}
    if not tables or min(len(columns), len(lines)) < _LEVELS:
        return LeftOut(title, "no model was run at two or more values of both")
    every = np.concatenate([table[np.isfinite(table)] for table in tables.values()])
    norm = LogNorm(every.min(), every.max()) if every.min() > 0 else Normalize(every.min(), every.max())
    size = (max(_CELL[0] * len(columns) + 0.5, 2.2), _CELL[1] * len(lines) + 0.75)
    with styled():
        figure, panels = new_figure(len(tables), columns=max(int(9.5 / size[0]), 1), size=size, share=False)
        for axes, (model, table) in zip(panels, tables.items(), strict=True):
            _panel(axes, table, norm, grid)
            axes.set_title(shown(model, 30))
            axes.set_xticks(range(len(columns)), [shown(text, 8) for text in columns])
            axes.set_yticks(range(len(lines)), [shown(text, 12) for text in lines])
            axes.set_xlabel(axis_label(across))
            axes.set_ylabel(axis_label(up))
    found = best((one for one in known if one.model in tables), _METRIC)
    lowest = (
        ""
        if found is None
        else f"; the lowest is {grid.formats.spread(_METRIC, found.spread(_METRIC))} ({grid.label(found)})"
    )
    return Drawn(
        f"heat-{across}-{up}-{dataset}",
        title,
        f"Mean {quantity(_METRIC).label} over the seeds, lower (lighter) is better, one scale of colours for all "
        "panels; of the other settings each cell takes the one with the lowest mean. Framed: each model's lowest. "
        "Empty: not run or not finished.",
        f"{_told(grid, tables, columns, lines)}{lowest}.",
        figure,
    )


def _ordered(one: str, other: str) -> Pair:
    return (other, one) if other == _FIRST_ACROSS else (one, other)


def _models(known: Sequence[Configuration]) -> list[str]:
    """Return the models in the study's order; of too many those with the lowest error."""
    names = list(dict.fromkeys(one.model for one in known))
    kept = list(dict.fromkeys(one.model for one in ranked(known, _METRIC)))[:_PANELS]
    return [name for name in names if name in kept]


def _table(
    choices: Sequence[Configuration], pair: Pair, columns: Sequence[str], lines: Sequence[str]
) -> NDArray[np.float64]:
    """Return the lowest mean at each pair of values (lines, columns), NaN where there is none."""
    table = np.full((len(lines), len(columns)), np.nan)
    for one in choices:
        column, line = (value_text(one.axes.get(axis)) for axis in pair)
        if column in columns and line in lines:
            at = lines.index(line), columns.index(column)
            table[at] = np.fmin(table[at], one.mean(_METRIC))
    return table


def _panel(axes: Axes, table: NDArray[np.float64], norm: Normalize, grid: Grid) -> None:
    axes.grid(visible=False)
    axes.imshow(table, cmap=_MAP, norm=norm, aspect="auto", origin="lower")
    for line, column in np.argwhere(np.isfinite(table)):
        value = float(table[line, column])
        red, green, blue, _ = _MAP(float(norm(value)))
        bright = 0.299 * red + 0.587 * green + 0.114 * blue
        axes.text(
            column,
            line,
            grid.formats.number(_METRIC, value),
            ha="center",
            va="center",
            fontsize=7.5,
            color=INK if bright > _DARK else "white",
        )
    line, column = np.unravel_index(np.nanargmin(table), table.shape)
    frame = Rectangle((column - 0.47, line - 0.44), 0.94, 0.88, fill=False, edgecolor=INK, linewidth=1.8)
    axes.add_patch(frame)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.tick_params(length=0)


def _told(grid: Grid, tables: dict[str, NDArray[np.float64]], columns: Sequence[str], lines: Sequence[str]) -> str:
    told = [
        f"{clean(model)} from {grid.formats.number(_METRIC, float(np.nanmin(table)))} "
        f"to {grid.formats.number(_METRIC, float(np.nanmax(table)))}"
        for model, table in tables.items()
    ]
    return f"{len(lines)} by {len(columns)} cells; MSE of {', of '.join(told)}"
