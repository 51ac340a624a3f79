"""Fully connected networks: the paper's baseline (Listing 1) and the same with a Gaussian latent."""

from math import prod
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from vae.layers import Dense, Flatten, Layer, Reshape, Shape
from vae.networks._base import NETWORKS
from vae.networks._layered import LayeredNetwork

__all__ = ["DenseAutoencoder", "DenseVAE"]


class _Dense(LayeredNetwork):
    """Dense layers of `hidden_units`, ReLU, to the latent space and, in reverse, back.

    Attributes:
        hidden_units: widths of the encoder's layers; the decoder has the same in reverse.
    """

    hidden_units: tuple[Annotated[int, Field(ge=1)], ...] = Field((64, 32), min_length=1)

    def encoder_layers(self, shape: Shape) -> tuple[Layer, ...]:  # noqa: ARG002 - any image is flattened
        """Return Flatten and the hidden layers."""
        return (Flatten(), *(Dense(units, "relu") for units in self.hidden_units))

    def decoder_layers(self, shape: Shape) -> tuple[Layer, ...]:
        """Return the first, latent-sized layer of Listing 1, the hidden layers in reverse, and the image."""
        hidden = (Dense(units, "relu") for units in self.hidden_units[::-1])
        return (Dense(self.latent_dim, "relu"), *hidden, Dense(prod(shape), self.output), Reshape(shape))


@NETWORKS.register("dense")
class DenseAutoencoder(_Dense):
    """Listing 1 to the letter: a deterministic autoencoder, 64-32-latent with ReLU, called a VAE by the paper."""

    deterministic: ClassVar[bool] = True
    latent_activation: ClassVar[Literal["linear", "relu"]] = "relu"

    name: Literal["dense"] = "dense"


@NETWORKS.register("dense_vae")
class DenseVAE(_Dense):
    """The same layers with a Gaussian posterior: linear z_mean and z_log_var (Kingma and Welling, 2014)."""

    name: Literal["dense_vae"] = "dense_vae"
