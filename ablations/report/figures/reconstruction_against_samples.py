"""What good samples cost in reconstruction."""

import math
from collections.abc import Iterator

from ablations.report.drawn import Drawn, LeftOut
from ablations.report.figures._base import Shown, figure
from ablations.report.figures._tradeoff import FRONT, NEEDED, Floor, measured_in, tradeoff
from ablations.report.findings._questions import asked
from ablations.report.style import new_figure
from ablations.text.columns import ERROR, FLOOR, quantity
from ablations.text.numbers import clean

__all__ = ["reconstruction_against_samples"]


@figure("reconstruction_against_samples", order=55)
def reconstruction_against_samples(shown: Shown) -> Iterator[Drawn | LeftOut]:
    """Draw the distance of samples from test images against the error, a point a configuration, with the front."""
    grid, dataset = shown.grid, shown.dataset
    title = f"Reconstruction against samples: {clean(dataset)}"
    within = grid.within(dataset)
    distance = next((one.metric for one in asked(grid, within) if one.does == "samples"), None)
    if distance is None:
        yield LeftOut(title, 'no distance of samples was measured: evaluate.metrics = ["default", "generation"]')
        return
    known = measured_in(within, ERROR, distance)
    if len(known) < NEEDED:
        yield LeftOut(title, "one configuration alone has both: there is nothing to trade")
        return
    floors = []
    for axis, name, words in (("x", FLOOR, "linear PCA"), ("y", f"{distance}_floor", "training images")):
        values = {one.mean(name) for one in known if math.isfinite(one.mean(name))}
        if len(values) == 1:  # of several latent sizes, PCA has several
            floors.append(Floor(axis, values.pop(), words))
    yield tradeoff(
        grid,
        known,
        (ERROR, distance),
        Drawn(
            f"reconstruction-against-samples-{dataset}",
            title,
            f"Error of reconstruction against the {quantity(distance).word} of samples from test images, means over "
            f"the seeds with standard deviations. {FRONT}"
            f"{' Dotted: the floors.' if floors else ''}",
            "",
            new_figure(1)[0],
        ),
        floors=floors,
    )
