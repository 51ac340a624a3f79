"""Feature spaces: what comes out is a function of the data alone, the same everywhere."""

import numpy as np
import pytest
from scipy.signal import correlate
from sklearn.decomposition import PCA

from vae.datasets import Data, DataSpec, Split, as_float, load, spread_over
from vae.features import FEATURES
from vae.features.random import weights
from vae.metrics import METRICS, Outcome
from vae.spec import RunSpec
from vae.training import train

DIGITS = load(DataSpec(name="digits"))
IMAGES = as_float(DIGITS.test.images[:40], "unit")


@pytest.mark.parametrize("name", FEATURES)
def test_features_are_finite_and_the_same_again(name: str) -> None:
    one, two = (FEATURES[name].shared({"name": name}, "").fit(DIGITS)(IMAGES) for _ in range(2))
    np.testing.assert_array_equal(one, two)
    assert one.shape == (40, 64)
    assert one.dtype == np.float32
    assert np.isfinite(one).all()
    # Of each image by itself, whatever stands beside it.
    alone = FEATURES[name].shared({"name": name}, "").fit(DIGITS)(IMAGES[7:8])
    np.testing.assert_allclose(alone[0], one[7], atol=1e-4)


def test_components_are_scikit_learns() -> None:
    known = as_float(DIGITS.train.images, "unit").reshape(len(DIGITS.train.images), -1)
    expected = PCA(10, svd_solver="full").fit(known).transform(IMAGES.reshape(len(IMAGES), -1))
    found = FEATURES["pca"].shared({"name": "pca", "components": 10}, "").fit(DIGITS)(IMAGES)
    np.testing.assert_allclose(np.abs(found), np.abs(expected), atol=1e-4)


def test_many_pixels_have_components_too() -> None:
    images = np.random.default_rng(0).integers(0, 256, (30, 40, 40, 1)).astype(np.uint8)
    data = Data("noise", Split(images, None), Split(images, None), (), "0" * 64, "", "")
    assert FEATURES["pca"].shared({"name": "pca"}, "").fit(data)(as_float(images, "unit")).shape == (30, 30)


def test_random_weights_are_the_same_on_every_machine() -> None:
    first, second, third = weights(1)
    assert [one.shape for one in (first, second, third)] == [(3, 3, 1, 32), (3, 3, 32, 64), (3, 3, 64, 64)]
    np.testing.assert_allclose(first.ravel()[:4], [0.617041, 0.498435, -0.112011, -0.245777], atol=1e-5)
    assert float(third.sum()) == pytest.approx(22.6431, abs=1e-2)


def test_the_first_layer_is_a_correlation_of_standardised_pixels() -> None:
    # One channel of one layer by hand; the rest is the same again.
    from keras import ops

    image = np.random.default_rng(0).standard_normal((1, 9, 9, 1)).astype(np.float32)
    kernel = weights(1)[0]
    found = ops.convert_to_numpy(ops.conv(ops.convert_to_tensor(image), kernel, strides=2, padding="same"))
    expected = correlate(np.pad(image[0, :, :, 0], 1), kernel[:, :, 0, 5], mode="valid")[::2, ::2]
    np.testing.assert_allclose(found[0, :, :, 5], expected, atol=1e-5)


def test_places_are_spread_evenly() -> None:
    assert spread_over(3, 10).tolist() == [0, 1, 2]
    assert spread_over(0, 10).tolist() == []
    assert len(set(spread_over(1000, 300).tolist())) == 300


def test_samples_are_measured_beside_their_floor() -> None:
    spec = RunSpec.parse(
        {
            "data": {"limit": 300, "test_limit": 120},
            "model": {"name": "dense_vae", "latent_dim": 4, "hidden_units": [16]},
            "train": {"epochs": 2},
        },
        "",
    )
    data = load(spec.data)
    outcome = Outcome(train(spec).model, data, spec)
    measured = [name for name in METRICS if "_pca" in name or "_random" in name]
    assert len(measured) == 2 * (8 + 6 + 1)
    values = {name: METRICS[name].measure(outcome) for name in measured}
    again = Outcome(outcome.model, data, spec)
    assert values == {name: METRICS[name].measure(again) for name in measured}
    for space in ("pca", "random"):
        assert values[f"frechet_{space}"] > values[f"frechet_{space}_floor"], "two epochs draw no digits"
        assert values[f"coverage_{space}"] < values[f"coverage_{space}_floor"]
        assert values[f"kid_{space}"] > values[f"kid_{space}_floor"]
    point = RunSpec.parse(spec.settings() | {"model": {"name": "dense", "latent_dim": 4}, "loss": {}}, "")
    bare = Outcome(train(point).model, data, point)
    assert METRICS["frechet_pca"].measure(bare) is None
    assert METRICS["frechet_expost_pca"].measure(bare) > 0, "a mixture of its codes draws where there is no prior"
    assert METRICS["frechet_pca_floor"].measure(bare) == values["frechet_pca_floor"]
