"""What an image becomes where one latent dimension changes."""

from collections.abc import Iterator, Sequence

import numpy as np

from ablations.analysis.grid import Configuration, Grid
from ablations.report.drawn import Drawn, LeftOut
from ablations.report.figures._base import Shown, figure
from ablations.report.figures._choice import best_by_model, best_mean, having, left_out, of_models
from ablations.report.figures._mosaic import Row, as_rgb, mosaic
from ablations.report.loaders import Arrays
from ablations.report.style import drawable
from ablations.text.numbers import NBSP, clean, count

__all__ = ["traversals"]

_MODELS = 3  # each takes several rows
_ROWS = 12  # in all
_SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


@figure("traversals", order=110)
def traversals(shown: Shown) -> Iterator[Drawn | LeftOut]:
    """Draw what changes when one latent dimension does: the most active ones of each model's best configuration."""
    grid, dataset = shown.grid, shown.dataset
    title = f"Traversals of latent dimensions: {clean(dataset)}"
    best = best_by_model(grid, dataset, vae=True, most=_MODELS)
    vae = bool(best)
    best = best or best_by_model(grid, dataset, most=_MODELS)
    kept = having(shown, best, "traversals", "traversed", "traversal_values")
    rows: list[Row] = []
    said: list[str] = []
    for one, arrays in kept:
        carried = arrays.get("traversal_kl", arrays.get("traversal_variance"))
        dimensions = arrays["traversed"][: max(_ROWS // len(kept), 1)]
        words = []
        for place, dimension in enumerate(dimensions):
            what = "" if carried is None else _carried(grid, float(carried[place]), vae=vae)
            name = f"z{str(int(dimension) + 1).translate(_SUBSCRIPTS)}"
            model = f"{drawable(one.model, 16)}  " if place == 0 else ""
            rows.append(Row(as_rgb(arrays["traversals"][place]), f"{model}{name}", what, gap=place == 0 and bool(rows)))
            words.append(f"{name} {what}".strip())
        said.append(f"{grid.label(one)}: {', '.join(words)}")
    if not rows:
        yield left_out(shown, title, "no finished trial kept traversals")
        return
    values = kept[0][1]["traversal_values"]
    heads = [f"{value:.3g}".replace("-", "\N{MINUS SIGN}") for value in values] if _same(kept) else []
    listed = "; ".join(said)
    order = "with the most KL first (at the right, mean over the test images)"
    unit = "from −3 to 3 standard deviations of the prior"  # noqa: RUF001 - a minus sign
    if not vae:
        order = "with the most variance of z_mean first (at the right; without a KL term there are no nats)"
        unit = "between plus and minus three times the code's own scale, since without a KL term there is no prior"
    yield Drawn(
        f"traversals-{dataset}",
        title,
        f"The first test image's z_mean with one dimension changed, {unit}; a row a dimension, the ones {order}. Rows "
        "that do not change belong to dimensions that the decoder ignores. Each model's configuration with the "
        f"{best_mean(grid)}.{of_models(grid, dataset, best, vae=vae)}",
        f"{count(len(rows), 'row')} of {len(values)} images. {listed}.",
        mosaic(rows, heads),
        pictures=True,
    )


def _carried(grid: Grid, value: float, *, vae: bool) -> str:
    return f"{grid.formats.number('kl', value)}{NBSP}nats" if vae else f"variance {value:.3g}"


def _same(kept: Sequence[tuple[Configuration, Arrays]]) -> bool:
    """Whether all rows are of the same values, which then stand above them."""
    values = [arrays["traversal_values"] for _, arrays in kept]
    return all(np.array_equal(values[0], other) for other in values)
