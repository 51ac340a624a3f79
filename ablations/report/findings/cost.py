"""What the best configuration costs, and which one within its interval is the cheapest."""

import math
from collections.abc import Iterator

from ablations.analysis.grid import Configuration, best
from ablations.analysis.pairs import counterpart
from ablations.report.findings._base import Known, Statement, finding
from ablations.report.findings._phrases import with_seeds
from ablations.statistics.intervals import mean_interval
from ablations.text.columns import directed, quantity
from ablations.text.numbers import NBSP

__all__ = ["cost"]

_SECONDS = "train_seconds"


@finding("cost", order=80)
def cost(known: Known) -> Iterator[Statement]:
    """Say how long the best configuration trained, against the baseline and against others as good as it."""
    grid, main = known.grid, quantity(known.grid.main)
    first = best(known.configurations, main.name)
    if first is None or not first.spread(_SECONDS).n:
        return
    time = with_seeds(grid, _SECONDS, first.spread(_SECONDS))
    told = f"The configuration with the {main.best} {main.word} trained in {time}"
    if first.spread("parameters").n:
        told += f", with {grid.formats.number('parameters', first.mean('parameters'))} parameters"
    text = [f"{told}."]
    other = counterpart(known.configurations, first, known.baseline, name=main.name) if known.baseline else None
    if other is not None and other is not first and other.mean(_SECONDS) > 0:
        ratio = first.mean(_SECONDS) / other.mean(_SECONDS)
        theirs = grid.formats.with_unit(_SECONDS, other.spread(_SECONDS))
        text.append(f"That is {ratio:.2g} times the {theirs} of the baseline at the nearest settings.")
    yield Statement("Cost", " ".join([*text, *_cheapest(known, first)]))


def _cheapest(known: Known, first: Configuration) -> Iterator[str]:
    """Name the cheapest configuration within one interval of the best (one-error rule: Breiman et al., 1984)."""
    grid, main = known.grid, quantity(known.grid.main)
    interval, sign = mean_interval(first.values(main.name)), directed(main.name)
    if not interval.known:
        return
    bound, way = (interval.high, "up") if sign > 0 else (interval.low, "down")
    near = [
        one
        for one in known.configurations
        if sign * one.mean(main.name) <= sign * bound and math.isfinite(one.mean(_SECONDS))
    ]
    cheapest = min(near, key=lambda one: one.mean(_SECONDS), default=first)
    reach = f"its 95{NBSP}% interval ({way} to {grid.formats.number(main.name, bound)}"
    reach += ", rough with two seeds)" if interval.rough else ")"
    if cheapest is first:
        yield f"No configuration with a mean {main.word} within {reach} trained faster."
        return
    time = with_seeds(grid, _SECONDS, cheapest.spread(_SECONDS))
    whole = first.mean(_SECONDS)
    share = f", {cheapest.mean(_SECONDS) / whole:.2g} times as long" if whole > 0 else ""
    value = grid.formats.spread(main.name, cheapest.spread(main.name))
    told = f"The fastest with a mean {main.word} within {reach} is {grid.label(cheapest)}: {time}"
    yield f"{told}{share}, {main.word} {value}."
