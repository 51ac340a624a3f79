"""What a setting does: metrics against each axis of a study, everything else being equal."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from matplotlib.axes import Axes
from matplotlib.ticker import NullLocator

from ablations.analysis.grid import Configuration, Grid, best
from ablations.records.record import SEED, measured
from ablations.report.drawn import Drawn, LeftOut
from ablations.report.figures._base import Shown, figure
from ablations.report.figures._choice import error_bar, few, left_out, named_levels
from ablations.report.style import INK, MARKERS, End, drawable, label_ends, log_scale, new_figure, palette, styled
from ablations.statistics.intervals import spread
from ablations.text.columns import ERROR, FLOOR, axis_label, quantity
from ablations.text.numbers import clean, count, value_text

__all__ = ["against_axis"]

_MOST_AXES = 6
_MOST_LINES = 8
_MOST_TICKS = 8
_LOG_RATIO = 4.0
_UNEVEN = 12.0  # steps of the narrowest kind that an axis in proportion may have
_LEVELS = 2
_TOLD = 3  # lines up to which the alternative text has every metric; of more the first alone
_LONG = 6  # letters of a level's name that stands level

Values = Mapping[str, Sequence[float]]
"""Level -> a number a seed."""


@dataclass(frozen=True)
class _Line:
    """One line of every panel.

    Attributes:
        choices: its configurations.
        settled: the combinations of the other settings that were run at every level; none where each level takes its
            best configuration.
    """

    choices: tuple[Configuration, ...]
    settled: tuple[Mapping[str, Configuration], ...]

    def values(self, name: str, levels: Sequence[str], axis: str, *, paired: bool) -> Values:
        """Return a metric's values at each level, a number a seed."""
        if paired:
            return _balanced(self.settled, levels, name)
        chosen = {level: best(_at(self.choices, axis, level), _chooser(name)) for level in levels}
        return {level: one.values(name) for level, one in chosen.items() if one}


@figure("against_axis", order=20)
def against_axis(shown: Shown) -> Iterator[Drawn | LeftOut]:
    """Draw the study's metrics against each axis besides the latent size that has two values or more."""
    for axis in _varying_axes(shown.grid, shown.dataset):
        yield _against_axis(shown, axis)


def _varying_axes(grid: Grid, dataset: str) -> list[str]:
    """Return the axes, besides the latent size, that have two or more values among the finished trials."""
    known = grid.within(dataset)
    axes = [axis for axis in grid.varying if axis != "latent_dim" and len(named_levels(known, axis)) >= _LEVELS]
    return axes[:_MOST_AXES]


def _against_axis(shown: Shown, axis: str) -> Drawn | LeftOut:
    """Draw the main metrics against one axis, a panel a metric, a line a model (a latent size where models vary).

    The means are over all other settings that were run at every value of the axis, so that nothing else differs
    between two points of a line; where no such setting exists, each point takes the best configuration.
    """
    grid, dataset = shown.grid, shown.dataset
    title = f"Against {axis_label(axis)}: {clean(dataset)}"
    known = [one for one in grid.within(dataset) if math.isfinite(one.mean(grid.main))]
    levels = named_levels(known, axis)
    names = [name for name in grid.metrics if any(math.isfinite(one.mean(name)) for one in known)]
    if len(levels) < _LEVELS or not names:
        return left_out(shown, title, "fewer than two of its values have finished trials")
    lines = _lines(known, axis, list(levels))
    if not lines:
        return LeftOut(title, "no model was run at two or more of its values")
    paired = all(line.settled for line in lines.values())
    told: list[str] = []
    with styled():
        figure, panels = new_figure(len(names), size=(2.7, 2.7), share=False)
        places = _scale(panels, levels, axis)
        for axes, name in zip(panels, names, strict=True):
            axes.set_title(drawable(quantity(name).heading))
            series = {head: line.values(name, list(levels), axis, paired=paired) for head, line in lines.items()}
            ends = _panel(axes, series, places)
            if name == ERROR:
                floors = {head: line.values(FLOOR, list(levels), axis, paired=paired) for head, line in lines.items()}
                _floors(axes, floors, places)
            if axes is panels[-1]:
                label_ends(axes, ends)
            if name == names[0] or len(lines) <= _TOLD:
                told += [_told(grid, head, name, values) for head, values in series.items() if values]
    rest, floor = "over all combinations of the other settings that were run at every value, the same at each", ""
    if not paired:
        by_error = " (the floor's by MSE)" if ERROR in names else ""
        rest = (
            f"of the configuration that is best by the metric{by_error}, since for some line no set of the other "
            "settings was run at every value"
        )
    if ERROR in names:
        floor = " Dashed: the floor, a linear PCA with as many components."
    return Drawn(
        f"axis-{axis}-{dataset}",
        title,
        f"The main metrics against the {axis_label(axis)}{_left_out(known, lines)}; means {rest}. "
        f"Bars are 95 % t intervals over three or more seeds, points are the seeds.{floor}",
        "; ".join(told) + ".",
        figure,
    )


def _left_out(known: Sequence[Configuration], lines: Mapping[str, _Line]) -> str:
    drawn = {one.model for line in lines.values() for one in line.choices}
    without = [clean(model) for model in dict.fromkeys(one.model for one in known) if model not in drawn]
    return f" (without {', '.join(without)}, run at one value or none)" if without else ""


