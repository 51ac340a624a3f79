"""How likely the test images are under the model: bounds in nats, and in bits per pixel."""

import math
from typing import Annotated

import numpy as np
from pydantic import Field

from vae.draws import drawn_noise
from vae.metrics._base import Array, Asked, metric
from vae.outcome import Outcome

__all__ = ["bits_per_dim", "elbo", "elbo_trained", "importance_sample_size", "mse_sampled", "nll_iw", "noise_scale"]

ASKED: Asked = {"expense": "high", "group": "likelihood"}

IMPORTANCE = "the noise of importance weights"
Draws = Annotated[int, Field(ge=2)]
Images = Annotated[int, Field(ge=1)]


@metric("mse_sampled", "MSE of draws", better="lower", order=11)
def mse_sampled(outcome: Outcome) -> Array | None:
    """Mean of (x - y)^2 over pixels and channels for each image, y decoded from one draw of q(z|x).

    It is what training sees: `mse` decodes the posterior's mean, which is never drawn. None of a deterministic
    autoencoder.
    """
    if not outcome.has_posterior:
        return None
    difference = (outcome.images - outcome.drawn).reshape(len(outcome.images), -1)
    return np.asarray(np.square(difference).mean(axis=1))


@metric("noise_scale", "noise \N{GREEK SMALL LETTER SIGMA}", digits=3, order=12)
def noise_scale(outcome: Outcome) -> float | None:
    """Standard deviation of the pixels' Gaussian noise that makes the training images likeliest.

    s = sqrt(mean (x - y)^2) over 2,000 training images, y decoded from one draw of q(z|x): the optimum of Rybkin,
    Daniilidis and Levine (2021). None of a Bernoulli, which has no such noise, and of a deterministic autoencoder.
    """
    return outcome.noise_scale


@metric("elbo", "ELBO", unit="nats", better="higher", order=13)
def elbo(outcome: Outcome) -> Array | None:
    """The evidence lower bound of log p(x) for each test image: log p(x|z) - KL(q(z|x) || p(z)), one draw of z.

    Of images in black and white with `likelihood = "bernoulli"`, p(x|z) is that Bernoulli. Of all others it is the
    Gaussian of scale `noise_scale` around the decoded image, discretised to the 256 levels of a pixel, whatever the
    loss was: so models of different KL weights and losses compare. A Bernoulli of grey values is no likelihood (Loaiza-
    Ganem and Cunningham, 2019). None of a deterministic autoencoder.
    """
    if not outcome.has_posterior or outcome.rate is None:
        return None
    pixels: Array = outcome.once("log p(x|z) of draws", lambda: outcome.log_likelihood(outcome.drawn))
    return np.asarray(pixels - outcome.rate)


@metric("elbo_trained", "ELBO at the loss's noise", unit="nats", better="higher", order=14)
def elbo_trained(outcome: Outcome) -> Array | None:
    """The same bound with the noise that the KL weight stands for (`sigma`) in place of the one refitted.

    The gap to `elbo` is what the choice of the weight costs in likelihood. None where the weight stands for none.
    """
    weight = outcome.kl_weight
    if not weight or not outcome.has_posterior or outcome.rate is None or outcome.is_bernoulli:
        return None
    pixels = outcome.log_likelihood(outcome.drawn, math.sqrt(weight / 2))
    return np.asarray(pixels - outcome.rate)


@metric("bits_per_dim", "bits per dimension", unit="bits", better="lower", order=15)
def bits_per_dim(outcome: Outcome) -> Array | None:
    """-ELBO / (D log 2) for each image, D its pixels times channels: an upper bound of the code length of a value."""
    nats = elbo.compute(outcome)
    return None if nats is None else np.asarray(-np.asarray(nats) / (outcome.images[0].size * math.log(2)))


@metric("nll_iw", "importance-weighted NLL", short="IW-NLL", unit="nats", better="lower", order=16, **ASKED)
def nll_iw(outcome: Outcome, draws: Draws = 50, images: Images = 1000) -> Array | None:
    """-log (1/K sum_k p(x|z_k) p(z_k) / q(z_k|x)) for each of some test images, evenly spread (Burda et al., 2016).

    An upper bound of -log p(x) that falls towards it as K grows, with p(x|z) as in `elbo`. Where
    `importance_sample_size` is a few of K draws, it is loose.

    Args:
        outcome: of the trained model.
        draws: K.
        images: how many of the test images.
    """
    from scipy.special import logsumexp

    weights = _log_weights(outcome, draws, images)
    return None if weights is None else np.asarray(math.log(draws) - logsumexp(weights, axis=0))


@metric("importance_sample_size", "effective importance samples", better="higher", digits=3, order=17, **ASKED)
def importance_sample_size(outcome: Outcome, draws: Draws = 50, images: Images = 1000) -> Array | None:
    """(sum_k w_k)^2 / sum_k w_k^2 for each image: of how many of the K draws the bound `nll_iw` is made (Kong, 1992).

    Args:
        outcome: of the trained model.
        draws: K, of `nll_iw`.
        images: as of `nll_iw`.
    """
    from scipy.special import logsumexp

    weights = _log_weights(outcome, draws, images)
    return None if weights is None else np.exp(2 * logsumexp(weights, axis=0) - logsumexp(2 * weights, axis=0))


def _log_weights(outcome: Outcome, draws: int, images: int) -> Array | None:
    """Return log p(x|z) + log p(z) - log q(z|x), (K, n), in nats."""
    if not outcome.has_posterior or outcome.rate is None:
        return None
    count = min(images, len(outcome.images))

    def weigh() -> Array:
        # A draw at a time, so that memory does not grow with K.
        return np.stack(
            [
                outcome.log_weights(drawn_noise(f"{IMPORTANCE} {k}", (count, outcome.z_mean.shape[1])))
                for k in range(draws)
            ]
        )

    found: Array = outcome.once(f"log weights of {draws} draws of {count} images", weigh)
    return found
