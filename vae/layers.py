"""Layers as plain values: each knows its output shape, its parameters, its operations and its Keras layer."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from math import ceil, prod
from typing import Any, Literal

__all__ = [
    "Activation",
    "Conv",
    "ConvTranspose",
    "Crop",
    "Dense",
    "Flatten",
    "Layer",
    "LeakyReLU",
    "Normalization",
    "Reshape",
    "Shape",
]

Shape = tuple[int, ...]
Activation = Literal["linear", "relu", "sigmoid", "tanh"]


class Layer(ABC):
    """One step of a network, described and not yet built."""

    @abstractmethod
    def shape(self, given: Shape) -> Shape:
        """Return the shape of one output, for one input of shape `given`."""

    def parameters(self, given: Shape) -> int:  # noqa: ARG002 - most layers have none
        """Return the number of trainable parameters."""
        return 0

    def flops(self, given: Shape) -> int:  # noqa: ARG002 - activations and reshapes are not counted, as is usual
        """Return the operations for one input: two a multiply-add of its matrix products, the rest left out."""
        return 0

    @abstractmethod
    def build(self) -> Any:
        """Return the Keras layer."""


@dataclass(frozen=True)
class Dense(Layer):
    """A fully connected layer."""

    units: int
    activation: Activation = "linear"

    def shape(self, given: Shape) -> Shape:
        """Return (units,)."""
        return (*given[:-1], self.units)

    def parameters(self, given: Shape) -> int:
        """Return weights and biases."""
        return (given[-1] + 1) * self.units

    def flops(self, given: Shape) -> int:
        """Return those of the matrix product."""
        return 2 * given[-1] * self.units

    def build(self) -> Any:
        """Return the Keras layer."""
        import keras

        return keras.layers.Dense(self.units, activation=self.activation)


@dataclass(frozen=True)
class Conv(Layer):
    """A 2-D convolution, zero-padded so that only the stride shrinks the image."""

    filters: int
    kernel: int = 3
    stride: int = 1
    activation: Activation = "linear"

    def shape(self, given: Shape) -> Shape:
        """Return (ceil(height / stride), ceil(width / stride), filters)."""
        return (ceil(given[0] / self.stride), ceil(given[1] / self.stride), self.filters)

    def parameters(self, given: Shape) -> int:
        """Return weights and biases."""
        return (self.kernel**2 * given[2] + 1) * self.filters

    def flops(self, given: Shape) -> int:
        """Return those of the kernel at each output pixel."""
        height, width, _ = self.shape(given)
        return 2 * height * width * self.kernel**2 * given[2] * self.filters

    def build(self) -> Any:
        """Return the Keras layer."""
        import keras

        return keras.layers.Conv2D(
            self.filters, self.kernel, strides=self.stride, padding="same", activation=self.activation
        )


@dataclass(frozen=True)
class ConvTranspose(Layer):
    """A transposed 2-D convolution that multiplies height and width by the stride."""

    filters: int
    kernel: int = 3
    stride: int = 1
    activation: Activation = "linear"

    def shape(self, given: Shape) -> Shape:
        """Return (height * stride, width * stride, filters)."""
        return (given[0] * self.stride, given[1] * self.stride, self.filters)

    def parameters(self, given: Shape) -> int:
        """Return weights and biases."""
        return (self.kernel**2 * given[2] + 1) * self.filters

    def flops(self, given: Shape) -> int:
        """Return those of the kernel at each input pixel."""
        return 2 * given[0] * given[1] * self.kernel**2 * given[2] * self.filters

    def build(self) -> Any:
        """Return the Keras layer."""
        import keras

        from vae.kernels import fast

        return fast(keras.layers.Conv2DTranspose)(
            self.filters, self.kernel, strides=self.stride, padding="same", activation=self.activation
        )


@dataclass(frozen=True)
class Normalization(Layer):
    """Batch (Ioffe and Szegedy, 2015) or group (Wu and He, 2018) normalisation of the channels."""

    kind: Literal["batch", "group"]
    momentum: float = 0.9
    groups: int = 8

    def shape(self, given: Shape) -> Shape:
        """Return the input's shape."""
        return given

    def parameters(self, given: Shape) -> int:
        """Return scale and offset of each channel; moving statistics are not trained."""
        return 2 * given[-1]

    def build(self) -> Any:
        """Return the Keras layer."""
        import keras

        from vae.kernels import fast

        if self.kind == "batch":
            return fast(keras.layers.BatchNormalization)(momentum=self.momentum)
        return keras.layers.GroupNormalization(groups=self.groups)


@dataclass(frozen=True)
class LeakyReLU(Layer):
    """max(x, slope x), with Keras' default slope, which is what the paper used."""

    slope: float = 0.3

    def shape(self, given: Shape) -> Shape:
        """Return the input's shape."""
        return given

    def build(self) -> Any:
        """Return the Keras layer."""
        import keras

        return keras.layers.LeakyReLU(negative_slope=self.slope)


@dataclass(frozen=True)
class Flatten(Layer):
    """An image to a vector."""

    def shape(self, given: Shape) -> Shape:
        """Return (number of values,)."""
        return (prod(given),)

    def build(self) -> Any:
        """Return the Keras layer."""
        import keras

        return keras.layers.Flatten()


@dataclass(frozen=True)
class Reshape(Layer):
    """A vector to an image."""

    target: Shape

    def shape(self, given: Shape) -> Shape:  # noqa: ARG002 - the target says it all
        """Return the target."""
        return self.target

    def build(self) -> Any:
        """Return the Keras layer."""
        import keras

        return keras.layers.Reshape(self.target)


@dataclass(frozen=True)
class Crop(Layer):
    """Cut a border off, the odd pixel at the bottom and right."""

    height: int
    width: int

    def shape(self, given: Shape) -> Shape:
        """Return the input's shape less the border."""
        return (given[0] - self.height, given[1] - self.width, given[2])

    def build(self) -> Any:
        """Return the Keras layer."""
        import keras

        top, left = self.height // 2, self.width // 2
        return keras.layers.Cropping2D(((top, self.height - top), (left, self.width - left)))
