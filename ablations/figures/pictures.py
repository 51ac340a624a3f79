"""Figures made of images: reconstructions, interpolations, samples from the prior."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ablations.configurations import Configuration, Grid, best
from ablations.figures._style import Drawn, LeftOut, Loaders, as_rgb, class_name, shown, spread_out, styled
from ablations.formatting import clean, count
from ablations.records import Record
from vae.latent import Walk

__all__ = ["best_by_latent", "interpolations", "reconstructions", "samples"]

Arrays = Mapping[str, NDArray[Any]]
_MOST_COLUMNS = 12
_PAIRS = 3
_MOST_SIZES = 9  # latent sizes that get rows, or a panel, of their own
_FINE = 64  # pixels of the longer side from which images are laid out as they are
_INCHES = 7.4  # width of the widest grid of images
_LETTER = 0.075  # inches a letter of the labels takes


@dataclass(frozen=True)
class _Row:
    images: NDArray[np.uint8]
    left: str
    right: str = ""
    gap: bool = False  # more space above


def reconstructions(grid: Grid, dataset: str, loaders: Loaders) -> Drawn | LeftOut:
    """Draw test images over what each model's best configuration makes of them."""
    title = f"Reconstructions: {clean(dataset)}"
    rows: list[_Row] = []
    heads: list[str] = []
    said: list[str] = []
    for model in grid.models(dataset):
        one = best(item for item in grid.within(dataset) if item.model == model)
        arrays = loaders.arrays(one.representative()) if one else {}
        if one is None or "examples" not in arrays or "reconstructions" not in arrays:
            continue
        if not rows:
            originals = as_rgb(arrays["examples"])[:_MOST_COLUMNS]
            rows.append(_Row(originals, "original"))
            heads = _names(one.representative(), arrays.get("example_labels"), len(originals))
        rows.append(_Row(as_rgb(arrays["reconstructions"])[:_MOST_COLUMNS], model, gap=len(rows) == 1))
        said.append(f"{grid.label(one)} (MSE {grid.formats.spread('mse', one.spread('mse'))})")
    if not rows:
        return LeftOut(title, "no finished trial kept its example images")
    chosen = "; ".join(said)
    return Drawn(
        f"reconstructions-{dataset}",
        title,
        "First row: test images. Below: what each model's configuration with the lowest mean MSE makes of them, "
        f"decoded from z_mean, by the seed with the median MSE. {chosen}.",
        f"{count(len(rows[0].images), 'test image')} of {clean(dataset)} over {count(len(rows) - 1, 'row')} of "
        f"reconstructions: {chosen}.",
        _mosaic(rows, heads),
        pictures=True,
    )


_WALKS: Mapping[Walk, tuple[str, str]] = {
    "linear": ("interpolations", "z = (1 − a) z₁ + a z₂"),  # noqa: RUF001
    "spherical": ("interpolations_spherical", "z on the great circle from z₁ to z₂"),
}


def interpolations(grid: Grid, dataset: str, loaders: Loaders, path: Walk = "linear") -> Drawn | LeftOut:
    """Draw the way between images of two classes, in a straight line or on a great circle, for each latent size."""
    name, formula = _WALKS[path]
    title = f"Interpolations: {clean(dataset)}"
    chosen = best_by_latent(grid, dataset)
    if not chosen:
        return LeftOut(title, "no model with a latent distribution (a KL term) finished")
    rows: list[_Row] = []
    said: list[str] = []
    for one in chosen:
        record = one.representative()
        arrays = loaders.arrays(record)
        if name not in arrays:
            continue
        strips = arrays[name][:_PAIRS]
        labels = arrays.get("interpolation_labels")
        for place, strip in enumerate(strips):
            ends = [class_name(record, int(label)) for label in labels[place]] if labels is not None else ["", ""]
            size = f"latent {one.latent_dim}:" if place == 0 else ""
            rows.append(_Row(as_rgb(strip), f"{size}  {shown(ends[0], 14)}", ends[1], place == 0 and bool(rows)))
        said.append(f"latent size {one.latent_dim} (MSE {grid.formats.spread('mse', one.spread('mse'))})")
    if not rows:
        return LeftOut(title, "no finished trial kept interpolations")
    model = chosen[0].model
    steps = len(rows[0].images)
    return Drawn(
        f"interpolations-{dataset}",
        title,
        f"From one test image to another of a different class in {count(steps, 'step')}, decoded from {formula}; model "
        f"{clean(model)}, at each latent size shown its configuration with the lowest mean MSE.",
        f"{count(len(rows), 'strip')} of {steps} images each, model {clean(model)}: {', '.join(said)}.",
        _mosaic(rows, []),
        pictures=True,
    )


