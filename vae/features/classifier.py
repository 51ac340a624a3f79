"""Features of a small network that tells the classes of the data apart.

Its weights ship with the package for the built-in data sets; `python -m bench.measure.classifiers NAME ...` makes them
again, of all training images.
"""

import hashlib
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from vae.cache import read_arrays, write_arrays
from vae.datasets import Data, as_float
from vae.errors import AbsentError
from vae.features._base import FEATURES, Extract, FeatureSpace

__all__ = ["FOLDER", "SHIPPED", "Classifier", "accuracy", "fitted"]

FOLDER = Path(__file__).with_name("weights")
SHIPPED = {
    "cifar10": "680f04a5771e5e7ea245950c411109b2fbf942efaece1a35809efc254707fbcd",  # 68.3% of the test images
    "cifar100": "04c4c9d2efb3220f8fa0d556fa96919fce368c632fc62c8d5a9e3133a1a4d6ad",  # 36.0%
    "digits": "c875aefd7e4fdd45845c4a5be9b31f55f1b17e3cd429b445adb137152578bc2d",  # 98.7%
    "fashion_mnist": "3c1525f3331699d12c1fdc082e9d35a48fd75046b3e7f935fbaa8586b639023b",  # 89.5%
    "mnist": "a024a2cc0c3d3a16bd4059475979bc772ff13f9e47aca4cf5d35fc15e7ccd46b",  # 99.2%
}
"""Data set -> SHA-256 of its file of weights, in float16, beside how many test images they name rightly."""
FILTERS = (32, 64, 128)
SIZE, WIDTH = 3, 64
EPOCHS, BATCH, RATE = 12, 128, 2e-3
STEPS = 2_500  # of few images, so many steps at least
MOVED = 1 / 14  # of a side, by which training images are moved at most
SLOPE = 0.1
AT_ONCE = 500

Weights = dict[str, NDArray[np.float32]]


@FEATURES.register("classifier")
class Classifier(FeatureSpace):
    """The 64 features before the last layer of a small convolutional classifier: what matters for the classes.

    As Inception's features are for photographs (Heusel et al., 2017), for small images of few classes. Three
    convolutions of stride 2, averaged over the image, and a dense layer. For the built-in data sets in their own size
    the weights ship with the package; for other labelled images the network is trained on first use, in seconds to a
    few minutes, on the study's training images, and kept in the cache by these images' checksum and the seed.

    Attributes:
        seed: of a training on first use.
    """

    version: ClassVar[int] = 1

    name: Literal["classifier"] = "classifier"
    seed: int = Field(0, ge=0, lt=2**32)

    def fit(self, data: Data) -> Extract:
        """Find the weights, or train them.

        Raises:
            AbsentError: the data have no classes to be told apart.
        """
        if data.train.labels is None or len(data.class_names) < 2:  # noqa: PLR2004 - one class is no choice
            raise AbsentError(f"the data set '{data.name}' has no classes to be told apart")
        weights = _shipped(data) or self._kept(data)

        def extract(images: NDArray[np.float32]) -> NDArray[np.float32]:
            return np.concatenate(list(_forward(weights, images, "features"))).astype(np.float32)

        return extract

    def _kept(self, data: Data) -> Weights:
        key = f"classifier-{self.version}-{data.checksum[:32]}-{self.seed}"
        known = read_arrays(key, whole=True)
        if known and set(known[0]) >= {"mean", "scale", "features", "classes"}:
            return {name: np.asarray(value) for name, value in known[0].items()}
        weights = fitted(data, self.seed)
        write_arrays(key, weights, {})
        return weights


