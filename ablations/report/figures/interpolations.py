"""The way from one test image to another through latent space."""

from collections.abc import Iterator, Mapping

from ablations.report.drawn import Drawn, LeftOut
from ablations.report.figures._base import Shown, figure
from ablations.report.figures._choice import NO_VAE, best_by_latent, best_mean, left_out, reached
from ablations.report.figures._mosaic import Row, as_rgb, mosaic
from ablations.report.loaders import class_name
from ablations.report.style import drawable
from ablations.text.numbers import clean, count
from vae.latent import Walk

__all__ = ["interpolations"]

_PAIRS = 3
_WALKS: Mapping[Walk, tuple[str, str]] = {
    "linear": ("interpolations", "z = (1 − a) z₁ + a z₂"),  # noqa: RUF001
    "spherical": ("interpolations_spherical", "z on the great circle from z₁ to z₂"),
}


@figure("interpolations", order=100)
def interpolations(shown: Shown) -> Iterator[Drawn | LeftOut]:
    """Draw the way between images of two classes, in a straight line or on a great circle, for each latent size."""
    grid, dataset, loaders = shown.grid, shown.dataset, shown.loaders
    name, formula = _WALKS[shown.path]
    title = f"Interpolations: {clean(dataset)}"
    chosen = best_by_latent(grid, dataset)
    if not chosen:
        yield left_out(shown, title, NO_VAE)
        return
    rows: list[Row] = []
    said: list[str] = []
    for one in chosen:
        record = one.representative(grid.main)
        arrays = loaders.arrays(record)
        if name not in arrays:
            continue
        strips = arrays[name][: _PAIRS if len(chosen) <= _PAIRS else _PAIRS - 1]
        labels = arrays.get("interpolation_labels")
        for place, strip in enumerate(strips):
            ends = [class_name(record, int(label)) for label in labels[place]] if labels is not None else ["", ""]
            size = f"latent {one.latent_dim}:" if place == 0 else ""
            rows.append(Row(as_rgb(strip), f"{size}  {drawable(ends[0], 14)}", ends[1], place == 0 and bool(rows)))
        said.append(f"latent size {one.latent_dim} ({reached(grid, one)})")
    if not rows:
        yield left_out(shown, title, "no finished trial kept interpolations")
        return
    model = chosen[0].model
    steps = len(rows[0].images)
    yield Drawn(
        f"interpolations-{dataset}",
        title,
        f"From one test image to another of a different class in {count(steps, 'step')}, decoded from {formula}; model "
        f"{clean(model)}, at each latent size shown its configuration with the {best_mean(grid)}.",
        f"{count(len(rows), 'strip')} of {steps} images each, model {clean(model)}: {', '.join(said)}.",
        mosaic(rows, []),
        pictures=True,
    )