def samples(grid: Grid, dataset: str, loaders: Loaders) -> Drawn | LeftOut:
    """Draw images decoded from z ~ N(0, I) below real ones."""
    title = f"Samples from the prior: {clean(dataset)}"
    rows: list[_Row] = []
    said: list[str] = []
    for model in grid.models(dataset, vae=True):
        one = best(item for item in grid.within(dataset) if item.model == model and item.is_vae)
        arrays = loaders.arrays(one.representative()) if one else {}
        if one is None or "samples" not in arrays:
            continue
        if not rows and "examples" in arrays:
            rows.append(_Row(as_rgb(arrays["examples"])[:_MOST_COLUMNS], "real"))
        across = len(rows[0].images) if rows else 10
        drawn = as_rgb(arrays["samples"])
        for start in range(0, min(2 * across, len(drawn)), across):
            rows.append(_Row(drawn[start : start + across], model if start == 0 else "", gap=start == 0 and bool(rows)))
        scale = one.spread("posterior_scale")
        said.append(
            f"{grid.label(one)} (posterior scale {grid.formats.spread('posterior_scale', scale)}; 1 fits the prior)"
            if scale.n
            else grid.label(one),
        )
    if not said:
        return LeftOut(title, "no model that can be sampled from (one with a KL term) finished")
    chosen = "; ".join(said)
    return Drawn(
        f"samples-{dataset}",
        title,
        "First row: test images. Below: images decoded from z drawn from the prior N(0, I), by each model's "
        f"configuration with the lowest mean MSE, seed with the median MSE, not selected by eye. {chosen}.",
        f"Test images of {clean(dataset)} over prior samples of {count(len(said), 'model')}: {chosen}.",
        _mosaic(rows, []),
        pictures=True,
    )


def best_by_latent(grid: Grid, dataset: str) -> list[Configuration]:
    """Return, of the best model with a KL term, the best configuration at each latent size, at nine of more sizes."""
    candidates = [one for one in grid.within(dataset) if one.is_vae]
    winner = best(candidates)
    if winner is None:
        return []
    own = [one for one in candidates if one.model == winner.model and one.latent_dim is not None]
    sizes = sorted({one.latent_dim for one in own if one.latent_dim is not None})
    found = [best(one for one in own if one.latent_dim == size) for size in spread_out(sizes, _MOST_SIZES)]
    return [one for one in found if one is not None]


def _names(record: Record, labels: NDArray[Any] | None, number: int) -> list[str]:
    return [] if labels is None else [class_name(record, int(label)) for label in labels[:number]]


def _mosaic(rows: Sequence[_Row], heads: Sequence[str]) -> Figure:
    """Lay rows of images out as one picture, with a label at the left, one at the right and names above."""
    scale = max(
        math.ceil(_FINE / max(rows[0].images.shape[1:3])), 1
    )  # small images: thinner gaps than a pixel of theirs
    rows = [replace(row, images=row.images.repeat(scale, axis=1).repeat(scale, axis=2)) for row in rows]
    height, width = rows[0].images.shape[1:3]
    across = max(len(row.images) for row in rows)
    line = max(round(0.05 * width), 1)
    tops: list[int] = []
    bottom = 0
    for row in rows:
        bottom += 3 * line if row.gap else 0
        tops.append(bottom)
        bottom += height + line
    canvas = np.full((bottom - line, across * (width + line) - line, 3), 255, dtype=np.uint8)
    for row, top in zip(rows, tops, strict=True):
        for place, image in enumerate(row.images):
            left = place * (width + line)
            canvas[top : top + image.shape[0], left : left + image.shape[1]] = image
    with styled():
        return _framed(canvas, rows, tops, heads)


def _framed(canvas: NDArray[np.uint8], rows: Sequence[_Row], tops: Sequence[int], heads: Sequence[str]) -> Figure:
    height, width = rows[0].images.shape[1:3]
    lefts = [shown(row.left, 30) for row in rows]
    rights = [shown(row.right, 18) for row in rows]
    names = [shown(head, 14) for head in heads]
    across = max(len(row.images) for row in rows)
    slanted = max((len(name) for name in names), default=0) > 7  # noqa: PLR2004 - what fits over one image
    margin = (max(map(len, lefts)) * _LETTER + 0.15, max(map(len, rights)) * _LETTER + 0.15)
    above = (max(map(len, names)) * _LETTER * 0.75 + 0.15 if slanted else 0.25) if names else 0.05
    wide = min(_INCHES - margin[0] - margin[1], 0.8 * across)
    high = wide * canvas.shape[0] / canvas.shape[1]
    slant = 0.7 * above if slanted else 0.0
    whole = (margin[0] + wide + max(margin[1], slant), above + high + 0.05)
    figure = Figure(figsize=whole)
    FigureCanvasAgg(figure)
    axes = figure.add_axes((margin[0] / whole[0], 0.05 / whole[1], wide / whole[0], high / whole[1]))
    axes.imshow(canvas, interpolation="nearest", aspect="auto")
    axes.set_axis_off()
    step = canvas.shape[1] / across
    for left, right, top in zip(lefts, rights, tops, strict=True):
        middle = top + height / 2 - 0.5
        axes.text(-0.012 * canvas.shape[1], middle, left, ha="right", va="center", color="#2b2f36")
        axes.text(1.012 * canvas.shape[1], middle, right, ha="left", va="center", color="#2b2f36")
    for place, name in enumerate(names):
        x = place * step + width / 2
        angle = 40 if slanted else 0
        axes.text(x, -0.12 * height, name, ha="left" if slanted else "center", va="bottom", rotation=angle, fontsize=8)
    return figure
