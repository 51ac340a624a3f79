"""The convolutional VAE of the paper's Listings 5 and 6, for images of any size."""

from collections.abc import Mapping
from math import floor, log2, prod
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from vae.layers import (
    Conv,
    ConvTranspose,
    Crop,
    Dense,
    Flatten,
    Layer,
    LeakyReLU,
    Normalization,
    Reshape,
    Shape,
)
from vae.networks._base import NETWORKS
from vae.networks._layered import LayeredNetwork

__all__ = ["ConvVAE"]

Width = Annotated[int, Field(ge=1)]
Kind = Literal["none", "batch", "group"]
FILTERS = (32, 64, 128, 256)


@NETWORKS.register("conv")
class ConvVAE(LayeredNetwork):
    """Strided convolutions down to a dense layer, and transposed ones back up.

    An image of height H and width W passes n = max(floor(log2(min(H, W))) - 2, 1) blocks, at most four (the paper's
    rule), each a convolution of stride 2, an optional normalisation and a LeakyReLU.

    Attributes:
        decoder: `mirrored` turns the encoder's filters round (128, 64, 32); `paper` takes Listing 6's list to the
            letter, whose filters grow with resolution (64, 128, 256), at several times the arithmetic.
        blocks: number of blocks, instead of the rule's.
        filters: filters of each block of the encoder, instead of 32, 64, 128, 256.
        hidden_units: widths of the dense layers between blocks and latent space.
        normalization: `none` (default of the mirrored decoder), `batch` (default of the paper's) or `group`.
        momentum: of the moving statistics of batch normalisation; 0.99 is the paper's.
        statistics: what batch normalisation uses at evaluation: `reestimated` on training images after training
            (Wu and Johnson, 2021), or the `moving` averages, which lag in short runs.
    """

    name: Literal["conv"] = "conv"
    decoder: Literal["mirrored", "paper"] = "mirrored"
    blocks: int | None = Field(None, ge=1, le=8)
    filters: tuple[Width, ...] | None = Field(None, min_length=1, max_length=8)
    hidden_units: tuple[Width, ...] = Field((512,), min_length=1)
    normalization: Kind = "none"
    momentum: float = Field(0.9, gt=0, lt=1)
    statistics: Literal["reestimated", "moving"] = "reestimated"

    @model_validator(mode="before")
    @classmethod
    def _default_normalization(cls, settings: Any) -> Any:
        """Fill in the decoder's own default, so that equal networks have equal specs."""
        if isinstance(settings, Mapping) and settings.get("normalization") is None:
            kind: Kind = "batch" if settings.get("decoder") == "paper" else "none"
            return {**settings, "normalization": kind}
        return settings

    @model_validator(mode="after")
    def _one_depth(self) -> Self:
        if self.blocks is not None and self.filters is not None and self.blocks != len(self.filters):
            raise ValueError(
                f"got {self.blocks} blocks and {len(self.filters)} filters: give one of the two, or as many"
            )
        return self

    @property
    def reestimated(self) -> bool:
        """Whether the statistics of batch normalisation are re-estimated on training images after training."""
        return self.statistics == "reestimated"

    def depth(self, shape: Shape) -> int:
        """Return the number of blocks for an image of `shape`."""
        if self.filters is not None:
            return len(self.filters)
        if self.blocks is not None:
            return self.blocks
        return min(max(floor(log2(min(shape[:2]))) - 2, 1), len(FILTERS))

    def _down(self, shape: Shape) -> tuple[int, ...]:
        n = self.depth(shape)
        base = self.filters or FILTERS + FILTERS[-1:] * (n - len(FILTERS))
        return base[:n]

    def _up(self, shape: Shape) -> tuple[int, ...]:
        down = self._down(shape)
        if self.decoder == "mirrored":
            return down[::-1]
        return (self.filters or FILTERS)[-len(down) :] if len(down) <= len(FILTERS) else down

    def _block(self, layer: Layer) -> tuple[Layer, ...]:
        if self.normalization == "none":
            return (layer, LeakyReLU())
        if isinstance(layer, Conv | ConvTranspose) and self.normalization == "group":
            # As many groups as divide the filters, eight at most.
            groups = max(g for g in range(1, 9) if layer.filters % g == 0)
            return (layer, Normalization("group", groups=groups), LeakyReLU())
        return (layer, Normalization("batch", momentum=self.momentum), LeakyReLU())

    def _trunk(self, shape: Shape) -> tuple[Layer, ...]:
        return tuple(part for filters in self._down(shape) for part in self._block(Conv(filters, stride=2)))

    def encoder_layers(self, shape: Shape) -> tuple[Layer, ...]:
        """Return Listing 5: blocks, then the dense layers."""
        hidden = (part for units in self.hidden_units for part in (Dense(units), LeakyReLU()))
        return (*self._trunk(shape), Flatten(), *hidden)

    def decoder_layers(self, shape: Shape) -> tuple[Layer, ...]:
        """Return Listing 6: dense layers, blocks, the output convolution, and the crop to the exact size.

        Zero padding convolutions make ceil(size / 2^n) pixels on the way down, so the way up never falls short and
        cropping alone restores any size (the paper's problems 3.3.3 and 3.3.4).
        """
        small = shape
        for layer in self._trunk(shape):
            small = layer.shape(small)
        layers: list[Layer] = []
        for units in (*self.hidden_units[::-1], prod(small)):
            layers += [Dense(units), LeakyReLU()]
        layers.append(Reshape(small))
        for filters in self._up(shape):
            layers += self._block(ConvTranspose(filters, stride=2))
        layers.append(ConvTranspose(shape[2], activation=self.output))
        scale = 2 ** self.depth(shape)
        height, width = small[0] * scale - shape[0], small[1] * scale - shape[1]
        if height or width:
            layers.append(Crop(height, width))
        return tuple(layers)
