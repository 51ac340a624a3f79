"""Figures of lines: training curves, and metrics against the latent size."""

import math
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import NullLocator

from ablations.analysis.grid import Configuration, Grid, best
from ablations.report.drawn import Drawn, LeftOut
from ablations.report.figures._choice import few, half_width
from ablations.report.loaders import Loaders
from ablations.report.style import GREY, MARKERS, log_scale, models_of, new_figure, palette, shown, styled
from ablations.text.columns import FLOOR, axis_label, quantity
from ablations.text.numbers import ABSENT, clean, value_text

__all__ = ["against_latent", "training_curves"]

_TERMS = {
    "loss": "weighted loss",
    "reconstruction": "squared error per image",
    "kl": "KL (nats)",
    "ssim": "SSIM term (1 − SSIM)",  # noqa: RUF001 - a minus sign
}
_BOOKKEEPING = {"epoch", "seconds"}
_LOG_RATIO = 20.0
_MOST_PANELS = 9
_FACETED = 2
_MOST_TICKS = 10
_MOST_WEIGHTS = 8  # lines that can be told apart; of more, the best of all makes one


def training_curves(grid: Grid, dataset: str, loaders: Loaders) -> Drawn | LeftOut:
    """Draw each term over the epochs, training and validation, for each model's best configuration."""
    title = f"Training curves: {clean(dataset)}"
    curves: dict[str, pd.DataFrame] = {}
    said: list[str] = []
    for model in grid.models(dataset):
        one = best(item for item in grid.within(dataset) if item.model == model)
        frames = [frame for record in (one.trials if one else ()) if len(frame := loaders.history(record))]
        if one is None or not frames:
            continue
        curves[model] = pd.concat(frames, ignore_index=True)
        said.append(grid.label(one))
    if not curves:
        return LeftOut(title, "no finished trial kept its history")
    names = dict.fromkeys(name for frame in curves.values() for name in frame.columns)
    terms = [name for name in names if _is_term(name, curves.values())]
    if not terms:
        return LeftOut(title, "no term of the loss was recorded")
    colours = models_of(grid)
    with styled():
        figure, panels = new_figure(len(terms), share=False, size=(3.1, 2.5))
        for axes, term in zip(panels, terms, strict=True):
            for model, frame in curves.items():
                _curve(axes, frame, term, colours[model])
            axes.set_title(shown(_TERMS.get(term, quantity(term).heading)))
            axes.set_xlabel("epoch")
            _log_where_wide(axes)
        handles = [Line2D([], [], color=colours[model], label=shown(model)) for model in curves]
        handles += [Line2D([], [], color=GREY, linestyle="-", label="training")]
        handles += [Line2D([], [], color=GREY, linestyle="--", label="validation")]
        figure.legend(handles=handles, loc="outside lower center", ncols=min(len(handles), 6))
    return Drawn(
        f"curves-{dataset}",
        title,
        "Unweighted mean of each term after each epoch; lines are means over the seeds, bands reach from the lowest "
        "seed to the highest. Training values are taken while the weights still move, so that they can lie above "
        f"the validation's. Each model's configuration with the lowest mean MSE: {'; '.join(said)}.",
        "; ".join(_last_values(model, frame, terms) for model, frame in curves.items()) + ".",
        figure,
    )


def _is_term(name: str, frames: Iterable[pd.DataFrame]) -> bool:
    if name in _BOOKKEEPING or name == "loss" or name.startswith("val_") or name.endswith("_weight"):
        return False
    return any(name in frame and frame[name].notna().any() for frame in frames)


def _curve(axes: Axes, frame: pd.DataFrame, term: str, colour: str) -> None:
    for name, style in ((term, "-"), (f"val_{term}", "--")):
        if name not in frame or not frame[name].notna().any():
            continue
        steps = frame.groupby("epoch")[name]
        epochs = np.asarray(sorted(frame["epoch"].unique()), dtype=float)
        marker = "o" if len(epochs) == 1 else None
        axes.plot(epochs, steps.mean().to_numpy(), color=colour, linestyle=style, marker=marker, linewidth=1.5)
        axes.fill_between(epochs, steps.min().to_numpy(), steps.max().to_numpy(), color=colour, alpha=0.15, linewidth=0)


def _log_where_wide(axes: Axes) -> None:
    values = np.concatenate([np.asarray(line.get_ydata(), dtype=float) for line in axes.lines] or [np.ones(1)])
    values = values[np.isfinite(values)]
    if len(values) and values.min() > 0 and values.max() / values.min() > _LOG_RATIO:
        log_scale(axes.yaxis)


def _last_values(model: str, frame: pd.DataFrame, terms: Sequence[str]) -> str:
    last = frame[frame["epoch"] == frame["epoch"].max()]
    parts = [
        f"{_TERMS.get(term, quantity(term).heading)} {last[name].mean():.4g}"
        for term in terms
        if (name := f"val_{term}" if f"val_{term}" in last else term) in last and last[name].notna().any()
    ]
    return f"{clean(model)} after {int(frame['epoch'].max())} epochs, validation: {', '.join(parts)}"


def against_latent(grid: Grid, dataset: str, name: str) -> Drawn | LeftOut:
    """Draw a metric against the latent size, a line a KL weight, a panel a model and its other settings."""
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
            if name == "mse":
                _floor_line(axes, known)
            axes.set_title(shown(head, 34))
            _latent_axis(axes, sizes)
            if place % 3 == 0:
                axes.set_ylabel(what.heading)
        handles = _weight_handles(weights, colours, markers, floor=name == "mse", many=many)
        figure.legend(handles=handles, loc="outside lower center", ncols=min(len(handles), 4))
    arrow = {"lower": "lower is better", "higher": "higher is better"}.get(what.better, "")
    colour = f"each point takes the best of {tried} KL weights" if many else "a colour a KL weight"
    note = " Of the other settings, each point takes the one with the best mean." if reduced else ""
    floor = " The dashed line is a linear PCA with as many components: the floor." if name == "mse" else ""
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
        half = half_width(values)
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
    return text + (f", PCA {grid.formats.number(FLOOR, floor)}" if name == "mse" and math.isfinite(floor) else "")
