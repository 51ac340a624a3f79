from typing import Any

import keras
import numpy as np
import pytest

from vae.batches import Batches
from vae.datasets import load
from vae.model import VAE
from vae.reuse import build
from vae.spec import RunSpec
from vae.training import train

SPEC = RunSpec.parse(
    {
        "data": {"limit": 200, "test_limit": 20},
        "model": {"name": "conv", "latent_dim": 4, "filters": [8], "hidden_units": [16]},
        "train": {"epochs": 2, "batch_size": 32},
    },
    "",
)


def batches() -> Batches:
    return Batches(load(SPEC.data).train.images, SPEC)


def images(fed: Any) -> np.ndarray:
    return np.concatenate([np.asarray(batch[0]) for batch in fed])


def test_the_order_of_the_images_changes_with_the_epoch_alone() -> None:
    made, seen = batches(), []
    for epoch in (0, 1, 0):
        made.start(epoch)
        seen.append(images(made[index] for index in range(len(made))))
    assert len(seen[0]) == 200
    np.testing.assert_array_equal(seen[0], seen[2])
    assert (seen[0] != seen[1]).any()
    assert seen[0].sum() == pytest.approx(seen[1].sum())


def test_training_sees_each_image_once_an_epoch_in_the_order_of_that_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen: list[np.ndarray] = []
    original = Batches.__getitem__

    def spy(self: Any, index: int) -> Any:
        chosen.append(self._order[index * self._size : (index + 1) * self._size].copy())
        return original(self, index)

    monkeypatch.setattr(Batches, "__getitem__", spy)
    train(SPEC)
    # Keras looks at a batch or two before it begins, to learn their shape.
    epochs = np.concatenate(chosen[-14:]).reshape(2, 200)
    for epoch, order in enumerate(epochs):
        np.testing.assert_array_equal(order, np.random.default_rng([0, epoch]).permutation(200))


@pytest.mark.parametrize("skip", [0, 3])
def test_the_pipeline_yields_what_the_batches_are_in_the_order_drawn_last(skip: int) -> None:
    made = batches()
    made.start(0, skip)
    pipeline = made.feed()
    assert int(pipeline.cardinality()) == len(made) == 7 - skip
    for epoch in (0, 1):
        made.start(epoch, skip)
        np.testing.assert_array_equal(images(pipeline), images(made[index] for index in range(len(made))))


def test_nothing_tunes_the_pipeline_behind_our_back() -> None:
    """Its thread would keep an epoch's iterator alive until it wakes: seconds in which nothing is computed."""
    assert batches().feed().options().autotune.enabled is False


def test_fed_as_keras_would_the_weights_are_the_same_to_the_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = train(SPEC).model.get_weights()
    monkeypatch.setattr(Batches, "feed", lambda self: self)
    for one, two in zip(ours, train(SPEC).model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)


def test_other_backends_are_fed_with_the_batches_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    made = batches()
    assert made.feed() is made


def test_no_batch_and_no_later_call_traces_the_step_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    traced: list[str] = []
    original = VAE.compute_loss

    def spy(self: VAE, *args: Any, **kwargs: Any) -> Any:
        traced.append("the step")
        return original(self, *args, **kwargs)

    monkeypatch.setattr(VAE, "compute_loss", spy)
    model, made = build(SPEC, (8, 8, 1)), batches()
    model.fit(made.feed(), epochs=2, verbose=0, shuffle=False)
    assert len(traced) == 1
    made.start(2, skip=3)
    model.fit(made.feed(), epochs=1, verbose=0, shuffle=False)
    assert len(traced) == 1
