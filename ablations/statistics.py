"""What numbers of a study say, as arrays in and arrays out."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["pareto_front"]


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
