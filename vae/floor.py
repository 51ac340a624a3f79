"""The linear floor of reconstruction: what a PCA of the same size reaches on the same split."""

import numpy as np
from numpy.typing import NDArray

from vae.cache import read_arrays, write_arrays
from vae.datasets import Data

__all__ = ["floor", "pca_curve"]

STEP = 64  # the floor's curve is kept up to the next multiple of this many components
NOTHING = 1e-12  # a squared error per pixel, of pixels in steps of 1/255
EXACT_DIMENSIONS = 4096  # up to here the whole spectrum is computed, beyond it the leading components alone


def floor(data: Data, latent_dim: int) -> float:
    """Return the test MSE per pixel of a PCA with `latent_dim` components; see `pca_curve`."""
    components = -(-latent_dim // STEP) * STEP
    key = f"floor-{data.checksum[:32]}-{components}"
    found = read_arrays(key)
    if found and found[0].get("curve", np.empty(0)).shape == (components + 1,):
        return float(found[0]["curve"][latent_dim])
    curve = pca_curve(data.train.images, data.test.images, components)
    write_arrays(key, {"curve": curve}, {})
    return float(curve[latent_dim])


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
