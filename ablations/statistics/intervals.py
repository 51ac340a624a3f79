"""Statistics of repeated trials: arrays in, numbers out. What each interval really covers is in docs/statistics.md."""

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "CONFIDENCE",
    "LEVEL",
    "Effect",
    "Interval",
    "Spread",
    "corrected",
    "holm",
    "mean_interval",
    "paired_effect",
    "pareto_front",
    "quantile",
    "spread",
]

CONFIDENCE = 0.95
"""Of every interval: two-sided."""
LEVEL = 1 - CONFIDENCE
"""The p-value, corrected for the number of comparisons, below which a difference is called resolved."""

_SAME = 1e-12  # differences that are this small beside the values are rounding
_TWO = 2  # values that a spread takes

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """A mean and its 95 % interval.

    Attributes:
        estimate: the mean; NaN where there are no values, or one is not finite.
        low: and `high`: the bounds; NaN for fewer than two values, which show no spread.
        n: how many values.
    """

    estimate: float
    low: float
    high: float
    n: int

    @property
    def known(self) -> bool:
        """Whether there is an interval at all."""
        return math.isfinite(self.low) and math.isfinite(self.high)

    @property
    def rough(self) -> bool:
        """Whether it rests on two values: its coverage holds, but its width is a matter of luck."""
        return self.known and self.n == _TWO


@lru_cache(maxsize=256)
def quantile(freedom: int, confidence: float) -> float:
    """Return how many standard errors a two-sided interval reaches to either side: Student's t."""
    from scipy import special  # scipy.stats, which these come from, takes half a second to import

    return float(special.stdtrit(freedom, (1 + confidence) / 2))


def mean_interval(values: ArrayLike, confidence: float = CONFIDENCE) -> Interval:
    """Return the mean of independent values with Student's t interval, m ± t(n-1) s / sqrt(n) (Student, 1908).

    Chosen among the t, percentile, BCa and studentised bootstrap intervals by simulated coverage (docs/statistics.md):
    from 20 down to 5 values the bootstrap's first two miss the mean 1.5 to 3.5 times as often as they claim, and its
    studentised one, which holds there as well as t does, fails at 3.

    >>> mean_interval([1.0, 2.0, 3.0]).estimate
    2.0
    """
    known = np.asarray(values, float).ravel()
    if not known.size or not np.isfinite(known).all():
        return Interval(math.nan, math.nan, math.nan, known.size)
    mean = math.fsum(known) / known.size
    if known.size < _TWO:
        return Interval(mean, math.nan, math.nan, known.size)
    half = quantile(known.size - 1, confidence) * float(known.std(ddof=1)) / math.sqrt(known.size)
    return Interval(mean, mean - half, mean + half, known.size)


@dataclass(frozen=True)
class Effect:
    """A paired change of one number.

    Attributes:
        pairs: how many there are.
        higher: the pairs in which the number rose.
        before: its mean on the first side, each unit counted once.
        after: the same on the second.
        change: the mean change over the units, with its interval.
        p: of the paired t test that nothing changes; NaN where there is no interval.
        adjusted: the same corrected for the number of comparisons, see `corrected`.
    """

    pairs: int
    higher: int
    before: float
    after: float
    change: Interval
    p: float
    adjusted: float

    @property
    def resolved(self) -> bool:
        """Whether the change is told from chance, the number of comparisons taken into account."""
        return self.adjusted < LEVEL

    def direction(self, better: str) -> str:
        """Return better, worse, or neither where the change is not resolved or has no better side."""
        if not self.resolved or better == "neither":
            return "neither"
        return "better" if (self.change.estimate > 0) == (better == "higher") else "worse"


