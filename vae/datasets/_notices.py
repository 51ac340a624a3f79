"""What a user should know of images that can be read, but may not be what they are taken for."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Depth", "of_depths", "of_frames", "of_pixels", "of_sizes"]

_MANY_SIZES = 0.5  # share of the images that must have the commonest size, else it is no choice of the user's
_LARGE = 256  # pixels of a side: above, networks and times are seldom what was meant
_FEW_LEVELS = 100  # of 256: below, what is left of deep pixels looks cut into steps
_NARROW = 32  # of 256: no contrast to speak of


@dataclass(frozen=True)
class Depth:
    """What a grey image of more than 8 bits used of them.

    Attributes:
        bits: of a pixel.
        reach: the greatest value.
        levels: how many values there are.
    """

    bits: int
    reach: int
    levels: int


def of_sizes(sizes: Sequence[tuple[int, int]], chosen: tuple[int, int]) -> Iterator[str]:
    """Tell of a size (height, width) that nobody chose and few images have, or that is large."""
    counts = Counter(sizes)
    height, width = chosen
    if counts[chosen] < _MANY_SIZES * len(sizes):
        yield (
            f"images of {len(counts):,} sizes are stretched to {height} x {width}, which only {counts[chosen]:,} of "
            f"{len(sizes):,} {'has' if counts[chosen] == 1 else 'have'}. Choose one with data.size = [height, width]"
        )
    if max(chosen) > _LARGE:
        yield (
            f"images of {height} x {width} pixels make large networks and long trainings. Choose a smaller size with "
            "data.size = [height, width], such as [64, 64]"
        )


def of_frames(frames: Sequence[int]) -> Iterator[str]:
    """Tell of files that hold more pages or frames than the first, which is read."""
    many = [count for count in frames if count > 1]
    if many:
        one = len(many) == 1
        yield (
            f"{len(many):,} file{' holds' if one else 's hold'} {sum(many):,} pages or frames; the first of "
            f"{'them' if one else 'each'} is read. Save each as a file of its own to have them all"
        )


def of_depths(depths: Sequence[Depth], pixels: NDArray[np.uint8]) -> Iterator[str]:
    """Tell of deep images that use so little of their range that 8 bits keep few of their levels."""
    if not depths:
        return
    levels = int(np.count_nonzero(_histogram(pixels)))
    if levels < min(_FEW_LEVELS, max(depth.levels for depth in depths)):
        bits, reach = max((depth.bits, depth.reach) for depth in depths)
        yield (
            f"{bits}-bit images reach {reach:,} of {2**bits - 1:,}: {levels} grey "
            f"{'level is' if levels == 1 else 'levels are'} left of 256. Rescale them so that they fill the range"
        )


def of_pixels(*splits: NDArray[np.uint8]) -> tuple[str, ...]:
    """Tell of images (n, height, width, channels) that are constant, or of a range without contrast."""
    count = sum(map(len, splits))
    constant = sum(int(_constant(images).sum()) for images in splits)
    if constant == count:
        return (f"all {count:,} images are constant, each of one colour: there is nothing to be learned from them",)
    notices = [f"{constant:,} of {count:,} images are constant, each of one colour"] if constant else []
    levels = np.flatnonzero(sum(_histogram(images) for images in splits))
    low, high = levels[0], levels[-1]
    if high - low < _NARROW:
        notices.append(
            f"pixels reach from {low} to {high} of 0 to 255, {len(levels)} levels: hardly any contrast. Rescale them, "
            "unless they are meant to be so"
        )
    return tuple(notices)


def _constant(images: NDArray[np.uint8]) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = (images == images[:, :1, :1]).all(axis=(1, 2, 3))
    return found


def _histogram(images: NDArray[np.uint8]) -> NDArray[np.int64]:
    counts = np.zeros(256, np.int64)
    for image in images:  # one at a time, since counting takes eight bytes a pixel
        counts += np.bincount(image.reshape(-1), minlength=256)
    return counts
