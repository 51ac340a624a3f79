"""The classifier whose features samples are compared in: shipped, or trained on first use and kept."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from vae.datasets import Data, DataSpec, Split, as_float, load
from vae.features import classifier
from vae.features.classifier import FOLDER, SHIPPED, Classifier, accuracy, fitted
from vae.metrics import METRICS, Outcome
from vae.spec import RunSpec

CLOTHES = "/usr/share/datasets/fashion-mnist"
DIGITS = load(DataSpec())
LABELS = np.asarray(DIGITS.test.labels)


def weights_of(data: Data) -> dict[str, Any]:
    found = classifier._shipped(data)
    assert found is not None
    return found


def halves() -> Data:
    """Return images that are brighter above or below."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 200)
    images = rng.integers(0, 120, (200, 12, 12, 1))
    for image, label in zip(images, labels, strict=True):
        image[:6] += 100 * label
        image[6:] += 100 * (1 - label)
    train, test = (Split(images[part].astype(np.uint8), labels[part]) for part in (slice(150), slice(150, None)))
    return Data("halves", train, test, ("below", "above"), "2" * 64, "", "")


def test_each_built_in_labelled_data_set_has_its_weights() -> None:
    assert sorted(SHIPPED) == ["cifar10", "cifar100", "digits", "fashion_mnist", "mnist"]
    assert sorted(path.stem for path in FOLDER.glob("*.npz")) == sorted(SHIPPED)
    assert all(path.stat().st_size < 300_000 for path in FOLDER.iterdir())


def test_the_shipped_weights_tell_the_classes(require_data: Any) -> None:
    assert accuracy(weights_of(DIGITS), DIGITS.test.images, LABELS) > 0.97
    require_data(CLOTHES)
    clothes = load(DataSpec(name="fashion_mnist", limit=100, test_limit=1000))
    assert accuracy(weights_of(clothes), clothes.test.images, np.asarray(clothes.test.labels)) > 0.88


def test_the_features_are_those_of_the_network_in_keras() -> None:
    import keras

    weights = weights_of(DIGITS)
    model = classifier._network(DIGITS.shape, 10, seed=0)
    for layer in model.layers:
        if layer.weights:
            layer.set_weights([weights[layer.name], weights[f"{layer.name}_bias"]])
    images = as_float(DIGITS.test.images[:30], "unit")
    standard = (images - weights["mean"]) / weights["scale"]
    within = keras.Model(model.inputs[0], model.get_layer("features").output)
    expected = keras.ops.convert_to_numpy(within(standard))
    np.testing.assert_allclose(Classifier().fit(DIGITS)(images), expected, atol=1e-4)
    named = keras.ops.convert_to_numpy(model(standard)).argmax(axis=1)
    assert accuracy(weights, DIGITS.test.images[:30], LABELS[:30]) == np.mean(named == LABELS[:30])


def test_weights_that_are_not_those_shipped_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SHIPPED, "digits", "0" * 64)
    outcome = Outcome(None, DIGITS, RunSpec())
    with pytest.raises(Exception, match="damaged: install vaebench anew"):
        Classifier().fit(DIGITS)
    assert METRICS["frechet_classifier_floor"].measure(outcome) is None


def test_other_labelled_images_train_one_on_first_use_and_keep_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setenv("VAEBENCH_CACHE", str(tmp_path))
    data = halves()
    asked: list[int] = []

    def once(data: Data, seed: int = 0) -> dict[str, Any]:
        asked.append(seed)
        return fitted(data, seed, steps=300)

    monkeypatch.setattr(classifier, "fitted", once)
    images = as_float(data.test.images, "unit")
    first, again = Classifier().fit(data)(images), Classifier().fit(data)(images)
    assert asked == [0], "the second comes from the cache"
    np.testing.assert_array_equal(first, again)
    other = Classifier(seed=1).fit(data)(images)
    assert asked == [0, 1]
    assert not np.array_equal(first, other)
    assert accuracy(fitted(data, steps=300), data.test.images, np.asarray(data.test.labels)) > 0.9
    moved = replace(data, checksum="1" * 64)
    Classifier().fit(moved)
    assert asked == [0, 1, 0], "other images, other weights"


def test_images_of_another_size_have_their_own() -> None:
    small = replace(DIGITS, train=Split(DIGITS.train.images[:, :7], DIGITS.train.labels))
    assert classifier._shipped(small) is None


def test_without_classes_there_is_nothing_to_tell_apart() -> None:
    bare = replace(DIGITS, train=Split(DIGITS.train.images), test=Split(DIGITS.test.images), class_names=())
    assert METRICS["frechet_classifier_floor"].measure(Outcome(None, bare, RunSpec())) is None
    floor = METRICS["frechet_classifier_floor"].measure(Outcome(None, DIGITS, RunSpec()))
    assert floor is not None
    assert floor > 0
