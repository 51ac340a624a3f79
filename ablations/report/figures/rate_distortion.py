"""What reconstruction costs in nats."""

from collections.abc import Iterator

from ablations.report.drawn import Drawn, LeftOut
from ablations.report.figures._base import Shown, figure
from ablations.report.figures._tradeoff import FRONT, NEEDED, measured_in, tradeoff
from ablations.report.findings._questions import asked
from ablations.report.style import new_figure
from ablations.text.columns import quantity
from ablations.text.numbers import clean

__all__ = ["rate_distortion"]


@figure("rate_distortion", order=50)
def rate_distortion(shown: Shown) -> Iterator[Drawn | LeftOut]:
    """Draw squared error against KL, a point a configuration, with the front."""
    grid, dataset = shown.grid, shown.dataset
    title = f"Rate and distortion: {clean(dataset)}"
    known = measured_in(grid.within(dataset), "kl", "sse")
    if not known:
        yield LeftOut(title, "no model with a latent distribution (a KL term) finished")
        return
    if len(known) < NEEDED:
        yield LeftOut(title, "one configuration alone has a KL: there is nothing to trade")
        return
    distance = next((one.metric for one in asked(grid, known) if one.does == "samples"), None)
    shade = distance if distance and len(measured_in(known, distance)) == len(known) else None
    coloured = f" Colour: the {quantity(shade).word} of samples from the prior, dark is better." if shade else ""
    yield tradeoff(
        grid,
        known,
        ("kl", "sse"),
        Drawn(
            f"rate-distortion-{dataset}",
            title,
            "KL (the rate, nats) against the squared error per image (the distortion), means over the seeds with "
            f"standard deviations. {FRONT}{coloured}",
            "",
            new_figure(1)[0],
        ),
        shade=shade,
    )
