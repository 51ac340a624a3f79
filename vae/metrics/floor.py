"""What stands beside each row: the linear floor, and the noise that the KL weight implies."""

import numpy as np
from numpy.typing import NDArray

from vae.metrics._base import Outcome, metric

__all__ = ["pca_curve", "pca_mse", "sigma"]

NOTHING = 1e-12  # a squared error per pixel, of pixels in steps of 1/255
EXACT_DIMENSIONS = 4096  # up to here the whole spectrum is computed, beyond it the leading components alone


@metric("pca_mse", "PCA floor (MSE)", fixed=True, order=8)
def pca_mse(outcome: Outcome) -> float:
    """Test MSE of a PCA with latent_dim components, fitted on the training images; see `pca_curve`."""
    return outcome.pca_mse


@metric("sigma", "implied \N{GREEK SMALL LETTER SIGMA}", digits=3, fixed=True, order=9)
def sigma(outcome: Outcome) -> float | None:
    """Standard deviation of the pixels' Gaussian noise that the KL weight w implies, sqrt(w / 2).

    It is the noise the loss assumes beside a squared-error sum of pixels in [0, 1]; the optimum is where it equals
    the noise that is left, w = 2 MSE.
    """
    return None if outcome.kl_weight is None else float(np.sqrt(outcome.kl_weight / 2))


def pca_curve(train: NDArray[np.uint8], test: NDArray[np.uint8], components: int) -> NDArray[np.float64]:
    """Return the test MSE per pixel of linear PCAs with 0, 1, ..., `components` components.

    One fit serves all: with orthonormal components v_i, mse(k) = (|x - m|^2 - sum_{i<k} ((x - m) v_i)^2) / D, averaged
    over the test images; x in [0, 1], m the training mean. With more components than pixels or training images allow,
    the last value repeats. It is exactly 0 with as many components as pixels; of a number below 1e-12 nothing is
    left in single precision, and so it is 0 too.

    Args:
        train: (n, ...) uint8.
        test: (m, ...) uint8.
        components: the largest number wanted.
    """
    known = train.reshape(len(train), -1).astype(np.float32) / 255
    unseen = test.reshape(len(test), -1).astype(np.float32) / 255
    size = known.shape[1]
    mean = known.mean(axis=0, dtype=np.float64).astype(np.float32)
    known -= mean
    unseen -= mean
    most = min(components, size, len(known))
    if size <= EXACT_DIMENSIONS:
        _, vectors = np.linalg.eigh((known.T @ known).astype(np.float64))
        axes = vectors[:, ::-1][:, :most]
    else:
        from sklearn.utils.extmath import randomized_svd

        axes = randomized_svd(known, most, n_iter=4, random_state=0)[2].T
    scores = np.square(unseen @ axes.astype(np.float32), dtype=np.float64).mean(axis=0)
    total = np.square(unseen, dtype=np.float64).sum(axis=1).mean()
    curve = (total - np.concatenate([[0.0], np.cumsum(scores)])) / size
    if most == size:
        curve[-1] = 0.0
    curve = np.where(curve < NOTHING, 0.0, curve)
    return np.concatenate([curve, np.full(components - most, curve[-1])])