def fitted(data: Data, seed: int = 0, steps: int = STEPS) -> Weights:
    """Return the weights of a classifier trained on the training images.

    By cross-entropy with Adam over 12 epochs, or more where these are fewer than `steps`, the rate falling along a
    cosine; images are moved by up to a fourteenth of a side. The order and the moves are a function of the seed.
    """
    import keras

    images, labels = data.train.images, np.asarray(data.train.labels)
    known = as_float(images[:: max(len(images) // 5000, 1)], "unit")
    mean, scale = known.mean(), max(float(known.std()), 1e-3)
    model = _network(data.shape, len(data.class_names), seed)
    each = -(-len(images) // BATCH)
    epochs = max(EPOCHS, -(-steps // each))
    model.compile(
        optimizer=keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(RATE, epochs * each)),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=False,
    )
    for epoch in range(epochs):
        rng = np.random.default_rng([seed, epoch])
        order = rng.permutation(len(images))
        for at in range(0, len(order), BATCH):
            chosen = order[at : at + BATCH]
            if len(chosen) < BATCH and len(order) >= BATCH:
                chosen = order[-BATCH:]  # of one shape, so that nothing is traced twice
            moved = _moved(images[chosen], rng)
            model.train_on_batch((as_float(moved, "unit") - mean) / scale, labels[chosen])
    found = {"mean": np.float32(mean), "scale": np.float32(scale)}
    for layer in model.layers:
        if layer.weights:
            kernel, bias = (keras.ops.convert_to_numpy(value) for value in layer.weights)
            found |= {layer.name: kernel, f"{layer.name}_bias": bias}
    return {name: np.asarray(value, np.float32) for name, value in found.items()}


def _network(shape: Sequence[int], classes: int, seed: int) -> Any:
    import keras

    def start(place: int) -> Any:
        return keras.initializers.HeNormal(seed=seed * 10 + place)

    layers: list[Any] = [keras.layers.Input(tuple(shape))]
    for place, filters in enumerate(FILTERS):
        name = f"convolution_{place}"
        layers.append(
            keras.layers.Conv2D(
                filters, SIZE, strides=2, padding="same", kernel_initializer=start(place), name=name, dtype="float32"
            )
        )
        layers.append(keras.layers.LeakyReLU(SLOPE))
    layers.append(keras.layers.GlobalAveragePooling2D())
    layers.append(keras.layers.Dense(WIDTH, "relu", kernel_initializer=start(8), name="features"))
    layers.append(keras.layers.Dense(classes, kernel_initializer=start(9), name="classes"))
    return keras.Sequential(layers)


def _moved(images: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return images moved along each side, all of a batch alike; what comes in is the edge repeated."""
    height, width = images.shape[1:3]
    high, wide = int(MOVED * height), int(MOVED * width)
    down, across = rng.integers(0, 2 * high + 1), rng.integers(0, 2 * wide + 1)
    padded = np.pad(images, ((0, 0), (high, high), (wide, wide), (0, 0)), mode="edge")
    return padded[:, down : down + height, across : across + width]


def _forward(weights: Weights, images: NDArray[np.float32], until: str) -> Iterator[NDArray[np.float32]]:
    """Yield the features, or the logits of the `classes`, of images in [0, 1], some hundreds at a time."""
    from keras import ops

    for at in range(0, len(images), AT_ONCE):
        x = ops.convert_to_tensor((images[at : at + AT_ONCE] - weights["mean"]) / weights["scale"], dtype="float32")
        for place in range(len(FILTERS)):
            name = f"convolution_{place}"
            x = ops.conv(x, ops.convert_to_tensor(weights[name]), strides=2, padding="same")
            x = ops.leaky_relu(x + weights[f"{name}_bias"], SLOPE)
        x = ops.mean(x, axis=(1, 2))
        x = ops.relu(ops.matmul(x, weights["features"]) + weights["features_bias"])
        if until == "classes":
            x = ops.matmul(x, weights["classes"]) + weights["classes_bias"]
        yield ops.convert_to_numpy(x)


def accuracy(weights: Weights, images: NDArray[np.uint8], labels: NDArray[np.int64]) -> float:
    """Return the share of images whose class the network names."""
    logits = np.concatenate(list(_forward(weights, as_float(images, "unit"), "classes")))
    return float(np.mean(logits.argmax(axis=1) == labels))


def _shipped(data: Data) -> Weights | None:
    """Return the weights that ship with the package; None where they are of other images, or of another size."""
    if data.name not in SHIPPED:
        return None
    content = (FOLDER / f"{data.name}.npz").read_bytes()
    if hashlib.sha256(content).hexdigest() != SHIPPED[data.name]:
        raise AbsentError(f"the weights of the classifier of '{data.name}' are damaged: install vaebench anew")
    with np.load(io.BytesIO(content)) as archive:
        if tuple(archive["shape"]) != data.shape:
            return None
        return {name: archive[name].astype(np.float32) for name in archive.files if name != "shape"}
