"""The structural similarity of images, once for the metric (NumPy) and for the loss (any Keras backend)."""

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["ssim", "window_size"]

WINDOW, SIGMA = 11, 1.5
K1, K2 = 0.01, 0.03


def window_size(height: int, width: int) -> int:
    """Return the window's side in pixels: 11, or the largest odd number that fits a smaller image.

    The Gaussian's sigma (1.5 pixels) shrinks with the window.
    """
    smallest = min(height, width)
    return min(WINDOW, smallest if smallest % 2 else smallest - 1)


@lru_cache(maxsize=64)
def _band(size: int, window: int) -> NDArray[np.float32]:
    """Return the matrix (size - window + 1, size) that filters a line of pixels, unpadded, by a Gaussian."""
    offsets = np.arange(window) - window // 2
    kernel = np.exp(-0.5 * (offsets / (SIGMA * window / WINDOW)) ** 2)
    kernel /= kernel.sum()
    band = np.zeros((size - window + 1, size))
    for row in range(len(band)):
        band[row, row : row + window] = kernel
    return band.astype(np.float32)


def ssim(x: Any, y: Any, data_range: float, xp: Any) -> Any:
    """Return the mean structural similarity of each pair of images, (batch,), 1 where they are equal.

    SSIM = (2 mx my + C1)(2 sxy + C2) / ((mx^2 + my^2 + C1)(sx^2 + sy^2 + C2)), with C1 = (0.01 R)^2, C2 = (0.03 R)^2,
    local means and (co)variances under a Gaussian window of 11 x 11 pixels, averaged over all places where the window
    fits and over channels (Wang, Bovik, Sheikh and Simoncelli, 2004). Equal to scikit-image's
    `structural_similarity(gaussian_weights=True, sigma=1.5, use_sample_covariance=False)`.

    The Gaussian is separable, so each pass is a product with a banded matrix, which is what processors do best.

    Args:
        x: (batch, height, width, channels).
        y: the same shape.
        data_range: R, the width of the pixels' range.
        xp: `numpy` or `keras.ops`.
    """
    height, width = int(x.shape[1]), int(x.shape[2])
    window = window_size(height, width)
    down, across = _band(height, window), _band(width, window).T

    def blur(images: Any) -> Any:
        return xp.matmul(down, xp.matmul(images, across))

    x, y = (xp.transpose(images, (0, 3, 1, 2)) for images in (x, y))
    mean_x, mean_y = blur(x), blur(y)
    c1, c2 = (K1 * data_range) ** 2, (K2 * data_range) ** 2
    both = mean_x * mean_y
    squares = mean_x * mean_x + mean_y * mean_y
    covariance = blur(x * y) - both
    variances = blur(x * x + y * y) - squares
    similarity = ((2 * both + c1) * (2 * covariance + c2)) / ((squares + c1) * (variances + c2))
    return xp.mean(similarity, axis=(1, 2, 3))
