"""Where nats and errors lie: KL by latent dimension, squared error by class."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from ablations.analysis.grid import Configuration, Grid
from ablations.report.drawn import Drawn, LeftOut
from ablations.report.figures._choice import best_by_latent, best_by_model, half_width, of_models
from ablations.report.loaders import Loaders, class_name
from ablations.report.style import MARKERS, PALETTE, models_of, new_figure, shown, styled
from ablations.statistics.intervals import spread
from ablations.text.numbers import clean, count
from vae.metrics.latent import ACTIVE_VARIANCE

__all__ = ["error_by_class", "kl_by_dimension"]

_PANELS = 6
_THRESHOLD = 0.01  # nats: below, a dimension tells the decoder next to nothing
_LOWEST = 1e-3  # nats, where the axis begins
_MODELS = 4
_CLASSES = 24  # that are listed; of more the worst and the best halves
_SINGLE_BARS = 64  # dimensions up to which bars stand apart


def kl_by_dimension(grid: Grid, dataset: str, loaders: Loaders) -> Drawn | LeftOut:
    """Draw the KL of each latent dimension, sorted, a panel a configuration."""
    title = f"KL by latent dimension: {clean(dataset)}"
    chosen = _selected(grid, dataset)
    if not chosen:
        return LeftOut(title, "no model with a latent distribution (a KL term) finished")
    kept = [(one, arrays) for one in chosen if "kl_per_dimension" in (arrays := loaders.arrays(one.representative()))]
    if not kept:
        return LeftOut(title, "no finished trial kept the KL of its dimensions")
    said: list[str] = []
    with styled():
        columns = 2 if len(kept) == 4 else 3  # noqa: PLR2004 - no panel alone in its line
        figure, panels = new_figure(len(kept), columns=columns, size=(2.8, 2.2), share=False)
        for axes, (one, arrays) in zip(panels, kept, strict=True):
            rates, active = _sorted_rates(arrays)
            _bars(axes, rates, active)
            axes.set_title(shown(grid.label(one, {"model"}, short=True), 34))
            axes.set_xlabel(f"{count(len(rates), 'dimension')}, sorted")
            axes.set_ylabel("KL (nats)")
            above = int((rates > _THRESHOLD).sum())
            said.append(
                f"{grid.label(one)}: {above} of {count(len(rates), 'dimension')} above {_THRESHOLD} nats, largest "
                f"{grid.formats.number('kl', float(rates[0]))}, active units "
                f"{grid.formats.spread('active_units', one.spread('active_units'))}"
            )
        top = 2 * max(float(arrays["kl_per_dimension"].max()) for _, arrays in kept)
        for axes in panels:
            axes.set_ylim(_LOWEST, max(top, 2 * _THRESHOLD))
    listed = "; ".join(said)
    return Drawn(
        f"kl-dimensions-{dataset}",
        title,
        f"KL of each dimension, mean over the test images, largest first, on a logarithmic scale from {_LOWEST:g} "
        f"nats; the line marks {_THRESHOLD} nats. Pale: dimensions that the metric active_units leaves out, whose "
        f"z_mean has a variance of {ACTIVE_VARIANCE} or less over the test images. Model "
        f"{clean(kept[0][0].model)}: at each latent size its configuration with the lowest mean MSE, and of the rest "
        "the one with the smallest share of active units, if smaller than all of these; seed with the median MSE.",
        f"{listed}.",
        figure,
    )


def _selected(grid: Grid, dataset: str) -> list[Configuration]:
    """Return the best at each latent size, and the configuration of the same model that left most dimensions unused."""
    chosen = best_by_latent(grid, dataset, most=_PANELS - 1)
    if not chosen:
        return []

    def share(one: Configuration) -> float:
        return one.mean("active_units") / (one.latent_dim or 1)

    rest = [one for one in grid.within(dataset) if one.model == chosen[0].model and one.is_vae and one not in chosen]
    lowest = min(rest, key=share, default=None)
    if lowest is not None and share(lowest) < min(map(share, chosen)):
        return [*chosen, lowest]
    return chosen


def _sorted_rates(arrays: Mapping[str, NDArray[Any]]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    rates = np.asarray(arrays["kl_per_dimension"], dtype=np.float64)
    order = np.argsort(-rates, kind="stable")
    z_mean = arrays.get("z_mean")
    active = rates > _THRESHOLD if z_mean is None else z_mean.var(axis=0) > ACTIVE_VARIANCE
    return rates[order], active[order]


def _bars(axes: Axes, rates: NDArray[np.float64], active: NDArray[np.bool_]) -> None:
    places = np.arange(1, len(rates) + 1)
    width = 0.8 if len(rates) <= _SINGLE_BARS else 1.0
    for own, colour in ((active, PALETTE[0]), (~active, "#b9c3cf")):
        axes.bar(places[own], np.maximum(rates[own], _LOWEST), width=width, color=colour, linewidth=0)
    axes.set_yscale("log")
    axes.set_yticks([10.0**power for power in range(-3, 3)], ["0.001", "0.01", "0.1", "1", "10", "100"])
    axes.minorticks_off()
    axes.grid(visible=False, axis="x")
    axes.set_axisbelow(True)
    axes.axhline(_THRESHOLD, color=PALETTE[1], linewidth=1.1, linestyle=(0, (4, 2)))
    axes.set_xlim(0.4, len(rates) + 0.6)
    if len(rates) <= 12:  # noqa: PLR2004 - that fit as numbers
        axes.set_xticks(places)


def error_by_class(grid: Grid, dataset: str, loaders: Loaders) -> Drawn | LeftOut:
    """Draw the mean squared error of each class, classes sorted by it, a colour a model."""
    title = f"Error by class: {clean(dataset)}"
    chosen = best_by_model(grid, dataset, most=_MODELS)
    errors = {one.model: found for one in chosen if (found := _by_class(one, loaders))}
    if not errors:
        return LeftOut(title, "no finished trial kept the labels of its test images (the data may have none)")
    whole = sorted(next(iter(errors.values())), key=lambda label: _mean(errors, label))
    labels = whole if len(whole) <= _CLASSES else whole[: _CLASSES // 2] + whole[-_CLASSES // 2 :]
    record = chosen[0].representative()
    names = [shown(class_name(record, label), 18) for label in labels]
    colours = models_of(grid)
    with styled():
        figure, (axes,) = new_figure(1, size=(6.2, 0.24 * len(labels) + 1.1))
        for place, (model, found) in enumerate(errors.items()):
            shift = 0.16 * (place - (len(errors) - 1) / 2)
            for line, label in enumerate(labels):
                if label in found:
                    _point(axes, found[label], line + shift, (colours[model], MARKERS[place]))
        axes.set_yticks(range(len(labels)), names)
        axes.set_xlabel("squared error per image, mean of the class")
        axes.grid(visible=False, axis="x")
        axes.set_ylim(-0.6, len(labels) - 0.1)
        axes.set_xlim(left=0)
        if len(errors) > 1:
            looks = enumerate(errors)
            handles = [
                Line2D([], [], color=colours[model], marker=MARKERS[place], linestyle="", label=shown(model))
                for place, model in looks
            ]
            figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    cut = f" Of {len(whole)} classes, the {_CLASSES // 2} best and worst." if len(labels) < len(whole) else ""
    return Drawn(
        f"classes-{dataset}",
        title,
        "Mean squared error per image (summed over its pixels in [0, 1]) of each class' test images, the worst class "
        "at the top; points are means over the seeds, bars 95 % t intervals over three or more seeds. Each model's "
        f"configuration with the lowest mean MSE: {'; '.join(grid.label(one) for one in chosen)}.{cut}"
        f"{of_models(grid, dataset, chosen)}",
        "; ".join(_told(grid, model, found, (labels, names)) for model, found in errors.items()) + ".",
        figure,
    )


def _by_class(one: Configuration, loaders: Loaders) -> dict[int, list[float]]:
    """Return each class' mean squared error, a number a seed."""
    values: dict[int, list[float]] = {}
    for record in one.trials:
        arrays = loaders.arrays(record)
        if "labels" not in arrays or len(arrays["labels"]) != len(arrays.get("sse_per_image", ())):
            continue
        found, places = np.unique(arrays["labels"], return_inverse=True)
        sums = np.bincount(places, weights=arrays["sse_per_image"].astype(np.float64))
        for label, mean in zip(found, sums / np.bincount(places), strict=True):
            values.setdefault(int(label), []).append(float(mean))
    return values


def _mean(errors: Mapping[str, Mapping[int, Sequence[float]]], label: int) -> float:
    return spread(value for found in errors.values() for value in found.get(label, ())).mean


def _point(axes: Axes, values: Sequence[float], height: float, look: tuple[str, str]) -> None:
    half = half_width(values)
    axes.errorbar(
        spread(values).mean,
        height,
        xerr=None if np.isnan(half) else half,
        color=look[0],
        marker=look[1],
        markersize=4.5,
        elinewidth=1,
        capsize=2,
    )


def _told(
    grid: Grid, model: str, found: Mapping[int, Sequence[float]], shown_classes: tuple[Sequence[int], Sequence[str]]
) -> str:
    labels, names = shown_classes
    known = [(label, name) for label, name in zip(labels, names, strict=True) if label in found]
    (low, best), (high, worst) = known[0], known[-1]
    return (
        f"{clean(model)}: from {grid.formats.spread('sse', spread(found[low]))} ({best}) to "
        f"{grid.formats.spread('sse', spread(found[high]))} ({worst})"
    )
