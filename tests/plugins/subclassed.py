"""Two subclassed models, as people write them who come from PyTorch."""

from math import prod
from typing import Any, Literal

import keras
from keras import ops

import vaebench as vb


class Encoder(keras.Model):  # type: ignore[misc]
    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = keras.layers.Dense(width, activation="relu")
        self.second = keras.layers.Dense(width, activation="relu")

    def call(self, image: Any) -> Any:
        hidden = self.first(ops.reshape(image, (-1, prod(image.shape[1:]))))
        return hidden + self.second(hidden)


class Decoder(keras.Model):  # type: ignore[misc]
    def __init__(self, width: int, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.shape = shape
        self.hidden = keras.layers.Dense(width, activation="relu")
        self.pixels = keras.layers.Dense(prod(shape), activation="sigmoid")

    def call(self, z: Any) -> Any:
        return ops.reshape(self.pixels(self.hidden(z)), (-1, *self.shape))


@vb.NETWORKS.register("subclassed")
class Subclassed(vb.Network):
    name: Literal["subclassed"] = "subclassed"
    width: int = 32

    def build(self, shape: tuple[int, ...], latent: int) -> tuple[Any, Any]:
        return Encoder(self.width), Decoder(self.width, shape)
