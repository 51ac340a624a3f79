import numpy as np
import pytest
from skimage.metrics import structural_similarity

from vae.ssim import ssim, window_size


def pair(shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    x = rng.random(shape, dtype=np.float32)
    return x, np.clip(x + 0.2 * rng.standard_normal(shape, dtype=np.float32), 0, 1)


@pytest.mark.parametrize("shape", [(6, 28, 28, 1), (4, 32, 32, 3), (3, 64, 40, 3), (5, 11, 13, 1)])
def test_equal_to_scikit_image(shape: tuple[int, ...]) -> None:
    x, y = pair(shape)
    expected = [
        structural_similarity(
            a, b, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=1, channel_axis=-1
        )
        for a, b in zip(x, y, strict=True)
    ]
    np.testing.assert_allclose(ssim(x, y, 1.0, np), expected, atol=1e-5)


@pytest.mark.parametrize(("side", "window"), [(8, 7), (9, 9), (10, 9)])
def test_small_images_get_a_smaller_window_with_a_sigma_to_match(side: int, window: int) -> None:
    x, y = pair((4, side, side, 1))
    assert window_size(side, side) == window
    expected = [
        structural_similarity(
            a,
            b,
            gaussian_weights=True,
            sigma=1.5 * window / 11,
            use_sample_covariance=False,
            data_range=1,
            channel_axis=-1,
        )
        for a, b in zip(x, y, strict=True)
    ]
    np.testing.assert_allclose(ssim(x, y, 1.0, np), expected, atol=1e-5)


def test_equal_images_have_one() -> None:
    x, _ = pair((3, 16, 16, 3))
    np.testing.assert_allclose(ssim(x, x, 1.0, np), 1, atol=1e-6)


def test_the_range_of_the_pixels_does_not_matter_when_it_is_told() -> None:
    x, y = pair((3, 16, 16, 1))
    np.testing.assert_allclose(ssim(2 * x, 2 * y, 2.0, np), ssim(x, y, 1.0, np), rtol=1e-5)


def test_the_term_agrees_with_the_metric_and_with_keras() -> None:
    import keras
    from keras import ops

    x, y = pair((5, 28, 28, 3))
    ours = ops.convert_to_numpy(ssim(ops.convert_to_tensor(x), ops.convert_to_tensor(y), 1.0, ops))
    np.testing.assert_allclose(ours, ssim(x, y, 1.0, np), atol=1e-5)
    if hasattr(ops.image, "ssim"):
        theirs = keras.ops.convert_to_numpy(ops.image.ssim(x, y, max_val=1.0))
        np.testing.assert_allclose(ours, theirs, atol=1e-4)
