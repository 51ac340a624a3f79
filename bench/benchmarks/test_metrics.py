"""Metrics on a whole test split."""

from typing import Any

import numpy as np

from vae.metrics.floor import pca_curve
from vae.ssim import ssim

IMAGES = 10_000


def _pictures(*shape: int) -> Any:
    return np.random.default_rng(0).random(shape, dtype=np.float32)


def test_ssim(benchmark: Any) -> None:
    """Time the structural similarity of 10,000 pairs of 28x28 images."""
    x = _pictures(IMAGES, 28, 28, 1)
    y = np.clip(x + 0.1, 0, 1)
    values = benchmark(lambda: ssim(x, y, 1.0, np))
    assert values.shape == (IMAGES,)


def test_ssim_of_scikit_image(benchmark: Any) -> None:
    """Time scikit-image on the same images, a tenth of them, to compare."""
    from skimage.metrics import structural_similarity

    x = _pictures(IMAGES // 10, 28, 28, 1)
    y = np.clip(x + 0.1, 0, 1)
    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 1.0}
    values = benchmark(
        lambda: [structural_similarity(a[..., 0], b[..., 0], **options) for a, b in zip(x, y, strict=True)]
    )
    np.testing.assert_allclose(values, ssim(x, y, 1.0, np), atol=1e-4)


def test_pca_floor(benchmark: Any) -> None:
    """Time the floor of every latent size at once, on 10,000 training images of 28x28."""
    images = (255 * _pictures(IMAGES, 28, 28, 1)).astype(np.uint8)
    curve = benchmark(lambda: pca_curve(images, images[:1000], 256))
    assert curve.shape == (257,)
