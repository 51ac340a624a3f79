"""A traced model that is used again trains to the bits of a new one."""

from typing import Any

import numpy as np
import pytest

from vae import RunSpec, train
from vae.datasets import load
from vae.reuse import Models
from vae.training import Trained

SMALL: dict[str, Any] = {
    "data": {"name": "digits", "limit": 96, "test_limit": 32},
    "train": {"epochs": 2, "batch_size": 40, "seed": 0},
}
NETWORKS: dict[str, dict[str, Any]] = {
    "dense_vae": {"name": "dense_vae", "hidden_units": [8], "latent_dim": 2},
    "conv": {"name": "conv", "filters": [4], "hidden_units": [8], "latent_dim": 2, "normalization": "batch"},
}
GAUSSIAN: dict[str, Any] = {"reconstruction": {"likelihood": "gaussian"}, "kl": {"schedule": "warmup"}}


def spec(name: str = "dense_vae", *, loss: dict[str, Any] | None = None, **settings: Any) -> RunSpec:
    table = SMALL | {"model": NETWORKS[name], "train": SMALL["train"] | settings}
    return RunSpec.parse(table | ({"loss": loss} if loss else {}), "test")


def numbers(trained: Trained) -> list[Any]:
    """Return all that training decides: weights, optimizer, statistics, history."""
    variables = [*trained.model.variables, *trained.model.optimizer.variables]
    history = [{name: value for name, value in row.items() if name != "seconds"} for row in trained.history]
    return [np.asarray(variable) for variable in variables] + [history]


def assert_equal(one: list[Any], other: list[Any]) -> None:
    assert len(one) == len(other)
    assert one[-1] == other[-1]
    for left, right in zip(one[:-1], other[:-1], strict=True):
        np.testing.assert_array_equal(left, right)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (spec(), spec(seed=1, learning_rate=3e-3)),
        (spec("conv"), spec("conv", seed=1, epochs=1)),
        (spec(loss={"kl": {"weight": 1e-2}}), spec(loss={"kl": {"weight": 1e-4}})),
        (
            spec(loss={"reconstruction": {"likelihood": "gaussian"}, "kl": {"schedule": "warmup"}}),
            spec(
                loss={"reconstruction": {"likelihood": "gaussian"}, "kl": {"schedule": "warmup", "weight": 0.1}}, seed=2
            ),
        ),
    ],
    ids=["seed and rate", "statistics", "weight", "scalars and schedule"],
)
def test_the_same_bits_with_a_used_model(before: RunSpec, after: RunSpec) -> None:
    data = load(after.data)
    fresh = numbers(train(after, data))
    models = Models()
    first = train(before, data, models=models).model
    second = train(after, data, models=models)
    assert second.model is first
    assert_equal(numbers(second), fresh)
    assert second.model.get_config() == train(after, data).model.get_config()


@pytest.mark.parametrize(
    "other",
    [
        spec(loss={"ssim": {"weight": 1.0}}),
        spec(clip_norm=1.0),
        spec(batch_size=32),
        spec("conv"),
    ],
    ids=["term", "clip", "batch", "network"],
)
def test_another_graph_is_another_model(other: RunSpec) -> None:
    models = Models()
    shape = (8, 8, 1)
    with models.lend(spec(), shape) as one:
        pass
    with models.lend(other, shape) as two:
        assert two is not one
    with models.lend(spec(seed=3), shape) as three:
        assert three is one


def test_a_model_that_failed_and_the_least_recently_used_are_dropped() -> None:
    models, shape = Models(kept=1), (8, 8, 1)
    with pytest.raises(ZeroDivisionError), models.lend(spec(), shape) as broken:
        1 / 0  # noqa: B018
    with models.lend(spec(), shape) as one:
        assert one is not broken
    with models.lend(spec(batch_size=32), shape):
        pass
    with models.lend(spec(), shape) as again:
        assert again is not one
