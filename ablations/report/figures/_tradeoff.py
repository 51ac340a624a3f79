"""What one quantity costs in another: rate against distortion, error against time."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import matplotlib.patheffects as effects
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize
from matplotlib.lines import Line2D

from ablations.analysis.grid import Configuration, Grid
from ablations.report.drawn import Drawn
from ablations.report.style import GREY, INK, MARKERS, drawable, log_scale, models_of, new_figure, styled
from ablations.statistics.intervals import Spread, pareto_front
from ablations.text.columns import directed, quantity
from ablations.text.numbers import count

__all__ = ["FRONT", "NEEDED", "Floor", "measured_in", "tradeoff"]

NEEDED = 2
"""Configurations below which there is nothing to trade."""

FRONT = "Framed, on the line: the Pareto front, than which none is better in one of the two and no worse in the other."
_LOG_RATIO = 10.0
_OFFSETS = (
    ((6, 5), "left", "bottom"),
    ((6, -5), "left", "top"),
    ((-6, -5), "right", "top"),
    ((-6, 5), "right", "bottom"),
    ((0, 14), "center", "bottom"),
    ((0, -14), "center", "top"),
)


@dataclass(frozen=True)
class Floor:
    """A line at what something trivial reaches.

    Attributes:
        axis: `x` or `y`, whose quantity it is of.
        value: where it is.
        words: what reaches it.
    """

    axis: str
    value: float
    words: str


def measured_in(choices: Sequence[Configuration], *names: str) -> list[Configuration]:
    """Return the configurations that have all of the quantities."""
    return [one for one in choices if all(math.isfinite(one.mean(name)) for name in names)]


def tradeoff(
    grid: Grid,
    known: Sequence[Configuration],
    names: tuple[str, str],
    words: Drawn,
    *,
    floors: Sequence[Floor] = (),
    shade: str | None = None,
) -> Drawn:
    """Draw two quantities against one another, a point a configuration, with the front.

    Args:
        grid: names configurations and prints numbers.
        known: the configurations; all have both quantities.
        names: the quantities, across and up.
        words: the figure's key, title and caption.
        floors: lines to be drawn.
        shade: a quantity that all have, told by the points' colour.
    """
    across, up = names
    points = [(one.mean(across), one.mean(up)) for one in known]
    on_front = pareto_front(np.array(points), (directed(across) < 0, directed(up) < 0))
    line = [int(place) for place in sorted(np.flatnonzero(on_front), key=lambda place: points[place])]
    colours = models_of(grid)
    looks = {model: (colour, MARKERS[place % len(MARKERS)]) for place, (model, colour) in enumerate(colours.items())}
    models = list(dict.fromkeys(one.model for one in known))
    with styled():
        figure, (axes,) = new_figure(1, size=(6.6, 3.7))
        for model in models:
            for marked in (False, True):
                alike = [i for i, one in enumerate(known) if one.model == model and bool(on_front[i]) == marked]
                _points(axes, [known[i] for i in alike], names, looks[model], marked=marked)
        if shade:
            _shade(axes, known, names, shade)
        for floor in floors:
            draw = axes.axvline if floor.axis == "x" else axes.axhline
            draw(floor.value, color=INK, linewidth=1.0, linestyle=":", zorder=1)
        axes.plot([points[i][0] for i in line], [points[i][1] for i in line], color=GREY, linewidth=1.3, zorder=1)
        _scales(axes, points)
        axes.set_xlabel(quantity(across).heading)
        axes.set_ylabel(quantity(up).heading)
        axes.margins(0.1)
        without = {"model"} if len(models) > 1 else set()
        handles = [
            Line2D([], [], color=looks[model][0], marker=looks[model][1], linestyle="", label=drawable(model))
            for model in models
        ]
        handles += [Line2D([], [], color=GREY, marker="o", label="Pareto front", markeredgecolor=INK)]
        if floors:
            label = f"floor: {' and '.join(floor.words for floor in floors)}"
            handles += [Line2D([], [], color=INK, linewidth=1.0, linestyle=":", label=label)]
        figure.legend(handles=handles, loc="outside lower center", ncols=min(len(handles), 4))
        _name_front(axes, points, {i: drawable(grid.label(known[i], without, short=True), 40) for i in line})
    told = [
        f"{grid.label(known[i])} ({quantity(across).label} {grid.formats.with_unit(across, known[i].spread(across))}, "
        f"{quantity(up).label} {grid.formats.with_unit(up, known[i].spread(up))})"
        for i in line
    ]
    alt = f"{count(len(known), 'configuration')}; on the front: {'; '.join(told)}."
    for floor in floors:
        name = across if floor.axis == "x" else up
        alt += f" {floor.words.capitalize()}: {quantity(name).label} {grid.formats.with_unit(name, floor.value)}."
    return Drawn(words.key, words.title, words.caption, alt, figure)


def _shade(axes: Axes, known: Sequence[Configuration], names: tuple[str, str], shade: str) -> None:
    """Fill the points by a third quantity, the better the darker, with a bar that says how much."""
    values = [one.mean(shade) for one in known]
    scale = LogNorm() if min(values) > 0 and max(values) / min(values) > _LOG_RATIO else Normalize()
    across, up = ([one.mean(name) for one in known] for name in names)
    better = "cividis" if directed(shade) > 0 else "cividis_r"
    dots = axes.scatter(across, up, c=values, cmap=better, norm=scale, s=26, zorder=4, edgecolors="none")
    bar = axes.figure.colorbar(dots, ax=axes, pad=0.02, aspect=30)
    bar.set_label(quantity(shade).word)
    bar.outline.set_visible(False)


def _points(
    axes: Axes, choices: Sequence[Configuration], names: tuple[str, str], look: tuple[str, str], *, marked: bool
) -> None:
    """Draw means with their standard deviations; what is on the front is strong and framed, the rest pale.

    They are drawn at once, since the axes look through all there is with each call.
    """
    if not choices:
        return
    across, up = ([one.spread(name) for one in choices] for name in names)
    axes.errorbar(
        [found.mean for found in across],
        [found.mean for found in up],
        xerr=[_bar(found) for found in across],
        yerr=[_bar(found) for found in up],
        linestyle="",
        color=look[0],
        marker=look[1],
        elinewidth=0.8,
        alpha=0.95 if marked else 0.45,
        markeredgecolor=INK if marked else "white",
        markeredgewidth=0.9 if marked else 0.5,
        markersize=7 if marked else 5.5,
        zorder=3 if marked else 2,
    )


def _bar(of: Spread) -> float:
    """Return a standard deviation, at most what a logarithmic axis can show."""
    return 0.0 if math.isnan(of.sd) else min(of.sd, 0.9 * abs(of.mean))


def _scales(axes: Axes, points: Sequence[tuple[float, float]]) -> None:
    for values, axis in (([x for x, _ in points], axes.xaxis), ([y for _, y in points], axes.yaxis)):
        if min(values) > 0 and max(values) / min(values) > _LOG_RATIO:
            log_scale(axis)


def _name_front(axes: Axes, points: Sequence[tuple[float, float]], named: Mapping[int, str]) -> None:
    """Name points of the front where the name covers no other name or point and stays within the axes."""
    axes.figure.draw_without_rendering()  # type: ignore[union-attr]
    frame = axes.get_window_extent()
    spots = [(x - 7, y - 7, x + 7, y + 7) for x, y in axes.transData.transform(list(points))]
    taken: list[tuple[float, float, float, float]] = []
    for place, name in named.items():
        for offset, align, level in _OFFSETS:
            text = axes.annotate(
                name,
                points[place],
                xytext=offset,
                textcoords="offset points",
                ha=align,
                va=level,
                fontsize=7.5,
                color=INK,
                path_effects=[effects.withStroke(linewidth=2, foreground="white")],
            )
            box = text.get_window_extent()
            inside = frame.x0 <= box.x0 and box.x1 <= frame.x1 and frame.y0 <= box.y0 and box.y1 <= frame.y1
            free = all(box.x1 < x0 or x1 < box.x0 or box.y1 < y0 or y1 < box.y0 for x0, y0, x1, y1 in [*taken, *spots])
            if inside and free:
                taken.append((box.x0, box.y0, box.x1, box.y1))
                text.set_in_layout(False)
                break
            text.remove()
