"""The codes of all images together against the prior, and how much a code says of its image."""

import math
from typing import Annotated, NamedTuple

import numpy as np
from pydantic import Field

from vae.metrics._base import Array, Asked, metric
from vae.outcome import Outcome

__all__ = ["aggregate_kl_least", "aggregate_kl_most", "mutual_information", "mutual_information_most"]

ASKED: Asked = {"expense": "high", "group": "generation"}

Images = Annotated[int, Field(ge=2)]


@metric("mutual_information", "mutual information, at least", unit="nats", digits=3, order=20, **ASKED)
def mutual_information(outcome: Outcome, images: Images = 1000) -> float | None:
    """Lower bound of I(x; z) between an image and its code: mean of log q(z_i|x_i) - log (1/N sum_j q(z_i|x_j)).

    It cannot exceed log N: where it is near, N codes do not overlap, and the information is that or more (Oord et al.,
    2018; Poole et al., 2019, equation 13). None of a deterministic autoencoder, whose information has no bound.

    Args:
        outcome: of the trained model.
        images: N, of the test images.
    """
    found = _densities(outcome, images)
    return None if found is None else float(np.mean(found.own - np.logaddexp(*found) + math.log(len(found.own))))


@metric("mutual_information_most", "mutual information, at most", unit="nats", digits=3, order=21, expense="high")
def mutual_information_most(outcome: Outcome, images: Images = 1000) -> float | None:
    """Upper bound of I(x; z): the same with the image's own posterior left out of the mixture, or the rate if lower.

    The leave-one-out bound of Poole et al. (2019); the rate KL(q(z|x) || p(z)) is a bound for any prior (Alemi et al.,
    2018).

    Args:
        outcome: of the trained model.
        images: N, of the test images.
    """
    found = _densities(outcome, images)
    if found is None:
        return None
    apart = float(np.mean(found.own - found.others + math.log(len(found.own) - 1)))
    return min(apart, _rate(outcome, len(found.own)))


@metric("aggregate_kl_least", "KL(q(z) || p(z)), at least", unit="nats", digits=3, order=22, **ASKED)
def aggregate_kl_least(outcome: Outcome, images: Images = 1000) -> float | None:
    """Lower end of the divergence of the aggregate posterior from the prior: the rate less the most information.

    KL(q(z) || p(z)) = E[KL(q(z|x) || p(z))] - I(x; z) (Hoffman and Johnson, 2016): the part of the rate that carries
    nothing of the image, and by which samples from the prior miss the codes that the decoder knows.

    Args:
        outcome: of the trained model.
        images: N, of the test images.
    """
    most = mutual_information_most.compute(outcome, images)
    return None if most is None else max(_rate(outcome, images) - float(most), 0.0)


@metric("aggregate_kl_most", "KL(q(z) || p(z)), at most", unit="nats", digits=3, order=23, **ASKED)
def aggregate_kl_most(outcome: Outcome, images: Images = 1000) -> float | None:
    """Upper end of the same: the rate less the least information.

    Args:
        outcome: of the trained model.
        images: N, of the test images.
    """
    least = mutual_information.compute(outcome, images)
    return None if least is None else _rate(outcome, images) - float(least)


def _rate(outcome: Outcome, images: int) -> float:
    rate = outcome.rate
    return math.nan if rate is None else float(np.mean(rate[outcome.spread(images)], dtype=np.float64))


class _Densities(NamedTuple):
    own: Array  # log q(z_i|x_i), (N,)
    others: Array  # log sum_{j != i} q(z_i|x_j), (N,)


def _densities(outcome: Outcome, images: int) -> _Densities | None:
    """Return the density of each image's draw under its own posterior, and under all others'; None without any."""
    if not outcome.has_posterior or outcome.rate is None or len(outcome.z_mean) <= 1:
        return None

    def measure() -> _Densities:
        n = min(images, len(outcome.z_mean))
        own = outcome.log_posterior(n)
        others = np.full(n, -np.inf)
        for shift in range(1, n):  # each image's draw under another's posterior, all at once: memory stays that of one
            others = np.logaddexp(others, outcome.log_posterior(n, shift))
        return _Densities(own, others)

    found: _Densities = outcome.once(f"densities of {images} draws", measure)
    return found
