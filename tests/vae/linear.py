"""A linear VAE, of which all is known: probabilistic PCA (Tipping and Bishop, 1999)."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import multivariate_normal

from vae.datasets import Data, Split
from vae.posteriors import usual_posterior, usual_prior
from vae.priors import Bound
from vae.spec import RunSpec

SIDE, LATENT, NOISE = 4, 2, 0.08
SIZE = SIDE * SIDE
RNG = np.random.default_rng(5)
# Orthogonal columns, so that the posterior is diagonal, as that of a variational autoencoder is.
W = np.linalg.qr(RNG.standard_normal((SIZE, LATENT)))[0] * (0.3, 0.2)
MEAN = np.full(SIZE, 0.5)
GAIN = W.T @ W + NOISE**2 * np.eye(LATENT)
LEVEL = 1 / 255


class LinearVAE:
    """Probabilistic PCA (Tipping and Bishop, 1999) as a model, with its exact posterior, or one that is wider."""

    def __init__(self, width: float = 1.0) -> None:
        self.width = width
        self.posterior = usual_posterior(deterministic=False)

    @property
    def bound_prior(self) -> Bound:
        prior = usual_prior(self.posterior)
        assert prior is not None
        return Bound(prior, LATENT)

    def posterior_of(self, images: Any, labels: Any = None) -> dict[str, NDArray[np.float32]]:
        mean = (images.reshape(len(images), -1) - MEAN) @ W @ np.linalg.inv(GAIN)
        mean = mean.astype(np.float32)
        variance = self.width**2 * NOISE**2 / np.diag(GAIN)
        log_var = np.broadcast_to(np.log(variance), mean.shape)
        return {"z_mean": mean, "z_log_var": log_var.astype(np.float32), "mean": mean}

    def decode(self, z: Any, labels: Any = None) -> NDArray[np.float32]:
        return (MEAN + z @ W.T).reshape(-1, SIDE, SIDE, 1).astype(np.float32)


def images(n: int, seed: int) -> NDArray[np.uint8]:
    rng = np.random.default_rng(seed)
    pixels = MEAN + rng.standard_normal((n, LATENT)) @ W.T + NOISE * rng.standard_normal((n, SIZE))
    assert np.mean((pixels < 0) | (pixels > 1)) < 1e-3
    return np.rint(255 * pixels.clip(0, 1)).astype(np.uint8).reshape(n, SIDE, SIDE, 1)


DATA = Data("linear", Split(images(2000, 0), None), Split(images(4000, 1), None), (), "0" * 64, "", "")
SPEC = RunSpec.parse({"model": {"name": "dense_vae", "latent_dim": LATENT}, "loss": {"kl": {"weight": 0.02}}}, "")
EXACT = multivariate_normal(MEAN, W @ W.T + NOISE**2 * np.eye(SIZE)).logpdf(
    DATA.test.images.reshape(-1, SIZE) / 255
) + SIZE * np.log(LEVEL)
