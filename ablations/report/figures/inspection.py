"""Models looked at closely: their worst and best images, what a latent dimension does, whether samples are copies."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ablations.analysis.grid import Configuration, Grid
from ablations.report.drawn import Drawn, LeftOut
from ablations.report.figures._choice import best_by_latent, best_by_model, of_models
from ablations.report.figures._mosaic import Row, as_rgb, mosaic
from ablations.report.loaders import Loaders
from ablations.report.style import shown
from ablations.text.numbers import NBSP, clean, count

__all__ = ["extremes", "latent_plane", "nearest_training_images", "traversals"]

Arrays = Mapping[str, NDArray[Any]]
_MODELS = 3  # that extremes and traversals are drawn of: each takes several rows
_ROWS = 12  # of traversals in all
_COLUMNS = 10
_EVERY = 2  # of the plane's rows and columns one is drawn: a picture of all would be large
_COPY = 0.5  # a sample nearer than this share of what a test image is: worth a look
_SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


def extremes(grid: Grid, dataset: str, loaders: Loaders) -> Drawn | LeftOut:
    """Draw each model's worst and best reconstructions of test images, with their squared error."""
    title = f"Worst and best reconstructions: {clean(dataset)}"
    names = ("extreme_examples", "extreme_reconstructions", "extreme_sse")
    best = best_by_model(grid, dataset, most=_MODELS)
    rows: list[Row] = []
    said: list[str] = []
    for one, arrays in _having(best, loaders, *names):
        examples, made, errors = (arrays[name] for name in names)
        left = one.model if len(best) > 1 else "original"
        rows.append(Row(_side_by_side(examples), left, gap=bool(rows)))
        notes = [[_brief(float(error)) for error in row] for row in errors]
        rows.append(Row(_side_by_side(made), "", notes=(*notes[0], "", *notes[1])))
        said.append(
            f"{grid.label(one)}: from {grid.formats.number('sse', float(errors.min()))} to "
            f"{grid.formats.number('sse', float(errors.max()))}"
            f" (mean {grid.formats.spread('sse', one.spread('sse'))})"
        )
    if not rows:
        return LeftOut(title, "no finished trial kept its worst and best images")
    listed = "; ".join(said)
    across = len(rows[0].images) // 2
    return Drawn(
        f"extremes-{dataset}",
        title,
        f"Of all test images the {across} with the largest squared error (left, the worst first) and the {across} with "
        "the smallest (right, the best first), each over its reconstruction with the error beneath "
        "(summed over the image, pixels in [0, 1]); each model's configuration "
        f"with the lowest mean MSE, seed with the median MSE.{of_models(grid, dataset, best)}",
        f"Squared error per image, {listed}.",
        mosaic(rows, ["worst", *[""] * across, "best"]),
        pictures=True,
    )


