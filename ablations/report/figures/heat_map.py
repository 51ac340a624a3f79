"""Two settings at once: the error as a table whose cells are coloured."""

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from ablations.analysis.grid import Configuration, Grid, best, ranked
from ablations.report.drawn import Drawn, LeftOut
from ablations.report.figures._base import Shown, figure
from ablations.report.figures._choice import few, left_out, named_levels
from ablations.report.style import INK, drawable, new_figure, styled
from ablations.text.columns import axis_label, directed, quantity
from ablations.text.numbers import clean, value_text

__all__ = ["heat_map"]

_LEVELS = 2
_MOST = 10  # values of an axis
_PANELS = 6
_MAPS = {1.0: colormaps["cividis_r"], -1.0: colormaps["cividis"]}  # the same to colour-blind eyes, and in print
_DARK = 0.55  # brightness from which letters are dark
_FIRST_ACROSS = "latent_dim"
_CELL = (0.62, 0.36)  # inches

Pair = tuple[str, str]


@figure("heat_map", order=30)
def heat_map(shown: Shown) -> Iterator[Drawn | LeftOut]:
    """Draw the main metric by two axes, a panel a model; of the other settings each cell takes the best."""
    pairs = _pairs(shown.grid, shown.dataset)
    if not pairs:
        title = f"{quantity(shown.grid.main).label} by two settings: {clean(shown.dataset)}"
        yield LeftOut(title, "fewer than two settings besides the model vary")
    for pair in pairs:
        yield _heat_map(shown, pair)


def _pairs(grid: Grid, dataset: str) -> list[Pair]:
    """Return the pairs of axes (across, up) that are drawn.

    They are the two with the most values besides the model, and the latent size with the learning rate, as in the
    paper's Figure 9, where both vary.
    """
    known = grid.within(dataset)
    numbers = {axis: len(named_levels(known, axis)) for axis in grid.varying if axis != "model"}
    axes = sorted((axis for axis, number in numbers.items() if number >= _LEVELS), key=lambda axis: -numbers[axis])
    pairs = [_ordered(*axes[:2])] if len(axes) >= _LEVELS else []
    if "learning_rate" in axes and _FIRST_ACROSS in axes:
        pairs.append((_FIRST_ACROSS, "learning_rate"))
    return list(dict.fromkeys(pairs))


def _heat_map(shown: Shown, pair: Pair) -> Drawn | LeftOut:
    grid, dataset, main = shown.grid, shown.dataset, quantity(shown.grid.main)
    across, up = pair
    title = f"{main.label} by {axis_label(across)} and {axis_label(up)}: {clean(dataset)}"
    known = [one for one in grid.within(dataset) if math.isfinite(one.mean(main.name))]
    columns, lines = (few(list(named_levels(known, axis)), _MOST) for axis in pair)
    models = _models(known, main.name)
    tables = {
        model: _table([one for one in known if one.model == model], pair, (columns, lines), main.name)
        for model in models
    }
    tables = {model: table for model, table in tables.items() if np.isfinite(table).any()}
    if not tables or min(len(columns), len(lines)) < _LEVELS:
        return left_out(shown, title, "no model was run at two or more values of both")
    every = np.concatenate([table[np.isfinite(table)] for table in tables.values()])
    norm = LogNorm(every.min(), every.max()) if every.min() > 0 else Normalize(every.min(), every.max())
    size = (max(_CELL[0] * len(columns) + 0.5, 2.2), _CELL[1] * len(lines) + 0.75)
    with styled():
        figure, panels = new_figure(len(tables), columns=max(int(9.5 / size[0]), 1), size=size, share=False)
        for axes, (model, table) in zip(panels, tables.items(), strict=True):
            _panel(axes, table, norm, grid)
            axes.set_title(drawable(model, 30))
            axes.set_xticks(range(len(columns)), [drawable(text, 8) for text in columns])
            axes.set_yticks(range(len(lines)), [drawable(text, 12) for text in lines])
            axes.set_xlabel(axis_label(across))
            axes.set_ylabel(axis_label(up))
    return Drawn(
        f"heat-{across}-{up}-{dataset}",
        title,
        f"Mean {main.label} over the seeds, {main.better} (lighter) is better, one scale of colours for all panels; of "
        f"the other settings each cell takes the one with the {main.best} mean. Framed: each model's {main.best}. "
        "Empty: not run or not finished.",
        _told(grid, tables, best((one for one in known if one.model in tables), main.name)),
        figure,
    )


def _ordered(one: str, other: str) -> Pair:
    return (other, one) if other == _FIRST_ACROSS else (one, other)


def _models(known: Sequence[Configuration], name: str) -> list[str]:
    """Return the models in the study's order; of too many the best ones."""
    names = list(dict.fromkeys(one.model for one in known))
    kept = list(dict.fromkeys(one.model for one in ranked(known, name)))[:_PANELS]
    return [name for name in names if name in kept]


def _table(
    choices: Sequence[Configuration], pair: Pair, levels: tuple[Sequence[str], Sequence[str]], name: str
) -> NDArray[np.float64]:
    """Return the best mean at each pair of values (lines, columns), NaN where there is none."""
    columns, lines = levels
    better = np.fmin if directed(name) > 0 else np.fmax
    table = np.full((len(lines), len(columns)), np.nan)
    for one in choices:
        column, line = (value_text(one.axes.get(axis)) for axis in pair)
        if column in columns and line in lines:
            at = lines.index(line), columns.index(column)
            table[at] = better(table[at], one.mean(name))
    return table


def _panel(axes: Axes, table: NDArray[np.float64], norm: Normalize, grid: Grid) -> None:
    sign = directed(grid.main)
    colours = _MAPS[sign]
    axes.grid(visible=False)
    axes.imshow(table, cmap=colours, norm=norm, aspect="auto", origin="lower")
    for line, column in np.argwhere(np.isfinite(table)):
        value = float(table[line, column])
        red, green, blue, _ = colours(float(norm(value)))
        bright = 0.299 * red + 0.587 * green + 0.114 * blue
        axes.text(
            column,
            line,
            grid.formats.number(grid.main, value),
            ha="center",
            va="center",
            fontsize=7.5,
            color=INK if bright > _DARK else "white",
        )
    line, column = np.unravel_index(np.nanargmin(sign * table), table.shape)
    frame = Rectangle((column - 0.47, line - 0.44), 0.94, 0.88, fill=False, edgecolor=INK, linewidth=1.8)
    axes.add_patch(frame)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.tick_params(length=0)


def _told(grid: Grid, tables: Mapping[str, NDArray[np.float64]], found: Configuration | None) -> str:
    main = quantity(grid.main)
    told = [
        f"{clean(model)} from {grid.formats.number(main.name, float(np.nanmin(table)))} "
        f"to {grid.formats.number(main.name, float(np.nanmax(table)))}"
        for model, table in tables.items()
    ]
    lines, columns = next(iter(tables.values())).shape
    text = f"{lines} by {columns} cells; {main.word} of {', of '.join(told)}"
    if found is not None:
        value = grid.formats.spread(main.name, found.spread(main.name))
        text += f"; the {main.best} is {value} ({grid.label(found)})"
    return f"{text}."
