"""The model on the Keras backend named in KERAS_BACKEND: the same code, two steps."""

import os
from typing import Any

import keras
import numpy as np
import pytest

from vae.environment import describe
from vae.evaluation import evaluate
from vae.spec import RunSpec
from vae.training import train

pytestmark = pytest.mark.backend


@pytest.mark.parametrize("name", ["dense", "dense_vae", "conv"])
@pytest.mark.parametrize("likelihood", ["squared_error", "gaussian"])
def test_two_steps_change_every_weight_and_lower_the_loss(name: str, likelihood: str) -> None:
    assert keras.backend.backend() == os.environ["KERAS_BACKEND"]
    settings: dict[str, Any] = {
        "data": {"limit": 64, "test_limit": 32},
        "model": {"name": name, "latent_dim": 3},
        "loss": {"ssim": {"weight": 1.0}, "reconstruction": {"likelihood": likelihood}, "kl": {"schedule": "warmup"}},
        "train": {"epochs": 2, "batch_size": 64, "learning_rate": 1e-2},
    }
    trained = train(RunSpec.parse(settings, ""))
    assert trained.history[1]["loss"] < trained.history[0]["loss"]
    again = train(RunSpec.parse(settings, ""))
    for one, two in zip(trained.model.get_weights(), again.model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)
    metrics = evaluate(trained).metrics
    assert np.isfinite([value for value in metrics.values() if value is not None]).all()


def test_the_machine_is_described() -> None:
    assert describe()["backend"] == os.environ["KERAS_BACKEND"]
    assert describe()["device"]


def test_a_scheduled_weight_moves_within_an_epoch() -> None:
    kl = {"weight": 0.01, "schedule": "warmup", "ramp": 1.0}
    settings: dict[str, Any] = {
        "data": {"limit": 64, "test_limit": 8},
        "model": {"name": "dense_vae", "latent_dim": 2},
        "loss": {"kl": kl},
        "train": {"epochs": 1, "batch_size": 16},
    }
    moved = train(RunSpec.parse(settings, ""))
    # The weights of the four steps are 0, 1/4, 2/4 and 3/4 of the whole.
    assert float(moved.model.term_weights["kl"]) == pytest.approx(0.0075)
    row = moved.history[0]
    assert row["loss"] - row["reconstruction"] > 0.001 * row["kl"]


def test_noise_differs_from_step_to_step_and_not_from_run_to_run() -> None:
    settings = {"data": {"limit": 8, "test_limit": 8}, "model": {"name": "dense_vae", "latent_dim": 2}}
    model = train(RunSpec.parse(settings | {"train": {"epochs": 1}}, "")).model
    images = np.random.default_rng(0).random((8, 8, 8, 1), dtype=np.float32)
    draws = [np.asarray(keras.ops.convert_to_numpy(model(images, training=True)["z"])) for _ in range(2)]
    assert not np.array_equal(draws[0], draws[1])
    again = train(RunSpec.parse(settings | {"train": {"epochs": 1}}, "")).model
    first = np.asarray(keras.ops.convert_to_numpy(again(images, training=True)["z"]))
    np.testing.assert_array_equal(first, draws[0])
