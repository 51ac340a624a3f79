"""What changing one setting does, everything else being equal: paired by configuration and seed."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from scipy import stats

from ablations.configurations import SEED, Configuration, measured
from ablations.formatting import spread, value_text
from ablations.records import Record

__all__ = ["Effect", "contrasts"]

_CONFIDENCE = 0.95
_ALL_SAME = 1e-12


@dataclass(frozen=True)
class Effect:
    """The paired change of one metric from one level of an axis to another.

    Attributes:
        pairs: trials that agree in all settings and the seed but this one.
        higher: the pairs in which the metric rose.
        mean: the mean change over the pairs.
        before: the metric's mean over the pairs at the first level.
        after: the same at the second level.
        half: half the width of the 95 % t interval of the change over configurations (each the mean of its seeds), or
            over seeds where there is one configuration; NaN for a single one.
    """

    pairs: int
    higher: int
    mean: float
    before: float
    after: float
    half: float

    @property
    def resolved(self) -> bool:
        """Whether the interval leaves out zero."""
        return math.isfinite(self.half) and abs(self.mean) > self.half

    def direction(self, better: str) -> str:
        """Return better, worse, or neither where the change is not resolved or has no better side."""
        if not self.resolved or better == "neither":
            return "neither"
        return "better" if (self.mean > 0) == (better == "higher") else "worse"


def contrasts(
    known: Iterable[Configuration], axis: str, low: float, high: float, names: Sequence[str]
) -> dict[str, Effect]:
    """Return the effect of `axis` going from `low` to `high` on each metric."""
    sides: dict[str, dict[str, dict[str, Record]]] = {value_text(low): {}, value_text(high): {}}
    levels = {float(low): value_text(low), float(high): value_text(high)}
    for one in known:
        value = one.axes.get(axis)
        level = levels.get(float(value)) if isinstance(value, (int, float)) else None
        if level is None:
            continue
        key = "\n".join(
            [one.dataset, *(f"{name}={value_text(held)}" for name, held in one.axes.items() if name != axis)]
        )
        sides[level][key] = {value_text(trial.axes.get(SEED)): trial for trial in one.trials}
    first, second = sides.values()
    groups = [
        [(measured(first[key][seed]), measured(second[key][seed])) for seed in first[key] if seed in second[key]]
        for key in first
        if key in second
    ]
    return {name: _effect(groups, name) for name in names}


def _effect(groups: Sequence[Sequence[tuple[dict[str, float], dict[str, float]]]], name: str) -> Effect:
    pairs = [
        [
            (a[name], b[name])
            for a, b in group
            if name in a and name in b and math.isfinite(a[name]) and math.isfinite(b[name])
        ]
        for group in groups
    ]
    pairs = [group for group in pairs if group]
    every = [pair for group in pairs for pair in group]
    changes = [after - before for before, after in every]
    means = [spread(after - before for before, after in group).mean for group in pairs]
    units = spread(means if len(means) > 1 else changes)
    half = math.nan
    if units.n > 1:
        half = max(float(stats.t.ppf((1 + _CONFIDENCE) / 2, units.n - 1)) * units.sd / math.sqrt(units.n), _ALL_SAME)
    return Effect(
        len(every),
        sum(change > 0 for change in changes),
        spread(changes).mean,
        spread(before for before, _ in every).mean,
        spread(after for _, after in every).mean,
        half,
    )
