"""The five problems that the paper met (3.3.1 to 3.3.5), and its two silent ones, as regression tests."""

from typing import Any

import keras
import numpy as np
import pytest

from vae.errors import SpecError
from vae.model import VAE
from vae.networks import NETWORKS
from vae.terms import TERMS

X = np.random.default_rng(0).random((24, 10, 13, 3), dtype=np.float32)
LABELS = np.zeros(24, np.int64)


def vae(shape: tuple[int, int, int] = (10, 13, 3), **options: Any) -> VAE:
    network = NETWORKS["conv"].parse(
        {"name": "conv", "latent_dim": 2, "filters": [4], "hidden_units": [8], **options}, ""
    )
    model = VAE(network, {name: term() for name, term in TERMS.items()}, shape)
    model.compile(optimizer="adam")
    return model


@pytest.mark.parametrize("validation", [X, (X,), (X, None), (X, LABELS)], ids=["x", "(x,)", "(x, None)", "(x, y)"])
def test_3_3_1_validation_data_adds_no_dimension(validation: Any) -> None:
    history = vae().fit(X, validation_data=validation, epochs=1, verbose=0).history
    assert np.isfinite(history["val_loss"][-1])


def test_3_3_2_the_squared_error_runs_in_a_graph_and_is_the_sum_it_says() -> None:
    model = vae()
    measured = model.evaluate(X, verbose=0, return_dict=True)
    expected = np.square(X - model.decode(model.encode(X)[0])).sum(axis=(1, 2, 3)).mean()
    assert measured["reconstruction"] == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("shape", [(8, 8, 1), (10, 13, 3), (28, 28, 1), (17, 33, 2)])
def test_3_3_3_and_3_3_4_the_output_has_the_inputs_size_without_output_padding(shape: tuple[int, int, int]) -> None:
    model = vae(shape)
    images = np.zeros((2, *shape), np.float32)
    assert model.decode(model.encode(images)[0]).shape == images.shape


@pytest.mark.parametrize(
    "pack", [lambda x, y: (x,), lambda x, y: ((x,),), lambda x, y: (x, y)], ids=["x", "(x,)", "(x, y)"]
)
def test_3_3_5_steps_take_any_form_of_batch(pack: Any) -> None:
    model = vae()
    data = pack(X, LABELS)
    keras.utils.set_random_seed(0)
    before = model.evaluate(*data, verbose=0)
    model.fit(*data, epochs=1, verbose=0)
    assert np.all(np.isfinite(model.evaluate(*data, verbose=0)))
    assert np.all(np.not_equal(before, model.evaluate(*data, verbose=0)))


def test_celeba_pixels_that_no_sigmoid_reaches_are_refused_before_the_first_step() -> None:
    model = vae()
    before = [weights.copy() for weights in model.get_weights()]
    with pytest.raises(SpecError, match=r"pixels in \[-0.9.*'sigmoid' are for \[0, 1\]"):
        model.fit((X - 0.5) * 2, epochs=1, verbose=0)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
