"""A network described by layers: what it costs is known before it is built."""

from abc import abstractmethod
from collections.abc import Iterator
from typing import Any

from vae.layers import Layer, Shape
from vae.networks._base import Network

__all__ = ["LayeredNetwork"]


class LayeredNetwork(Network):
    """A network that is a list of `vae.layers`, from which both its Keras models and its cost follow."""

    @abstractmethod
    def encoder_layers(self, shape: Shape) -> tuple[Layer, ...]:
        """Return the layers from an image of `shape` (height, width, channels) to a vector of features."""

    @abstractmethod
    def decoder_layers(self, shape: Shape) -> tuple[Layer, ...]:
        """Return the layers from a latent vector to an image of exactly `shape`."""

    def build(self, shape: Shape, latent: int) -> tuple[Any, Any]:
        """Return the Keras models (encoder, decoder)."""
        encoder, decoder = self.pieces(shape, latent)
        return encoder, decoder

    def pieces(self, shape: Shape, latent: int) -> Iterator[Any]:
        """Yield the encoder, then the decoder."""
        yield _model(self.encoder_layers(shape), shape, "image")
        yield _model(self.decoder_layers(shape), (latent,), "z")


def _model(layers: tuple[Layer, ...], shape: Shape, name: str) -> Any:
    import keras

    first = x = keras.Input(shape, name=name)
    for layer in layers:
        x = layer.build()(x)
    return keras.Model(first, x)
