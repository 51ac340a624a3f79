"""An adversarial term in one loss: the critic learns from the decoder's images, the decoder from the critic."""

from typing import Any

import keras
from keras import ops
from pydantic import Field

import vaebench as vb


@vb.TERMS.register("critic")
class Critic(vb.Term):
    """softplus(-D(x)) + softplus(D(stop(y))) for the critic D, and softplus(-D'(y)), D' held, for the decoder."""

    weight: float = Field(0.0, ge=0)
    filters: int = 4

    def build(self, shape: tuple[int, ...], latent_dim: int) -> Any:
        return keras.Sequential(
            [
                keras.Input(shape),
                keras.layers.Conv2D(self.filters, 3, 2, activation="leaky_relu"),
                keras.layers.Flatten(),
                keras.layers.Dense(1),
            ]
        )

    def __call__(self, outputs: vb.Outputs) -> Any:
        real, made = outputs.own(outputs.image), outputs.own(ops.stop_gradient(outputs.reconstruction))
        fooled = vb.frozen(outputs.own, outputs.reconstruction)
        return ops.softplus(-real[:, 0]) + ops.softplus(made[:, 0]) + ops.softplus(-fooled[:, 0])
