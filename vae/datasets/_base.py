"""Which images a run is about, and the contract of a data set."""

from abc import ABC, abstractmethod
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, field_validator

from vae.cache import read_everything
from vae.datasets._arrays import SMALLEST_SIDE, Opened
from vae.datasets._binarize import Binarize
from vae.datasets._notices import of_pixels
from vae.parts import Added, Part
from vae.registry import Registry

__all__ = ["DATASETS", "NOTICE", "DataSpec", "Dataset"]

NOTICE = "notice: "  # begins a line that asks the user to look


DATASETS: Registry[type["Dataset"]] = Registry("data set", "vae.datasets")


class DataSpec(Part):
    """Which images, how many, of what size, in what range.

    Attributes:
        name: an entry of `vae.datasets.DATASETS`.
        limit: at most so many training images, class-balanced and deterministic; all without it.
        test_limit: the same for the test images.
        path: the folder or zip file, for `image_folder` and `celeba`; the file, for `arrays`.
        size: (height, width) in pixels to resize to; images that differ in size get the commonest without it.
        range: `unit` scales pixels to [0, 1], `symmetric` to [-1, 1].
        test_fraction: share of the images held out where the data set has no official split.
        validation: share of the training images that is not trained on: choices are made on it. A data set's own
            validation part is taken where it has one (CelebA). At 0, choices are made on test images.
        split_seed: seed of these splits.
        binarize: makes each value black or white, for which a Bernoulli is a likelihood: a threshold within (0, 1);
            `static`, one draw with the brightness as the chance of white; `dynamic`, the same, drawn anew in each epoch
            of training (Burda et al., 2016), while validation and test images are drawn once.
    """

    name: str = "digits"
    limit: int | None = Field(None, ge=2)
    test_limit: int | None = Field(None, ge=2)
    path: str | None = None
    size: tuple[int, int] | None = None
    range: Literal["unit", "symmetric"] = "unit"
    test_fraction: float = Field(0.3, gt=0, lt=1)
    validation: Annotated[float, Field(ge=0, lt=1), Added(before=0.0)] = 0.0
    split_seed: int = Field(42, ge=0, lt=2**32)
    binarize: Annotated[Binarize | None, Added(before=None)] = None

    def identifying(self) -> dict[str, Any]:
        """Return the settings but the path: where the data lies plays no part, only what it is."""
        settings = super().identifying()
        del settings["path"]
        return settings

    @field_validator("name")
    @classmethod
    def _known(cls, name: str) -> str:
        DATASETS[name]
        return name

    @field_validator("binarize")
    @classmethod
    def _within(cls, binarize: Binarize | None) -> Binarize | None:
        if isinstance(binarize, float) and not 0 < binarize < 1:
            raise ValueError(f"got {binarize:g}, expected a threshold within (0, 1), 'static' or 'dynamic'")
        return binarize

    @field_validator("size")
    @classmethod
    def _large_enough(cls, size: tuple[int, int] | None) -> tuple[int, int] | None:
        if size is not None and min(size) < SMALLEST_SIDE:
            raise ValueError(f"got {size}, but height and width must be at least {SMALLEST_SIDE} pixels")
        return size


class Dataset(ABC):
    """One data set; a new one is a file with a class that derives from this and is registered by name.

    `open` finds and identifies the images, quickly; what it returns knows how to decode them. Limits, resizing to
    `DataSpec.size`, caching and checking the arrays are done once, for all data sets, by `vae.datasets.load`.

    Attributes:
        title: as reports print it.
        licence: the terms of use.
        source: whom to cite.
        takes_path: whether `DataSpec.path` may or must be given.
        path_wanted: what it should name, with an example.
    """

    title: ClassVar[str]
    licence: ClassVar[str]
    source: ClassVar[str]
    takes_path: ClassVar[Literal["no", "optional", "required"]] = "no"
    path_wanted: ClassVar[str] = "the folder or zip file of the images, such as 'photos/'"

    @abstractmethod
    def open(self, spec: DataSpec, *, download: bool = True) -> Opened:
        """Find the images and identify their content, without decoding them.

        Args:
            spec: what the user asked for.
            download: whether files that are found nowhere may be fetched.

        Raises:
            DataError: they are missing, damaged, or not what they should be.
        """

    def check(self, spec: DataSpec) -> list[str]:
        """Read every image and return what was found, a line an item; notices begin with `NOTICE`.

        Raises:
            DataError: they are missing, damaged, or not what they should be.
        """
        with read_everything():
            opened = self.open(spec, download=False)
        decoded = opened.decode()
        train, test = decoded.train.images, decoded.test.images
        lines = [
            f"{self.title}: {opened.where}",
            f"{len(train)} training and {len(test)} test images read, {' x '.join(map(str, train.shape[1:]))}",
            f"SHA-256 of the content {opened.content}",
        ]
        if decoded.class_names:
            lines.append(f"{len(decoded.class_names)} classes: {', '.join(decoded.class_names)}")
        notices = (*opened.notices, *decoded.notices, *of_pixels(train, test))
        return lines + [f"{NOTICE}{notice}" for notice in notices]
