"""Figures made of images: reconstructions, interpolations, samples from the prior."""

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from ablations.analysis.grid import Grid
from ablations.records.record import Record
from ablations.report.drawn import Drawn, LeftOut
from ablations.report.figures._choice import best_by_latent, best_by_model, of_models
from ablations.report.figures._mosaic import Row, as_rgb, mosaic
from ablations.report.loaders import Loaders, class_name
from ablations.report.style import shown
from ablations.text.numbers import clean, count
from vae.latent import Walk

__all__ = ["interpolations", "reconstructions", "samples"]

_MOST_COLUMNS = 12
_PAIRS = 3


def reconstructions(grid: Grid, dataset: str, loaders: Loaders) -> Drawn | LeftOut:
    """Draw test images over what each model's best configuration makes of them."""
    title = f"Reconstructions: {clean(dataset)}"
    rows: list[Row] = []
    heads: list[str] = []
    said: list[str] = []
    best = best_by_model(grid, dataset)
    for one in best:
        arrays = loaders.arrays(one.representative())
        if "examples" not in arrays or "reconstructions" not in arrays:
            continue
        if not rows:
            originals = as_rgb(arrays["examples"])[:_MOST_COLUMNS]
            rows.append(Row(originals, "original"))
            heads = _names(one.representative(), arrays.get("example_labels"), len(originals))
        rows.append(Row(as_rgb(arrays["reconstructions"])[:_MOST_COLUMNS], one.model, gap=len(rows) == 1))
        said.append(f"{grid.label(one)} (MSE {grid.formats.spread('mse', one.spread('mse'))})")
    if not rows:
        return LeftOut(title, "no finished trial kept its example images")
    chosen = "; ".join(said)
    return Drawn(
        f"reconstructions-{dataset}",
        title,
        "First row: test images. Below: what each model's configuration with the lowest mean MSE makes of them, "
        f"decoded from z_mean, by the seed with the median MSE. {chosen}.{of_models(grid, dataset, best)}",
        f"{count(len(rows[0].images), 'test image')} of {clean(dataset)} over {count(len(rows) - 1, 'row')} of "
        f"reconstructions: {chosen}.",
        mosaic(rows, heads),
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
    rows: list[Row] = []
    said: list[str] = []
    for one in chosen:
        record = one.representative()
        arrays = loaders.arrays(record)
        if name not in arrays:
            continue
        strips = arrays[name][: _PAIRS if len(chosen) <= _PAIRS else _PAIRS - 1]
        labels = arrays.get("interpolation_labels")
        for place, strip in enumerate(strips):
            ends = [class_name(record, int(label)) for label in labels[place]] if labels is not None else ["", ""]
            size = f"latent {one.latent_dim}:" if place == 0 else ""
            rows.append(Row(as_rgb(strip), f"{size}  {shown(ends[0], 14)}", ends[1], place == 0 and bool(rows)))
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
        mosaic(rows, []),
        pictures=True,
    )


def samples(grid: Grid, dataset: str, loaders: Loaders) -> Drawn | LeftOut:
    """Draw images decoded from z ~ N(0, I) below real ones."""
    title = f"Samples from the prior: {clean(dataset)}"
    rows: list[Row] = []
    said: list[str] = []
    best = best_by_model(grid, dataset, vae=True)
    for one in best:
        arrays = loaders.arrays(one.representative())
        if "samples" not in arrays:
            continue
        if not rows and "examples" in arrays:
            rows.append(Row(as_rgb(arrays["examples"])[:_MOST_COLUMNS], "real"))
        across = len(rows[0].images) if rows else 10
        drawn = as_rgb(arrays["samples"])
        for start in range(0, min(2 * across, len(drawn)), across):
            first = start == 0
            rows.append(Row(drawn[start : start + across], one.model if first else "", gap=first and bool(rows)))
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
        f"configuration with the lowest mean MSE, seed with the median MSE, not selected by eye. {chosen}."
        f"{of_models(grid, dataset, best, vae=True)}",
        f"Test images of {clean(dataset)} over prior samples of {count(len(said), 'model')}: {chosen}.",
        mosaic(rows, []),
        pictures=True,
    )


def _names(record: Record, labels: NDArray[Any] | None, number: int) -> list[str]:
    return [] if labels is None else [class_name(record, int(label)) for label in labels[:number]]
