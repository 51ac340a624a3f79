"""Where the errors lie: the squared error of each class."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from ablations.analysis.grid import Configuration, Grid
from ablations.report.drawn import Drawn, LeftOut
from ablations.report.figures._base import Shown, figure
from ablations.report.figures._choice import best_by_model, best_mean, error_bar, left_out, of_models
from ablations.report.loaders import Loaders, class_name
from ablations.report.style import MARKERS, drawable, models_of, new_figure, styled
from ablations.statistics.intervals import spread
from ablations.text.numbers import clean

__all__ = ["error_by_class"]

_MODELS = 4
_CLASSES = 24  # that are listed; of more the worst and the best halves


@figure("error_by_class", order=90)
def error_by_class(shown: Shown) -> Iterator[Drawn | LeftOut]:
    """Draw the mean squared error of each class, classes sorted by it, a colour a model."""
    grid, dataset, loaders = shown.grid, shown.dataset, shown.loaders
    title = f"Error by class: {clean(dataset)}"
    chosen = best_by_model(grid, dataset, most=_MODELS)
    errors = {one.model: found for one in chosen if (found := _by_class(one, loaders))}
    if not errors:
        yield left_out(shown, title, "no finished trial kept the labels of its test images (the data may have none)")
        return
    whole = sorted(next(iter(errors.values())), key=lambda label: _mean(errors, label))
    labels = whole if len(whole) <= _CLASSES else whole[: _CLASSES // 2] + whole[-_CLASSES // 2 :]
    record = chosen[0].representative(grid.main)
    names = [drawable(class_name(record, label), 18) for label in labels]
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
                Line2D([], [], color=colours[model], marker=MARKERS[place], linestyle="", label=drawable(model))
                for place, model in looks
            ]
            figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    cut = f" Of {len(whole)} classes, the {_CLASSES // 2} best and worst." if len(labels) < len(whole) else ""
    yield Drawn(
        f"classes-{dataset}",
        title,
        "Mean squared error per image (summed over its pixels in [0, 1]) of each class' test images, the worst class "
        "at the top; points are means over the seeds, bars 95 % t intervals over three or more seeds. Each model's "
        f"configuration with the {best_mean(grid)}: {'; '.join(grid.label(one) for one in chosen)}.{cut}"
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
    half = error_bar(values)
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
