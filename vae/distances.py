"""How far one set of feature vectors is from another: the measures of sample quality, on arrays alone."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Neighbourhoods", "frechet", "frechet_limit", "kernel_distance", "neighbourhoods"]

BLOCKS = 10  # of a kernel distance, between which its standard error is taken
SHARES = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)  # of the points, along which a Frechet distance is extrapolated
REPEATS = 4
ROWS = 250  # of a distance matrix at a time

Array = NDArray[np.floating]


def frechet(real: Array, made: Array) -> float:
    """Return |m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)) of Gaussians with the sets' means and covariances.

    The squared Frechet, or 2-Wasserstein, distance (Dowson and Landau, 1982; of Inception features, Heusel et al.,
    2017). Biased upwards by the number of points: see `frechet_limit`.

    Args:
        real: (n, size).
        made: (m, size).
    """
    one, two = real.astype(np.float64), made.astype(np.float64)
    means = one.mean(axis=0) - two.mean(axis=0)
    first, second = (np.atleast_2d(np.cov(points, rowvar=False)) for points in (one, two))
    # (C1 C2)^(1/2) has the trace of (C1^(1/2) C2 C1^(1/2))^(1/2), which is symmetric.
    values, vectors = np.linalg.eigh(first)
    root = (vectors * np.sqrt(values.clip(0))) @ vectors.T
    cross = np.sqrt(np.linalg.eigvalsh(root @ second @ root).clip(0)).sum()
    return float(means @ means + np.trace(first) + np.trace(second) - 2 * cross)


def frechet_limit(real: Array, made: Array) -> float:
    """Return the Frechet distance extrapolated to infinitely many points (Chong and Forsyth, 2020).

    A line over 1/n through the distances of random subsets of n points each, from half of the points to all; its value
    at 1/n = 0. Near 0 it may be below it.

    Args:
        real: (n, size).
        made: (n, size), as many.
    """
    rng = np.random.default_rng(0)
    most = min(len(real), len(made))
    places, values = [], []
    for share in SHARES:
        n = max(round(share * most), 2)
        for _ in range(1 if n == most else REPEATS):
            chosen = [rng.permutation(len(points))[:n] for points in (real, made)]
            places.append(1 / n)
            values.append(frechet(real[chosen[0]], made[chosen[1]]))
    return float(np.polyfit(places, values, 1)[1]) if len(set(places)) > 1 else values[-1]


def kernel_distance(real: Array, made: Array) -> tuple[float, float]:
    """Return KID and its standard error: the unbiased squared maximum mean discrepancy, kernel (x y / size + 1)^3.

    Of ten disjoint blocks of both sets (Binkowski et al., 2018), averaged; each block's estimate is unbiased and
    independent of the others', so that their spread is an honest error. Of equal distributions the expected value is
    0, and half of the estimates are negative.

    Args:
        real: (n, size).
        made: (m, size).
    """
    rng = np.random.default_rng(0)
    most = min(len(real), len(made))
    blocks = min(BLOCKS, most // 2)
    size = most // blocks
    x, y = (points[rng.permutation(len(points))[: blocks * size]].astype(np.float64) for points in (real, made))
    found = [_discrepancy(x[at : at + size], y[at : at + size]) for at in range(0, blocks * size, size)]
    error = float(np.std(found, ddof=1) / math.sqrt(blocks)) if blocks > 1 else math.nan
    return float(np.mean(found)), error


def _discrepancy(x: Array, y: Array) -> float:
    n, size = x.shape
    own = [((points @ points.T / size + 1) ** 3) for points in (x, y)]
    between = ((x @ y.T / size + 1) ** 3).mean()
    within = sum((kernel.sum() - np.trace(kernel)) / (n * (n - 1)) for kernel in own)
    return float(within - 2 * between)


class Neighbourhoods(NamedTuple):
    """What balls around points, each reaching to the point's k-th neighbour in its own set, say of two sets.

    Attributes:
        precision: share of made points within a real point's ball (Kynkaanniemi et al., 2019).
        recall: share of real points within a made point's ball.
        density: real points' balls that hold a made point, on average, over k; above 1 where made points crowd in
            (Naeem et al., 2020).
        coverage: share of real points whose ball holds a made point.
    """

    precision: float
    recall: float
    density: float
    coverage: float


def neighbourhoods(real: Array, made: Array, k: int = 5) -> Neighbourhoods:
    """Return precision, recall, density and coverage of `made` (m, size) about `real` (n, size)."""
    x, y = real.astype(np.float64), made.astype(np.float64)
    reach_real, reach_made = _reach(x, k), _reach(y, k)
    held = np.zeros(len(y), dtype=np.int64)
    recalled, covered = [], []
    for at in range(0, len(x), ROWS):
        distances = _squared(x[at : at + ROWS], y)
        within = distances < reach_real[at : at + ROWS, np.newaxis]
        held += within.sum(axis=0)
        recalled.append((distances < reach_made).any(axis=1))
        covered.append(within.any(axis=1))
    return Neighbourhoods(
        float((held > 0).mean()),
        float(np.concatenate(recalled).mean()),
        float(held.mean() / k),
        float(np.concatenate(covered).mean()),
    )


def _reach(points: Array, k: int) -> Array:
    """Return the squared distance of each point's k-th neighbour."""
    k = min(k, len(points) - 1)
    parts = (_squared(points[at : at + ROWS], points) for at in range(0, len(points), ROWS))
    # The nearest is the point itself. A copy: a column's view would keep the whole of its matrix.
    return np.concatenate([np.partition(one, k, axis=1)[:, k].copy() for one in parts])


def _squared(x: Array, y: Array) -> Array:
    own = np.einsum("ij,ij->i", x, x)[:, np.newaxis] + np.einsum("ij,ij->i", y, y)
    return np.asarray(np.maximum(own - 2 * x @ y.T, 0.0))
