"""Whether samples are nearer to training images than test images are."""

import math
from typing import Annotated

import numpy as np
from pydantic import Field

from vae.datasets import spread_over
from vae.metrics._base import Asked, metric
from vae.nearest import nearest_images
from vae.outcome import Outcome

__all__ = ["memorisation", "memorisation_error", "nearer"]

ASKED: Asked = {"expense": "high", "group": "generation"}

Count = Annotated[int, Field(ge=2)]
LEVELS = 255


@metric("memorisation", "memorisation", digits=3, order=40, **ASKED)
def memorisation(outcome: Outcome, count: Count = 1000) -> float | None:
    """Chance that a sample's nearest training image is nearer than a test image's: P(d_sample < d_test), ties as half.

    By squared error over pixels (the Mann-Whitney statistic over the number of pairs, as in Meehan, Chaudhuri and
    Dasgupta, 2020). 0.5 where samples are as near to training images as unseen images are, 1 where all are copies; a
    plain or blurred image is near to many, so that well above 0.5 is a reason to look at the nearest neighbours, and no
    proof. The interval of 95 % is that of +- 1.96 `memorisation_error`. None of a model without a prior.

    Args:
        outcome: of the trained model.
        count: samples, and test images, at most.
    """
    found = _compared(outcome, count)
    return None if found is None else found[0]


@metric("memorisation_error", "standard error of memorisation", digits=2, order=41, **ASKED)
def memorisation_error(outcome: Outcome, count: Count = 1000) -> float | None:
    """Standard error of `memorisation`, from the spread of each sample's and each test image's share (DeLong, 1988).

    Args:
        outcome: of the trained model.
        count: as of `memorisation`.
    """
    found = _compared(outcome, count)
    return None if found is None else found[1]


def _compared(outcome: Outcome, count: int) -> tuple[float, float] | None:
    if outcome.prior is None:
        return None
    test = outcome.data.test.images
    n = min(count, len(test))

    def measure() -> tuple[float, float]:
        samples = np.rint(np.clip(np.asarray(outcome.samples(n)), 0, 1) * LEVELS).astype(np.uint8)
        known = outcome.data.train.images
        made = np.sort(nearest_images(samples, known)[1])
        unseen = np.sort(nearest_images(test[spread_over(len(test), n)], known)[1])
        return nearer(made, unseen)

    found: tuple[float, float] = outcome.once(f"nearest training images of {n}", measure)
    return found


def nearer(first: np.ndarray, second: np.ndarray) -> tuple[float, float]:
    """Return P(a < b) + P(a = b) / 2 of a drawn from the first and b from the second, and its standard error."""
    shares = [_share_above(first, np.sort(second)), 1 - _share_above(second, np.sort(first))]
    errors = [float(np.var(one, ddof=1)) / len(one) if len(one) > 1 else math.nan for one in shares]
    return float(shares[0].mean()), math.sqrt(sum(errors))


def _share_above(values: np.ndarray, of: np.ndarray) -> np.ndarray:
    """Return for each value the share of sorted numbers above it, equal ones as half."""
    above = len(of) - np.searchsorted(of, values, side="right")
    equal = np.searchsorted(of, values, side="right") - np.searchsorted(of, values, side="left")
    return np.asarray((above + equal / 2) / len(of))
