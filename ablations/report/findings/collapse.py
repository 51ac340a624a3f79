"""Which models leave most of their latent dimensions unused."""

import math
from collections.abc import Iterator, Sequence

from ablations.analysis.grid import Configuration, Grid
from ablations.report.findings._base import Known, Statement, finding
from ablations.statistics.intervals import Interval, mean_interval
from ablations.text.numbers import count, value_text

__all__ = ["collapse"]

_HALF = 0.5  # of the latent dimensions: fewer active ones are few


@finding("collapse", order=40)
def collapse(known: Known) -> Iterator[Statement]:
    """Say at which KL weight a model has fewer than half of its latent dimensions active."""
    text = []
    vaes = [one for one in known.configurations if one.is_vae and one.latent_dim and one.spread("active_units").n]
    for model in dict.fromkeys(one.model for one in vaes):
        mine = [one for one in vaes if one.model == model]
        few = [one for one in mine if one.mean("active_units") < _HALF * (one.latent_dim or 0)]
        if few:
            text.append(f"{model}: {_sets_in(known.grid, mine, few)}")
    if text:
        yield Statement("Posterior collapse", " ".join(text))


def _sets_in(grid: Grid, mine: Sequence[Configuration], few: Sequence[Configuration]) -> str:
    """Say at which KL weight few units are active; settled only where the interval over seeds ends below half."""

    def weight(one: Configuration) -> float:
        value = one.axes.get("kl_weight")
        return float(value) if isinstance(value, (int, float)) else math.nan

    def units(one: Configuration) -> Interval:
        return mean_interval(one.values("active_units"))

    settled = [one for one in few if units(one).high < _HALF * (one.latent_dim or 0)]
    told = settled or few
    first = min((weight(one) for one in told), default=math.nan)
    there = [one for one in mine if weight(one) == first] or list(mine)
    told = [one for one in told if one in there]
    lowest = min(told, key=lambda one: one.mean("active_units") / (one.latent_dim or 1))
    at = f"at KL weight {value_text(first)}" if math.isfinite(first) else "at the study's KL weight"
    of = f"{len(told)} of {count(len(there), 'configuration')}"
    example = f"the fewest are {grid.formats.interval('active_units', units(lowest))} of {lowest.latent_dim}"
    example += f" ({grid.label(lowest)})"
    below = sorted({weight(one) for one in mine if weight(one) < first})
    none = (
        f"; none at {value_text(below[-1])} or below" if below and not any(weight(one) < first for one in few) else ""
    )
    if settled:
        return f"it sets in {at}, where {of} use fewer than half of their latent dimensions{none}; {example}."
    why = "one trial each does not settle" if not any(units(one).known for one in told) else "their seeds do not settle"
    return f"{at} the mean of {of} is below half of the latent dimensions, which {why}{none}; {example}."
