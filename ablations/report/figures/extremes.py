"""The worst and the best reconstructions of each model."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ablations.report.drawn import Drawn, LeftOut
from ablations.report.figures._base import Shown, figure
from ablations.report.figures._choice import best_by_model, best_mean, having, left_out, median_seed, of_models
from ablations.report.figures._mosaic import Row, as_rgb, mosaic
from ablations.text.numbers import clean

__all__ = ["extremes"]

_MODELS = 3  # each takes several rows


@figure("extremes", order=80)
def extremes(shown: Shown) -> Iterator[Drawn | LeftOut]:
    """Draw each model's worst and best reconstructions of test images, with their squared error."""
    grid, dataset = shown.grid, shown.dataset
    title = f"Worst and best reconstructions: {clean(dataset)}"
    names = ("extreme_examples", "extreme_reconstructions", "extreme_sse")
    best = best_by_model(grid, dataset, most=_MODELS)
    rows: list[Row] = []
    said: list[str] = []
    for one, arrays in having(shown, best, *names):
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
        yield left_out(shown, title, "no finished trial kept its worst and best images")
        return
    listed = "; ".join(said)
    across = len(rows[0].images) // 2
    yield Drawn(
        f"extremes-{dataset}",
        title,
        f"Of all test images the {across} with the largest squared error (left, the worst first) and the {across} with "
        "the smallest (right, the best first), each over its reconstruction with the error beneath "
        "(summed over the image, pixels in [0, 1]); each model's configuration "
        f"with the {best_mean(grid)}, {median_seed(grid)}.{of_models(grid, dataset, best)}",
        f"Squared error per image, {listed}.",
        mosaic(rows, ["worst", *[""] * across, "best"]),
        pictures=True,
    )


def _side_by_side(pair: NDArray[Any]) -> NDArray[np.uint8]:
    """Return two rows of images as one, with an empty place between them."""
    left, right = (as_rgb(row) for row in pair)
    return np.concatenate([left, np.full_like(left[:1], 255), right])


def _brief(value: float) -> str:
    """Return three digits, which is what fits under a small image."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"  # noqa: PLR2004
