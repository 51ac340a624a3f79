"""Which images a run is about: the settings that every data set has, and the registry that they name one of."""

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from pydantic import Field, field_validator

from vae._frozen import Part, canonical_json
from vae.registry import Registry

if TYPE_CHECKING:
    from vae.datasets._base import Dataset

__all__ = ["DATASETS", "RANGES", "SMALLEST_SIDE", "DataSpec"]

DATASETS: Registry[type["Dataset"]] = Registry("data set", "vae.datasets")
RANGES: Mapping[str, tuple[float, float]] = {"unit": (0.0, 1.0), "symmetric": (-1.0, 1.0)}
SMALLEST_SIDE = 8  # pixels: below, no network has anything to fold


class DataSpec(Part):
    """Which images, how many, of what size, in what range.

    Attributes:
        name: an entry of `vae.datasets.DATASETS`.
        limit: at most so many training images, class-balanced and deterministic; all without it.
        test_limit: the same for the test images.
        path: the folder or zip file, for `image_folder` and `celeba`.
        size: (height, width) in pixels to resize to; images that differ in size get the commonest without it.
        range: `unit` scales pixels to [0, 1], `symmetric` to [-1, 1].
        test_fraction: share of the images held out where the data set has no official split.
        split_seed: seed of that split.
    """

    name: str = "digits"
    limit: int | None = Field(None, ge=2)
    test_limit: int | None = Field(None, ge=2)
    path: str | None = None
    size: tuple[int, int] | None = None
    range: Literal["unit", "symmetric"] = "unit"
    test_fraction: float = Field(0.3, gt=0, lt=1)
    split_seed: int = Field(42, ge=0, lt=2**32)

    @cached_property
    def identity(self) -> str:
        """The canonical JSON of the settings but the path: where the data lies plays no part, only what it is."""
        settings = self.settings()
        del settings["path"]
        return canonical_json(settings)

    @field_validator("name")
    @classmethod
    def _known(cls, name: str) -> str:
        DATASETS[name]
        return name

    @field_validator("size")
    @classmethod
    def _large_enough(cls, size: tuple[int, int] | None) -> tuple[int, int] | None:
        if size is not None and min(size) < SMALLEST_SIDE:
            raise ValueError(f"got {size}, but height and width must be at least {SMALLEST_SIDE} pixels")
        return size
