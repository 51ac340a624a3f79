"""What quality costs in time."""

from collections.abc import Iterator

from ablations.report.drawn import Drawn, LeftOut
from ablations.report.figures._base import Shown, figure
from ablations.report.figures._tradeoff import FRONT, NEEDED, measured_in, tradeoff
from ablations.report.style import new_figure
from ablations.text.columns import ERROR, quantity
from ablations.text.numbers import clean, count

__all__ = ["error_against_time"]


@figure("error_against_time", order=60)
def error_against_time(shown: Shown) -> Iterator[Drawn | LeftOut]:
    """Draw the main metric against the training time, a point a configuration, with the front."""
    grid, dataset, main = shown.grid, shown.dataset, quantity(shown.grid.main)
    title = f"{'Error' if main.name == ERROR else main.word} against training time: {clean(dataset)}"
    known = measured_in(grid.within(dataset), "train_seconds", main.name)
    if len(known) < NEEDED:
        yield LeftOut(title, f"{count(len(known), 'configuration')} with a training time: there is nothing to compare")
        return
    yield tradeoff(
        grid,
        known,
        ("train_seconds", main.name),
        Drawn(
            f"time-{dataset}",
            title,
            f"Training time (without compilation and validation) against the test {main.word}, means over the seeds "
            f"with standard deviations. {FRONT} Seconds compare on one machine only.",
            "",
            new_figure(1)[0],
        ),
    )
