"""What stands beside each row: the linear floor, and the noise that the KL weight implies."""

import numpy as np

from vae.metrics._base import metric
from vae.outcome import Outcome

__all__ = ["pca_mse", "sigma"]


@metric("pca_mse", "PCA floor (MSE)", fixed=True, order=8)
def pca_mse(outcome: Outcome) -> float:
    """Test MSE of a PCA with latent_dim components, fitted on the training images; see `vae.floor`."""
    return outcome.pca_mse


@metric("sigma", "implied \N{GREEK SMALL LETTER SIGMA}", digits=3, fixed=True, order=9)
def sigma(outcome: Outcome) -> float | None:
    """Standard deviation of the pixels' Gaussian noise that the KL weight w implies, sqrt(w / 2).

    It is the noise the loss assumes beside a squared-error sum of pixels in [0, 1]; the optimum is where it equals
    the noise that is left, w = 2 MSE.
    """
    return None if outcome.kl_weight is None else float(np.sqrt(outcome.kl_weight / 2))