def _lines(known: Sequence[Configuration], axis: str, levels: Sequence[str]) -> dict[str, _Line]:
    """Split by model, or by latent size where the models are the axis."""
    split: dict[object, list[Configuration]] = {}
    for one in known:
        if value_text(one.axes.get(axis)) in levels:
            split.setdefault(one.latent_dim if axis == "model" else one.model, []).append(one)
    keys = list(split)
    if axis == "model":
        keys.sort(key=lambda size: size if isinstance(size, int) else 0)
    split = {key: own for key, own in split.items() if len(named_levels(own, axis)) >= _LEVELS}  # else there is no line
    keys = [key for key in keys if key in split]
    heads = {key: f"latent size {key}" if axis == "model" else str(key) for key in few(keys, _MOST_LINES)}
    return {
        head if len(keys) > 1 else "": _Line(tuple(split[key]), _settled(split[key], axis, levels))
        for key, head in heads.items()
    }


def _settled(
    choices: Sequence[Configuration], axis: str, levels: Sequence[str]
) -> tuple[Mapping[str, Configuration], ...]:
    groups: dict[tuple[tuple[str, str], ...], dict[str, Configuration]] = {}
    for one in choices:
        rest = tuple((name, text) for name, text in one.key if name != axis)
        groups.setdefault(rest, {})[value_text(one.axes.get(axis))] = one
    return tuple(group for group in groups.values() if all(level in group for level in levels))


def _balanced(groups: Sequence[Mapping[str, Configuration]], levels: Sequence[str], name: str) -> Values:
    """Return, a seed each, the mean over groups; only seeds that every group kept has at every level enter."""
    tables: list[dict[str, dict[str, float]]] = []  # a group each: seed -> level -> value
    for group in groups:
        by_seed: dict[str, dict[str, float]] = {}
        for level in levels:
            for trial in group[level].trials:
                value = measured(trial).get(name, math.nan)
                if math.isfinite(value):
                    by_seed.setdefault(value_text(trial.axes.get(SEED)), {})[level] = value
        tables.append({seed: row for seed, row in by_seed.items() if len(row) == len(levels)})
    if not any(tables):
        return {}
    seeds = max((frozenset(table) for table in tables), key=len)
    whole = [table for table in tables if seeds <= set(table)]
    return {level: [spread(table[seed][level] for table in whole).mean for seed in sorted(seeds)] for level in levels}


def _at(choices: Sequence[Configuration], axis: str, level: str) -> list[Configuration]:
    return [one for one in choices if value_text(one.axes.get(axis)) == level]


def _chooser(name: str) -> str:
    """Return the metric by which a level's configuration is chosen: the floor stands beside the lowest MSE."""
    return ERROR if name == FLOOR else name


def _scale(panels: Sequence[Axes], levels: Mapping[str, object], axis: str) -> dict[str, float]:
    """Set the axis of the levels and return their places: in proportion where that can be read, else evenly."""
    numbers = [float(value) for value in levels.values() if isinstance(value, (int, float))]
    numeric = len(numbers) == len(levels) and not any(isinstance(value, bool) for value in levels.values())
    wide = numeric and min(numbers) > 0 and max(numbers) / min(numbers) >= _LOG_RATIO
    gaps = [later - earlier for earlier, later in pairwise(numbers)] if numeric else []
    even = not wide and (not gaps or max(numbers) - min(numbers) > _UNEVEN * min(gaps))
    places = {level: float(place) if even else numbers[place] for place, level in enumerate(levels)}
    ticks = few(list(levels), _MOST_TICKS)
    names = [drawable(tick, 14) for tick in ticks]
    slanted = max(map(len, names)) > _LONG
    for axes in panels:
        if wide:
            log_scale(axes.xaxis)
        axes.set_xticks([places[tick] for tick in ticks], names)
        if slanted:
            axes.tick_params(axis="x", rotation=30)
            for label in axes.get_xticklabels():
                label.set(ha="right", rotation_mode="anchor")
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_xlabel(axis_label(axis))
        axes.margins(x=0.12)
    return places


def _panel(axes: Axes, series: Mapping[str, Values], places: Mapping[str, float]) -> list[End]:
    """Draw a line for each of the series; returns where those that have a name end."""
    ends: list[End] = []
    colours = palette(list(series))
    for (head, values), marker in zip(series.items(), MARKERS, strict=False):
        at = [level for level in places if values.get(level)]
        colour = colours[head]
        means = [spread(values[level]).mean for level in at]
        axes.plot([places[level] for level in at], means, color=colour, linewidth=1.5)
        for level, mean in zip(at, means, strict=True):
            x, seeds, half = places[level], values[level], error_bar(values[level])
            if math.isfinite(half):
                axes.errorbar(x, mean, yerr=half, color=colour, elinewidth=1.1, capsize=2.5)
            axes.plot([x] * len(seeds), seeds, marker, color=colour, markersize=4, alpha=0.75, markeredgewidth=0)
        if at and head:
            ends.append((places[at[-1]], means[-1], drawable(head, 18), colour))
    return ends


def _floors(axes: Axes, series: Mapping[str, Values], places: Mapping[str, float]) -> None:
    """Draw the floor of each line in its colour, and one that several lines share once, dark."""
    colours = palette(list(series))
    drawn: dict[tuple[float, ...], list[str]] = {}
    for head, floors in series.items():
        heights = tuple(spread(floors.get(level, ())).mean for level in places)
        if any(map(math.isfinite, heights)):
            drawn.setdefault(heights, []).append(head)
    for heights, heads in drawn.items():
        colour = colours[heads[0]] if len(heads) == 1 else INK
        axes.plot(list(places.values()), heights, color=colour, linestyle=(0, (4, 2)), linewidth=1.1, zorder=1)


def _told(grid: Grid, head: str, name: str, values: Values) -> str:
    of = f"{clean(head)}: " if head else ""
    parts = few([f"{clean(level)} {grid.formats.spread(name, spread(seeds))}" for level, seeds in values.items()], 4)
    rest = f" (of {count(len(values), 'value')})" if len(values) > len(parts) else ""
    return f"{of}{quantity(name).label} at {', '.join(parts)}{rest}"
