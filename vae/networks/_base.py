"""The contract of a network, and what follows from it: the Keras models and their cost."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from pydantic import Field

from vae.layers import Dense, Layer, Shape
from vae.parts import Part
from vae.registry import Registry

__all__ = ["NETWORKS", "Cost", "Network"]

NETWORKS: Registry[type["Network"]] = Registry("model", "vae.networks")


@dataclass(frozen=True)
class Cost:
    """Trainable parameters, and the floating-point operations of one image through encoder and decoder.

    A multiplication and an addition count as two operations; a training step costs about three times as much.
    """

    parameters: int
    flops_per_image: int


class Network(Part):
    """An encoder to the mean (and log-variance) of a Gaussian posterior, and a decoder from the latent space.

    A network is described by layers (`vae.layers`), from which both its Keras models and its cost follow.

    Attributes:
        name: its entry in `NETWORKS`.
        latent_dim: number of latent dimensions.
        output: activation of the last layer, which must reach the data's range.
        precision: of the arithmetic inside: `float32`, or `bfloat16` with weights, latent heads, loss and optimizer
            still in float32 (Micikevicius et al., 2018, for the mixture; Kalamkar et al., 2019, for the format).
    """

    registry: ClassVar[Registry[Any] | None] = NETWORKS
    deterministic: ClassVar[bool] = False  # an autoencoder: no posterior variance, no sampling, no KL term
    latent_activation: ClassVar[Literal["linear", "relu"]] = "linear"

    name: str
    latent_dim: int = Field(16, ge=1)
    output: Literal["sigmoid", "tanh", "linear"] = "sigmoid"
    precision: Literal["float32", "bfloat16"] = "float32"

    @abstractmethod
    def encoder_layers(self, shape: Shape) -> tuple[Layer, ...]:
        """Return the layers from an image of `shape` (height, width, channels) to a vector of features."""

    @abstractmethod
    def decoder_layers(self, shape: Shape) -> tuple[Layer, ...]:
        """Return the layers from a latent vector to an image of exactly `shape`."""

    @property
    def reestimated(self) -> bool:
        """Whether the statistics of batch normalisation are re-estimated on training images after training."""
        return False

    @property
    def _heads(self) -> tuple[str, ...]:
        return ("z_mean",) if self.deterministic else ("z_mean", "z_log_var")

    def cost(self, shape: Shape) -> Cost:
        """Count parameters and operations without building anything."""
        parameters = flops = 0
        here: Shape = shape
        for layer in self.encoder_layers(shape):
            parameters, flops = parameters + layer.parameters(here), flops + layer.flops(here)
            here = layer.shape(here)
        head = Dense(self.latent_dim)
        parameters += len(self._heads) * head.parameters(here)
        flops += len(self._heads) * head.flops(here)
        here = (self.latent_dim,)
        for layer in self.decoder_layers(shape):
            parameters, flops = parameters + layer.parameters(here), flops + layer.flops(here)
            here = layer.shape(here)
        return Cost(parameters, flops)

    def build(self, shape: Shape) -> tuple[Any, Any]:
        """Return the Keras models (encoder, decoder).

        The encoder gives a list: z_mean (batch, latent_dim) and, unless deterministic, z_log_var of the same shape.
        All outputs are float32.
        """
        import keras

        policy = keras.config.dtype_policy()
        keras.config.set_dtype_policy("float32" if self.precision == "float32" else f"mixed_{self.precision}")
        try:
            return self._build(shape)
        finally:
            keras.config.set_dtype_policy(policy)

    def _build(self, shape: Shape) -> tuple[Any, Any]:
        import keras

        image = keras.Input(shape, name="image")
        x = image
        for layer in self.encoder_layers(shape):
            x = layer.build()(x)
        activation = None if self.latent_activation == "linear" else self.latent_activation
        heads = [
            keras.layers.Dense(self.latent_dim, activation=activation, name=head, dtype="float32")(x)
            for head in self._heads
        ]
        latent = keras.Input((self.latent_dim,), name="z")
        y = latent
        for layer in self.decoder_layers(shape):
            y = layer.build()(y)
        if self.precision != "float32":
            y = keras.layers.Activation("linear", dtype="float32", name="to_float32")(y)
        return keras.Model(image, heads, name="encoder"), keras.Model(latent, y, name="decoder")
