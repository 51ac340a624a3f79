"""Images as arrays: splits, whole data sets, and the range of their pixels."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from vae.errors import SpecError, unknown_name

__all__ = ["MOST_CHANNELS", "RANGES", "SMALLEST_SIDE", "Data", "Decoded", "Opened", "Split", "as_float"]


@dataclass(frozen=True)
class Split:
    """Images of one side.

    Attributes:
        images: (n, height, width, channels) uint8.
        labels: (n,) int64, or None where there are none.
        factors: (n, factors) int64, each from 0, of images that were drawn from known factors; else None.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64] | None = None
    factors: NDArray[np.int64] | None = None

    def taken(self, chosen: NDArray[np.int64]) -> "Split":
        """Return some of the images, with what is known of them."""
        labels, factors = (None if one is None else one[chosen] for one in (self.labels, self.factors))
        return Split(self.images[chosen], labels, factors)


@dataclass(frozen=True)
class Decoded:
    """All images of a data set, before any limit; labels index `class_names`.

    `notices` say, a line each, what a user should know that only decoding can tell; `validation` is the data set's own
    third part, where it was asked for and has one; `factor_names` name the columns of `Split.factors`.
    """

    train: Split
    test: Split
    class_names: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()
    validation: Split | None = None
    factor_names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Opened:
    """A data set found and identified, its images not decoded yet.

    Attributes:
        where: the place, for people.
        content: SHA-256 (hex) of the source's content, the same wherever it lies.
        decode: reads all images; called at most once.
        settings: what else the pixels depend on (JSON values), such as the fraction and seed of a split.
        counts: (train, test) images, where that is known before decoding.
        shape: (height, width, channels), where that is known before decoding.
        cached: whether decoding is slow enough to keep its outcome on disk.
        notices: what the user should know of these files, a line an item, such as images that are passed over.
    """

    where: str
    content: str
    decode: Callable[[], Decoded]
    settings: Mapping[str, object] = field(default_factory=dict)
    counts: tuple[int, int] | None = None
    shape: tuple[int, int, int] | None = None
    cached: bool = True
    notices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Data:
    """A loaded data set: official or deterministic split, limits applied.

    Attributes:
        name: its name in `DATASETS`.
        train: training images and labels; the arrays may be read-only maps of a file that processes share.
        test: test images and labels.
        class_names: the name of each label; empty where there are no labels.
        checksum: SHA-256 (hex) of the content and of every setting that changes these pixels.
        licence: the terms of use.
        source: whom to cite.
        notices: what the user should know of it, a line an item.
        validation: images that are neither trained on nor reported, on which choices are made; None where there are
            none, and test images serve.
        intensities: (n, height, width, channels), of training images in black and white that are drawn anew in each
            epoch, what they are drawn of; `train` is one such draw. None of all others.
        factor_names: the columns of the splits' `factors`; empty where no factors are known.
    """

    name: str
    train: Split
    test: Split
    class_names: tuple[str, ...]
    checksum: str
    licence: str
    source: str
    notices: tuple[str, ...] = ()
    validation: Split | None = None
    intensities: NDArray[np.uint8] | None = None
    factor_names: tuple[str, ...] = ()

    @property
    def shape(self) -> tuple[int, int, int]:
        """(height, width, channels) of one image."""
        height, width, channels = self.train.images.shape[1:]
        return int(height), int(width), int(channels)

    @property
    def chosen_on(self) -> Split:
        """The images on which choices are made: the validation images, or the test images where there are none."""
        return self.validation or self.test


def as_float(images: NDArray[np.uint8], range: str = "unit") -> NDArray[np.float32]:  # noqa: A002 - the setting's name
    """Scale pixels: low + (high - low) * x / 255, for (low, high) of `RANGES`.

    >>> as_float(np.array([0, 255], np.uint8), "symmetric").tolist()
    [-1.0, 1.0]

    Args:
        images: any shape, uint8.
        range: `unit` for [0, 1], `symmetric` for [-1, 1].

    Raises:
        SpecError: the range is not known, or the images are not uint8.
    """
    if range not in RANGES:
        raise SpecError(unknown_name("range", range, RANGES))
    if images.dtype != np.uint8:
        raise SpecError(
            f"got {images.dtype} images, but only uint8 pixels (0 to 255) are scaled: they may be scaled yet"
        )
    low, high = RANGES[range]
    scaled = np.divide(images, np.float32(255), dtype=np.float32)
    if (low, high) != (0.0, 1.0):
        scaled *= np.float32(high - low)
        scaled += np.float32(low)
    return scaled


RANGES: Mapping[str, tuple[float, float]] = {"unit": (0.0, 1.0), "symmetric": (-1.0, 1.0)}


SMALLEST_SIDE = 8  # pixels: below, no network has anything to fold
MOST_CHANNELS = 16
