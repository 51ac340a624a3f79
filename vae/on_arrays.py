"""Images at hand as a data set: what `train` and `evaluate` take in place of a name."""

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vae.datasets import SMALLEST_SIDE, Data, Split, held_out, in_black_and_white, split_indices, subset_indices
from vae.errors import SpecError
from vae.spec import RunSpec

__all__ = ["Arrays", "as_data"]

NAME = "images at hand"

Arrays = NDArray[Any] | tuple[NDArray[Any], NDArray[Any] | None]


def as_data(data: Data | Arrays, spec: RunSpec) -> Data:
    """Return images, or (images, labels), as a data set; of one, nothing is changed.

    A share of them is held out for tests, as `data.test_fraction` and `data.split_seed` say, and of the others one for
    validation, as `data.validation` does; limits apply, too.

    Args:
        data: images (n, height, width, channels) or (n, height, width), uint8 or floats in [0, 1]; labels (n,).
        spec: the run.

    Raises:
        SpecError: the arrays are of another shape, type or range.
    """
    if isinstance(data, Data):
        return data
    images, labels = data if isinstance(data, tuple) else (data, None)
    pixels = _pixels(np.asarray(images))
    names: tuple[str, ...] = ()
    classes = None
    if labels is not None:
        given = np.asarray(labels)
        if given.shape != (len(pixels),):
            raise SpecError(f"got labels of shape {given.shape}, expected ({len(pixels)},), one for each image")
        known, classes = np.unique(given, return_inverse=True)
        names, classes = tuple(map(str, known)), classes.astype(np.int64)
    train, test = split_indices(len(pixels), spec.data.test_fraction, spec.data.split_seed, classes)
    train, test = (_limited(*one) for one in ((train, classes, spec.data.limit), (test, classes, spec.data.test_limit)))
    digest = hashlib.sha256(repr((pixels.shape, names, spec.data.identity)).encode())
    digest.update(pixels.tobytes())
    digest.update(b"" if classes is None else classes.tobytes())
    training = Split(pixels[train], None if classes is None else classes[train])
    training, validation = held_out(training, None, spec.data)
    data = Data(
        name=NAME,
        train=training,
        test=Split(pixels[test], None if classes is None else classes[test]),
        class_names=names,
        checksum=digest.hexdigest(),
        licence="",
        source="",
        validation=validation,
    )
    return in_black_and_white(data, spec.data)


def _limited(chosen: NDArray[np.int64], classes: NDArray[np.int64] | None, limit: int | None) -> NDArray[np.int64]:
    kept = subset_indices(len(chosen), None if classes is None else classes[chosen], limit)
    return chosen if kept is None else chosen[kept]


def _pixels(images: NDArray[Any]) -> NDArray[np.uint8]:
    if images.ndim == 3:  # noqa: PLR2004 - grey
        images = images[..., np.newaxis]
    if images.ndim != 4 or min(images.shape[1:3]) < SMALLEST_SIDE:  # noqa: PLR2004
        raise SpecError(
            f"got images of shape {images.shape}, expected (n, height, width, channels) of at least {SMALLEST_SIDE} "
            "pixels a side"
        )
    if images.dtype == np.uint8:
        return images
    if images.dtype.kind != "f":
        raise SpecError(f"got {images.dtype} images, expected uint8 (0 to 255), or floats in [0, 1]")
    low, high = float(images.min()), float(images.max())
    if not (low >= 0 and high <= 1):  # NaN is neither
        raise SpecError(f"got images with pixels in [{low:g}, {high:g}], expected [0, 1]: rescale them, or give uint8")
    return np.rint(images.astype(np.float32) * 255).astype(np.uint8)
