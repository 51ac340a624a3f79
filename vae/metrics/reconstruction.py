"""How well the test images are reproduced from the posterior's mean."""

import numpy as np
from numpy.typing import NDArray

from vae.metrics._base import Array, metric
from vae.outcome import Outcome
from vae.ssim import ssim as structural_similarity

__all__ = ["mse", "psnr", "sse", "ssim"]

SSIM_BATCH = 1000  # keeps the filtered copies of large images in the processor's cache


def _squared_errors(outcome: Outcome) -> NDArray[np.floating]:
    difference = outcome.images - outcome.reconstructions
    flat = difference.reshape(len(difference), -1)
    return np.asarray(np.einsum("ij,ij->i", flat, flat))


@metric("mse", "MSE per pixel", short="MSE", better="lower", order=1)
def mse(outcome: Outcome) -> Array:
    """Mean of (x - y)^2 over pixels and channels, x and y in [0, 1], for each image."""
    return np.asarray(_squared_errors(outcome) / outcome.images[0].size)


@metric("sse", "squared error per image", better="lower", order=2)
def sse(outcome: Outcome) -> Array:
    """Sum of (x - y)^2 over pixels and channels: the paper's reconstruction error, for each image."""
    return _squared_errors(outcome)


@metric("psnr", "PSNR", unit="dB", better="higher", digits=3, order=3)
def psnr(outcome: Outcome) -> Array:
    """Peak signal-to-noise ratio, -10 log10(MSE), for each image."""
    floor = np.finfo(np.float32).tiny
    return np.asarray(-10 * np.log10(np.maximum(_squared_errors(outcome) / outcome.images[0].size, floor)))


@metric("ssim", "SSIM", better="higher", order=4)
def ssim(outcome: Outcome) -> Array:
    """Structural similarity with a Gaussian window (Wang et al., 2004), for each image; see `vae.ssim`."""
    pairs = (
        (outcome.images[at : at + SSIM_BATCH], outcome.reconstructions[at : at + SSIM_BATCH])
        for at in range(0, len(outcome.images), SSIM_BATCH)
    )
    found = np.concatenate([structural_similarity(x, y, 1.0, np) for x, y in pairs])
    return np.asarray(np.clip(found, -1.0, 1.0))  # bright flat images leave the bounds by rounding