def paired_effect(groups: Sequence[ArrayLike]) -> Effect:
    """Return the mean paired change, its t interval and the p-value of the paired t test.

    Units are the groups (configurations), each the mean of its pairs (seeds), so that a configuration with many seeds
    does not count many times; where there is one group, units are its pairs. The interval then speaks of other
    configurations like these, or of other seeds.

    Args:
        groups: arrays (pairs, 2) of the number before and after; pairs with a number that is not finite are left out.
    """
    kept = [found for group in groups if len(found := _finite_pairs(group))]
    if not kept:
        nothing = Interval(math.nan, math.nan, math.nan, 0)
        return Effect(0, 0, math.nan, math.nan, nothing, math.nan, math.nan)
    every = np.concatenate(kept)
    units = np.array([group.mean(axis=0) for group in kept]) if len(kept) > 1 else every
    changes = units[:, 1] - units[:, 0]
    tiny = _SAME * float(np.abs(units).max())
    change = mean_interval(changes)
    p = math.nan
    if change.known:
        half = max((change.high - change.low) / 2, tiny)
        change = Interval(change.estimate, change.estimate - half, change.estimate + half, change.n)
        error = half / quantile(change.n - 1, CONFIDENCE)
        from scipy import special

        p = 2 * float(special.stdtr(change.n - 1, -abs(change.estimate) / error)) if error > 0 else 1.0
    before, after = units.mean(axis=0)
    higher = int(np.sum(every[:, 1] > every[:, 0]))
    return Effect(len(every), higher, float(before), float(after), change, p, p)


def _finite_pairs(group: ArrayLike) -> Array:
    pairs: Array = np.asarray(group, float).reshape(-1, 2)
    return pairs[np.isfinite(pairs).all(axis=1)]


def holm(p: ArrayLike) -> Array:
    """Return p-values corrected so that the chance of any false claim among them is kept (Holm, 1979).

    The k-th smallest of m is multiplied by m - k + 1, made monotone and cut at 1. NaN is no comparison and stays NaN.

    >>> holm([0.01, 0.04, 0.03]).round(2).tolist()
    [0.03, 0.06, 0.06]
    """
    given = np.asarray(p, float)
    result: Array = np.full(given.shape, math.nan)
    places = np.flatnonzero(np.isfinite(given))
    order = places[np.argsort(given[places], kind="stable")]
    result[order] = np.minimum(np.maximum.accumulate(given[order] * np.arange(len(order), 0, -1)), 1.0)
    return result


def corrected(effects: Sequence[Effect]) -> list[Effect]:
    """Return the effects with p-values corrected for their number, as `holm` does."""
    adjusted = holm([effect.p for effect in effects])
    return [replace(effect, adjusted=float(value)) for effect, value in zip(effects, adjusted, strict=True)]


def pareto_front(points: ArrayLike, maximize: tuple[bool, bool] = (False, False)) -> NDArray[np.bool_]:
    """Return which points no other beats: none is as good in both coordinates and better in one.

    Args:
        points: (n, 2); a point with a coordinate that is not finite is on no front.
        maximize: whether more is better, for each coordinate.
    """
    known = np.asarray(points, float).reshape(-1, 2) * np.where(maximize, -1.0, 1.0)
    front: NDArray[np.bool_] = np.isfinite(known).all(axis=1)
    if not front.any():
        return front
    firsts, group = np.unique(known[front, 0], return_inverse=True)
    seconds = known[front, 1]
    lowest = np.full(len(firsts), math.inf)
    np.minimum.at(lowest, group, seconds)
    before = np.concatenate([[math.inf], np.minimum.accumulate(lowest)[:-1]])
    front[front] = (seconds == lowest[group]) & (lowest < before)[group]
    return front


@dataclass(frozen=True)
class Spread:
    """Mean, sample standard deviation (ddof=1; NaN when n < 2) and number of some values."""

    mean: float
    sd: float
    n: int


def spread(values: Iterable[float]) -> Spread:
    """Summarise values; those that are None or NaN have been left out by the caller.

    >>> spread([1.0, 3.0]).mean
    2.0
    """
    kept = [float(value) for value in values]
    if not kept:
        return Spread(math.nan, math.nan, 0)
    if not all(math.isfinite(value) for value in kept):
        return Spread(math.nan, math.nan, len(kept))
    return Spread(statistics.fmean(kept), statistics.stdev(kept) if len(kept) > 1 else math.nan, len(kept))
