"""Which images: limits and splits, a function of labels and seed alone."""

import math

import numpy as np
from numpy.typing import NDArray

from vae.errors import DataError

__all__ = ["draws_classes", "split_indices", "spread_over", "subset_indices"]

Indices = NDArray[np.int64]

# Any constant will do, but changing it changes every limited study.
_LIMIT_SEED = 0x5EED


def subset_indices(count: int, labels: Indices | None, limit: int | None) -> Indices | None:
    """Return the sorted indices of a class-balanced subset, or None where all images are taken.

    Images stand in a fixed random order; they are taken by their rank within their class, ties by that order. So counts
    per class differ by one at most until a class has no more, and a smaller limit gives a subset of a larger one's.

    >>> subset_indices(6, np.array([0, 0, 0, 0, 1, 1]), 4).tolist()[2:]
    [4, 5]
    """
    if limit is None or limit >= count:
        return None
    # The raw stream of a bit generator is frozen by NumPy's compatibility policy, those of its distributions are not.
    order = np.argsort(np.random.PCG64(_LIMIT_SEED).random_raw(count), kind="stable")
    position = np.empty(count, np.int64)
    position[order] = np.arange(count)
    rank = position if labels is None else _rank_within_class(labels, position)
    return np.sort(np.lexsort((position, rank))[:limit])


def spread_over(count: int, wanted: int) -> Indices:
    """Return places of so many of `count` rows, evenly spread; of all where there are no more.

    >>> spread_over(10, 4).tolist()
    [0, 2, 5, 7]
    """
    return np.arange(min(count, wanted), dtype=np.int64) * count // max(min(count, wanted), 1)


def split_indices(
    count: int,
    fraction: float,
    seed: int,
    labels: Indices | None = None,
    setting: str = "test_fraction",
) -> tuple[Indices, Indices]:
    """Return the sorted indices of the training and of the test images: ceil(fraction * count) for the test.

    Without labels these are the images that scikit-learn's `train_test_split(test_size=fraction, random_state=seed)`
    takes. With labels the split is stratified: each class gives its share, rounded by largest remainder. Of equal
    remainders the first in the alphabet are rounded up; but where that decides which classes give no image at all, the
    seed does (see `draws_classes`).

    Raises:
        DataError: a side would be empty.
    """
    held_out = math.ceil(fraction * count)
    if not 0 < held_out < count:
        raise DataError(
            f"{count} image{'' if count == 1 else 's'} cannot be split: {setting} = {fraction:g} holds out "
            f"{held_out}, which leaves {max(count - held_out, 0)} for training. Give more images, or another "
            f"data.{setting}",
        )
    random = np.random.RandomState(seed)
    order = random.permutation(count)
    if labels is None:
        test = order[:held_out]
    else:
        classes, code = np.unique(labels, return_inverse=True)
        counts = np.bincount(code, minlength=len(classes))
        drawn = _ties_leave_out(counts, held_out)
        first = random.permutation(len(classes)) if drawn else np.arange(len(classes))
        quota = _largest_remainder(counts, held_out, first)
        position = np.empty(count, np.int64)
        position[order] = np.arange(count)
        test = np.flatnonzero(_rank_within_class(code, position) < quota[code])
    chosen = np.zeros(count, bool)
    chosen[test] = True
    return np.flatnonzero(~chosen), np.flatnonzero(chosen)


def draws_classes(fraction: float, labels: Indices) -> bool:
    """Tell whether `split_indices` lets the seed choose which classes give test images.

    It does where classes of equal size are so small that only some of them give one: else these would be the first in
    the alphabet, whatever the seed.
    """
    counts = np.unique(labels, return_counts=True)[1]
    return _ties_leave_out(counts, math.ceil(fraction * len(labels)))


def _rank_within_class(labels: Indices, position: Indices) -> Indices:
    """Return for each image how many of its class come before it in the order of `position`."""
    order = np.lexsort((position, labels))
    ordered = labels[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    first = np.repeat(starts, np.diff(np.r_[starts, len(ordered)]))
    rank = np.empty(len(labels), np.int64)
    rank[order] = np.arange(len(labels)) - first
    return rank


def _shares(counts: Indices, total: int) -> tuple[Indices, Indices]:
    """Share `total` in proportion to `counts`: whole parts, and remainders as multiples of 1 / sum(counts)."""
    scaled: Indices = counts * total  # integers throughout: no rounding decides a tie
    return scaled // counts.sum(), scaled % counts.sum()


def _largest_remainder(counts: Indices, total: int, first: Indices) -> Indices:
    """Share `total` in proportion to `counts`, in whole numbers that add up to it; ties go by the order of `first`."""
    share, remainder = _shares(counts, total)
    left = total - int(share.sum())
    share[first[np.argsort(-remainder[first], kind="stable")[:left]]] += 1
    return share


def _ties_leave_out(counts: Indices, total: int) -> bool:
    """Tell whether, of classes with equal remainders, some would give one image and some none."""
    share, remainder = _shares(counts, total)
    left = total - int(share.sum())
    if not 0 < left < len(counts):
        return False
    last, next_one = -np.sort(-remainder)[left - 1 : left + 1]
    return bool(last == next_one and (share[remainder == last] == 0).any())