def traversals(grid: Grid, dataset: str, loaders: Loaders) -> Drawn | LeftOut:
    """Draw what changes when one latent dimension does: the most active ones of each model's best configuration."""
    title = f"Traversals of latent dimensions: {clean(dataset)}"
    best = best_by_model(grid, dataset, vae=True, most=_MODELS)
    vae = bool(best)
    best = best or best_by_model(grid, dataset, most=_MODELS)
    kept = _having(best, loaders, "traversals", "traversed", "traversal_values")
    rows: list[Row] = []
    said: list[str] = []
    for one, arrays in kept:
        carried = arrays.get("traversal_kl", arrays.get("traversal_variance"))
        dimensions = arrays["traversed"][: max(_ROWS // len(kept), 1)]
        words = []
        for place, dimension in enumerate(dimensions):
            what = "" if carried is None else _carried(grid, float(carried[place]), vae=vae)
            name = f"z{str(int(dimension) + 1).translate(_SUBSCRIPTS)}"
            model = f"{shown(one.model, 16)}  " if place == 0 else ""
            rows.append(Row(as_rgb(arrays["traversals"][place]), f"{model}{name}", what, gap=place == 0 and bool(rows)))
            words.append(f"{name} {what}".strip())
        said.append(f"{grid.label(one)}: {', '.join(words)}")
    if not rows:
        return LeftOut(title, "no finished trial kept traversals")
    values = kept[0][1]["traversal_values"]
    heads = [f"{value:.3g}".replace("-", "\N{MINUS SIGN}") for value in values] if _same(kept) else []
    listed = "; ".join(said)
    order = "with the most KL first (at the right, mean over the test images)"
    unit = "from −3 to 3 standard deviations of the prior"  # noqa: RUF001 - a minus sign
    if not vae:
        order = "with the most variance of z_mean first (at the right; without a KL term there are no nats)"
        unit = "between plus and minus three times the code's own scale, since without a KL term there is no prior"
    return Drawn(
        f"traversals-{dataset}",
        title,
        f"The first test image's z_mean with one dimension changed, {unit}; a row a dimension, the ones {order}. Rows "
        "that do not change belong to dimensions that the decoder ignores. Each model's configuration with the lowest "
        f"mean MSE.{of_models(grid, dataset, best, vae=vae)}",
        f"{count(len(rows), 'row')} of {len(values)} images. {listed}.",
        mosaic(rows, heads),
        pictures=True,
    )


def nearest_training_images(grid: Grid, dataset: str, loaders: Loaders) -> Drawn | LeftOut:
    """Draw samples over the training images nearest to them: does the model repeat what it has seen?"""
    title = f"Samples and their nearest training images: {clean(dataset)}"
    names = ("samples", "nearest", "nearest_mse", "nearest_mse_test")
    best = best_by_model(grid, dataset, vae=True, most=2)
    if not best:
        return LeftOut(title, "no model that can be sampled from (one with a KL term) finished")
    rows: list[Row] = []
    said: list[str] = []
    for one, arrays in _having(best, loaders, *names):
        order = np.argsort(arrays["nearest_mse"], kind="stable")[:_COLUMNS]
        head = f"{shown(one.model, 16)}: " if len(best) > 1 else ""
        rows.append(Row(as_rgb(arrays["samples"][order]), f"{head}sample", gap=bool(rows)))
        notes = tuple(grid.formats.number("mse", float(value)) for value in arrays["nearest_mse"][order])
        rows.append(Row(as_rgb(arrays["nearest"][order]), "nearest", notes=notes))
        said.append(_distances(grid, one, arrays))
    if not rows:
        return LeftOut(title, "no finished trial kept the nearest training images of its samples")
    listed = "; ".join(said)
    return Drawn(
        f"nearest-{dataset}",
        title,
        "Samples from the prior, those nearest to a training image first, each over that image (of the whole training "
        f"split, by squared error; MSE per pixel beneath). {listed}. Samples much nearer to a training image than test "
        "images are would be copies, the sign of a memorised training set; somewhat nearer is usual, since decoded "
        "images are smoother than real ones.",
        f"{count(len(rows) // 2, 'model')}, the {len(rows[0].images)} nearest pairs. {listed}.",
        mosaic(rows),
        pictures=True,
    )


def latent_plane(grid: Grid, dataset: str, loaders: Loaders) -> Drawn | LeftOut:
    """Draw the images that a plane of two latent dimensions decodes to."""
    title = f"The decoded plane: {clean(dataset)}"
    of_two = [one for one in best_by_latent(grid, dataset, most=10**6) if one.latent_dim == 2]  # noqa: PLR2004 - a plane
    kept = _having(of_two, loaders, "plane", "plane_values")
    if not kept:
        return LeftOut(title, "no model with a KL term and two latent dimensions kept it")
    one, arrays = kept[0]
    values = [f"{value:.1f}".replace("-", "\N{MINUS SIGN}") for value in arrays["plane_values"][::_EVERY]]
    images = arrays["plane"][::_EVERY, ::_EVERY]
    # z2 grows upwards, as in the latent map.
    rows = [Row(as_rgb(line), f"z₂ = {value}") for line, value in zip(images, values, strict=True)][::-1]
    return Drawn(
        f"plane-{dataset}",
        title,
        f"Images decoded from a regular grid of z₁ (across) and z₂ (upwards), in standard deviations of the prior; "
        f"{grid.label(one)}, the configuration of latent size 2 with the lowest mean MSE of its model.",
        f"{len(rows)} by {len(values)} images decoded from z₁ and z₂ from {values[0]} to {values[-1]}; "
        f"{grid.label(one)}, MSE {grid.formats.spread('mse', one.spread('mse'))}.",
        mosaic(rows, values),
        pictures=True,
    )


def _having(choices: Sequence[Configuration], loaders: Loaders, *names: str) -> list[tuple[Configuration, Arrays]]:
    """Return the configurations whose representative trial kept all these arrays, with them."""
    found = [(one, loaders.arrays(one.representative())) for one in choices]
    return [(one, arrays) for one, arrays in found if all(name in arrays for name in names)]


def _side_by_side(pair: NDArray[Any]) -> NDArray[np.uint8]:
    """Return two rows of images as one, with an empty place between them."""
    left, right = (as_rgb(row) for row in pair)
    return np.concatenate([left, np.full_like(left[:1], 255), right])


def _brief(value: float) -> str:
    """Return three digits, which is what fits under a small image."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"  # noqa: PLR2004


def _carried(grid: Grid, value: float, *, vae: bool) -> str:
    return f"{grid.formats.number('kl', value)}{NBSP}nats" if vae else f"variance {value:.3g}"


def _same(kept: Sequence[tuple[Configuration, Arrays]]) -> bool:
    """Whether all rows are of the same values, which then stand above them."""
    values = [arrays["traversal_values"] for _, arrays in kept]
    return all(np.array_equal(values[0], other) for other in values)


def _distances(grid: Grid, one: Configuration, arrays: Arrays) -> str:
    made, real = (float(np.mean(arrays[name])) for name in ("nearest_mse", "nearest_mse_test"))
    close = int(np.sum(arrays["nearest_mse"] < _COPY * np.min(arrays["nearest_mse_test"])))
    number = grid.formats.number
    return (
        f"{grid.label(one)}: mean distance of a sample {number('mse', made)}, of a test image {number('mse', real)}; "
        f"{close} of {count(len(arrays['nearest_mse']), 'sample')} nearer than half the smallest of a test image"
    )
