"""The images that a plane of two latent dimensions decodes to."""

from collections.abc import Iterator

from ablations.report.drawn import Drawn, LeftOut
from ablations.report.figures._base import Shown, figure
from ablations.report.figures._choice import best_by_latent, best_mean, having, left_out, reached
from ablations.report.figures._mosaic import Row, as_rgb, mosaic
from ablations.text.numbers import clean

__all__ = ["latent_plane"]

_EVERY = 2  # of the plane's rows and columns one is drawn: a picture of all would be large


@figure("latent_plane", order=120)
def latent_plane(shown: Shown) -> Iterator[Drawn | LeftOut]:
    """Draw the images that a plane of two latent dimensions decodes to."""
    grid, dataset = shown.grid, shown.dataset
    title = f"The decoded plane: {clean(dataset)}"
    of_two = [one for one in best_by_latent(grid, dataset, most=10**6) if one.latent_dim == 2]  # noqa: PLR2004 - a plane
    kept = having(shown, of_two, "plane", "plane_values")
    if not kept:
        yield left_out(shown, title, "no model with a KL term and two latent dimensions kept it")
        return
    one, arrays = kept[0]
    values = [f"{value:.1f}".replace("-", "\N{MINUS SIGN}") for value in arrays["plane_values"][::_EVERY]]
    images = arrays["plane"][::_EVERY, ::_EVERY]
    # z2 grows upwards, as in the latent map.
    rows = [Row(as_rgb(line), f"z₂ = {value}") for line, value in zip(images, values, strict=True)][::-1]
    yield Drawn(
        f"plane-{dataset}",
        title,
        f"Images decoded from a regular grid of z₁ (across) and z₂ (upwards), in standard deviations of the prior; "
        f"{grid.label(one)}, the configuration of latent size 2 with the {best_mean(grid)} of its model.",
        f"{len(rows)} by {len(values)} images decoded from z₁ and z₂ from {values[0]} to {values[-1]}; "
        f"{grid.label(one)}, {reached(grid, one)}.",
        mosaic(rows, values),
        pictures=True,
    )
