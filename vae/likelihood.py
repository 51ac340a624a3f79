"""How likely images of 256 levels are, given what a decoder makes of a latent vector."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["bernoulli", "discretised_gaussian", "is_binary"]

LEVELS = 256
TOP = LEVELS - 1
ROWS = 500  # images at a time, which bounds the memory
SMALLEST = np.finfo(np.float64).tiny

Array = NDArray[np.floating]


def discretised_gaussian(levels: NDArray[np.uint8], mean: Array, sigma: float) -> NDArray[np.float64]:
    """Return log p(x | y) in nats of images of 256 levels under Gaussian noise that is rounded to a level.

    log p = sum over pixels and channels of log(F((x + h - y) / s) - F((x - h - y) / s)), with F the standard normal
    distribution function, x in [0, 1] and h half a level, 1/510. What is beyond the black and white levels counts
    towards them, so that the probabilities of the 256 levels sum to 1 (as the discretised logistic of Salimans et al.,
    2017). A probability of levels, it compares between models of different noise, and with published bits per
    dimension; a density of grey values does neither.

    Args:
        levels: (n, height, width, channels) uint8.
        mean: y, the same shape, in [0, 1].
        sigma: s > 0, in the same unit.

    Returns:
        (n,).
    """
    found = [
        _discretised(levels[at : at + ROWS], mean[at : at + ROWS], sigma).reshape(len(levels[at : at + ROWS]), -1)
        for at in range(0, len(levels), ROWS)
    ]
    return np.concatenate([one.sum(axis=1) for one in found]) if found else np.zeros(0)


def _discretised(levels: NDArray[np.uint8], mean: Array, sigma: float) -> NDArray[np.float64]:
    from scipy.special import ndtr  # here: what trains nothing need not wait for SciPy

    centre = (levels / TOP - mean) / sigma
    half = 0.5 / TOP / sigma
    lower = np.where(levels == 0, -np.inf, centre - half)
    upper = np.where(levels == TOP, np.inf, centre + half)
    # F is exact near 0 and rounded near 1: the difference is taken in the lower tail.
    flip = centre > 0
    low, high = np.where(flip, -upper, lower), np.where(flip, -lower, upper)
    probability = ndtr(high) - ndtr(low)
    # So far out that both are 0, a level is as probable as it is wide.
    density = -0.5 * (centre**2 + np.log(2 * np.pi)) + np.log(2 * half)
    found = np.where(probability > SMALLEST, np.log(np.maximum(probability, SMALLEST)), density)
    return np.asarray(found, dtype=np.float64)


def bernoulli(levels: NDArray[np.uint8], mean: Array) -> NDArray[np.float64]:
    """Return log p(x | y) = sum x log y + (1 - x) log(1 - y) in nats, (n,), of black and white images.

    Args:
        levels: (n, height, width, channels) uint8, each 0 or 255.
        mean: y, the same shape: the probability that a pixel is white.
    """
    y = np.clip(mean.astype(np.float64), 1e-6, 1 - 1e-6)
    values = np.where(levels > 0, np.log(y), np.log1p(-y))
    return np.asarray(values.reshape(len(values), -1).sum(axis=1))


def is_binary(levels: NDArray[np.uint8]) -> bool:
    """Tell whether each pixel is black or white, and nothing between: only of these is a Bernoulli a likelihood."""
    return bool(((levels == 0) | (levels == TOP)).all())
