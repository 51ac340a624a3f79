"""The study's metrics against the latent size."""

import math
from collections.abc import Iterator, Sequence

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import NullLocator

from ablations.analysis.grid import Configuration, Grid, best
from ablations.report.drawn import Drawn, LeftOut
from ablations.report.figures._base import Shown, figure
from ablations.report.figures._choice import error_bar, few
from ablations.report.style import GREY, MARKERS, drawable, log_scale, new_figure, palette, styled
from ablations.text.columns import ERROR, FLOOR, axis_label, quantity
from ablations.text.numbers import ABSENT, clean, value_text

__all__ = ["against_latent"]

_MOST_PANELS = 9
_FACETED = 2
_MOST_TICKS = 10
_MOST_WEIGHTS = 8  # lines that can be told apart; of more, the best of all makes one


@figure("against_latent", order=10)
def against_latent(shown: Shown) -> Iterator[Drawn | LeftOut]:
    """Draw each metric against the latent size, a line a KL weight, a panel a model and its other settings."""
    for name in shown.grid.metrics:
        yield _against_latent(shown.grid, shown.dataset, name)


def _against_latent(grid: Grid, dataset: str, name: str) -> Drawn | LeftOut:
    what = quantity(name)
    title = f"{what.label} against latent size: {clean(dataset)}"
    known = [one for one in grid.within(dataset) if one.latent_dim is not None and math.isfinite(one.mean(name))]
    sizes = sorted({one.latent_dim for one in known if one.latent_dim is not None})
    if not known:
        return LeftOut(title, "no finished trial has this metric")
    if len(sizes) < _FACETED:
        return LeftOut(title, f"the study has one latent size only ({sizes[0]})")
    panels_of, reduced = _facets(grid, known)
    weights = list(dict.fromkeys(value_text(one.axes.get("kl_weight")) for one in known))
    weights.sort(key=lambda text: (text == ABSENT, float(text) if text != ABSENT else 0.0))
    tried, many = len(weights), len(weights) > _MOST_WEIGHTS
    if many:
        weights = [f"best of {tried}"]
    colours = palette([weight for weight in weights if weight != ABSENT]) | {ABSENT: GREY}
    markers = dict(zip(weights, MARKERS * (len(weights) // len(MARKERS) + 1), strict=False))
    with styled():
        figure, panels = new_figure(len(panels_of), size=(2.7, 2.5))
        for place, (axes, (head, choices)) in enumerate(zip(panels, panels_of.items(), strict=True)):
            for weight in weights:
                line = [one for one in choices if many or value_text(one.axes.get("kl_weight")) == weight]
                _metric_line(axes, line, name, (colours[weight], markers[weight]))
            if name == ERROR:
                _floor_line(axes, known)
            axes.set_title(drawable(head, 34))
            _latent_axis(axes, sizes)
            if place % 3 == 0:
                axes.set_ylabel(what.heading)
        handles = _weight_handles(weights, colours, markers, floor=name == ERROR, many=many)
        figure.legend(handles=handles, loc="outside lower center", ncols=min(len(handles), 4))
    arrow = {"lower": "lower is better", "higher": "higher is better"}.get(what.better, "")
    colour = f"each point takes the best of {tried} KL weights" if many else "a colour a KL weight"
    note = " Of the other settings, each point takes the one with the best mean." if reduced else ""
    floor = " The dashed line is a linear PCA with as many components: the floor." if name == ERROR else ""
    return Drawn(
        f"{name}-latent-{dataset}",
        title,
        f"{what.heading} on the test images{' (' + arrow + ')' if arrow else ''}; points are seeds, "
        f"lines go through their means, bars are 95 % t intervals over three or more seeds, {colour}."
        f"{floor}{note}",
        "; ".join(_best_at(grid, known, name, size) for size in sizes) + ".",
        figure,
    )


def _facets(grid: Grid, known: Sequence[Configuration]) -> tuple[dict[str, list[Configuration]], bool]:
    """Split by every other varying axis; by model alone where that gives too many panels."""
    without = {"latent_dim", "kl_weight"}
    fine: dict[str, list[Configuration]] = {}
    for one in known:
        fine.setdefault(grid.label(one, without), []).append(one)
    if len(fine) <= _MOST_PANELS:
        return fine, False
    coarse: dict[str, list[Configuration]] = {}
    for one in known:
        coarse.setdefault(one.model, []).append(one)
    return dict(list(coarse.items())[:_MOST_PANELS]), True


def _metric_line(axes: Axes, line: Sequence[Configuration], name: str, look: tuple[str, str]) -> None:
    colour, marker = look
    by_size: dict[int, list[Configuration]] = {}
    for one in line:
        if one.latent_dim is not None:
            by_size.setdefault(one.latent_dim, []).append(one)
    chosen = {size: found for size in sorted(by_size) if (found := best(by_size[size], name))}
    if not chosen:
        return
    axes.plot(list(chosen), [one.mean(name) for one in chosen.values()], color=colour, linewidth=1.6)
    for size, one in chosen.items():
        values = one.values(name)
        half = error_bar(values)
        if math.isfinite(half):
            axes.errorbar(size, one.mean(name), yerr=half, color=colour, elinewidth=1, capsize=2.5)
        axes.plot([size] * len(values), values, marker, color=colour, markersize=4.5, alpha=0.75, markeredgewidth=0)


def _floor_line(axes: Axes, known: Sequence[Configuration]) -> None:
    floors: dict[int, float] = {}
    for one in known:
        value = one.mean(FLOOR)
        if one.latent_dim is not None and math.isfinite(value):
            floors[one.latent_dim] = value
    sizes = sorted(floors)
    axes.plot(sizes, [floors[size] for size in sizes], color="#1d2026", linestyle=(0, (4, 2)), linewidth=1.1)


def _latent_axis(axes: Axes, sizes: Sequence[int]) -> None:
    if sizes[-1] / max(sizes[0], 1) >= 4:  # noqa: PLR2004 - two doublings
        log_scale(axes.xaxis)
    ticks = few(sizes, _MOST_TICKS)
    axes.set_xticks(ticks, [str(size) for size in ticks])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel(axis_label("latent_dim"))


def _weight_handles(
    weights: Sequence[str], colours: dict[str, str], markers: dict[str, str], *, floor: bool, many: bool
) -> list[Line2D]:
    handles = [
        Line2D(
            [],
            [],
            color=colours[weight],
            marker=markers[weight],
            label="no KL term" if weight == ABSENT else f"KL weight: {weight}" if many else f"KL weight {weight}",
        )
        for weight in weights
    ]
    if floor:
        handles.append(Line2D([], [], color="#1d2026", linestyle=(0, (4, 2)), linewidth=1.1, label="linear PCA"))
    return handles


def _best_at(grid: Grid, known: Sequence[Configuration], name: str, size: int) -> str:
    found = best((one for one in known if one.latent_dim == size), name)
    if found is None:
        return f"latent size {size}: not measured"
    value = grid.formats.spread(name, found.spread(name))
    text = f"latent size {size}: best {value} ({grid.label(found, {'latent_dim'})})"
    floor = found.mean(FLOOR)
    return text + (f", PCA {grid.formats.number(FLOOR, floor)}" if name == ERROR and math.isfinite(floor) else "")
