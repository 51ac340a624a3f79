"""What numbers of a study say, as arrays in and arrays out."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

__all__ = ["CONFIDENCE", "Interval", "mean_interval", "pareto_front"]

CONFIDENCE = 0.95
_TWO = 2


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


def mean_interval(values: ArrayLike, confidence: float = CONFIDENCE) -> Interval:
    """Return the mean of independent values with Student's t interval, m ± t(n-1) s / sqrt(n) (Student, 1908)."""
    known = np.asarray(values, float).ravel()
    if not known.size or not np.isfinite(known).all():
        return Interval(math.nan, math.nan, math.nan, known.size)
    mean = math.fsum(known) / known.size
    if known.size < _TWO:
        return Interval(mean, math.nan, math.nan, known.size)
    quantile = float(special.stdtrit(known.size - 1, (1 + confidence) / 2))
    half = quantile * float(known.std(ddof=1)) / math.sqrt(known.size)
    return Interval(mean, mean - half, mean + half, known.size)


def pareto_front(points: NDArray[np.float64], maximize: tuple[bool, bool] = (False, False)) -> NDArray[np.bool_]:
    """Return which points no other is at least as good as in both coordinates and better in one.

    >>> pareto_front(np.array([[1, 3], [2, 2], [3, 2.5], [4, 1]])).tolist()
    [True, True, False, True]

    Args:
        points: (n, 2).
        maximize: for each coordinate, whether more is better.
    """
    costs = np.where(maximize, -1.0, 1.0) * np.asarray(points, dtype=np.float64)
    order = np.lexsort((costs[:, 1], costs[:, 0]))
    front = np.zeros(len(costs), dtype=bool)
    lowest, at = np.inf, np.inf  # the lowest second coordinate so far, and the first coordinate it was found at
    for place in order:
        across, up = costs[place]
        if up < lowest or (up == lowest and across == at):
            lowest, at, front[place] = up, across, True
    return front
