"""Samples over the training images nearest to them."""

from collections.abc import Iterator

import numpy as np

from ablations.analysis.grid import Configuration, Grid
from ablations.report.drawn import Drawn, LeftOut
from ablations.report.figures._base import Shown, figure
from ablations.report.figures._choice import best_by_model, having, left_out
from ablations.report.figures._mosaic import Row, as_rgb, mosaic
from ablations.report.loaders import Arrays
from ablations.report.style import drawable
from ablations.text.columns import ERROR
from ablations.text.numbers import clean, count

__all__ = ["nearest_training_images"]

_COLUMNS = 10
_COPY = 0.5  # a sample nearer than this share of what a test image is: worth a look
_NONE = "no model that can be sampled from (one with a KL term) finished"


@figure("nearest_training_images", order=160)
def nearest_training_images(shown: Shown) -> Iterator[Drawn | LeftOut]:
    """Draw samples over the training images nearest to them: does the model repeat what it has seen?"""
    grid, dataset = shown.grid, shown.dataset
    title = f"Samples and their nearest training images: {clean(dataset)}"
    names = ("samples", "nearest", "nearest_mse", "nearest_mse_test")
    best = best_by_model(grid, dataset, vae=True, most=2)
    if not best:
        yield left_out(shown, title, _NONE)
        return
    rows: list[Row] = []
    said: list[str] = []
    for one, arrays in having(shown, best, *names):
        order = np.argsort(arrays["nearest_mse"], kind="stable")[:_COLUMNS]
        head = f"{drawable(one.model, 16)}: " if len(best) > 1 else ""
        rows.append(Row(as_rgb(arrays["samples"][order]), f"{head}sample", gap=bool(rows)))
        notes = tuple(grid.formats.number(ERROR, float(value)) for value in arrays["nearest_mse"][order])
        rows.append(Row(as_rgb(arrays["nearest"][order]), "nearest", notes=notes))
        said.append(_distances(grid, one, arrays))
    if not rows:
        yield left_out(shown, title, "no finished trial kept the nearest training images of its samples")
        return
    listed = "; ".join(said)
    yield Drawn(
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


def _distances(grid: Grid, one: Configuration, arrays: Arrays) -> str:
    made, real = (float(np.mean(arrays[name])) for name in ("nearest_mse", "nearest_mse_test"))
    close = int(np.sum(arrays["nearest_mse"] < _COPY * np.min(arrays["nearest_mse_test"])))
    number = grid.formats.number
    return (
        f"{grid.label(one)}: mean distance of a sample {number(ERROR, made)}, of a test image {number(ERROR, real)}; "
        f"{close} of {count(len(arrays['nearest_mse']), 'sample')} nearer than half the smallest of a test image"
    )
