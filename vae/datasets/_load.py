"""From a spec to arrays: open, decode or take from the cache, resize, check, limit."""

import hashlib
import math
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vae.cache import check_arrays, read_arrays, write_arrays
from vae.datasets._arrays import MOST_CHANNELS, SMALLEST_SIDE, Data, Decoded, Opened, Split
from vae.datasets._base import DATASETS, Dataset, DataSpec
from vae.datasets._binarize import binarized
from vae.datasets._images import resize_images
from vae.datasets._notices import of_pixels
from vae.datasets._select import split_indices, subset_indices
from vae.errors import DataError, SpecError
from vae.parts import canonical_json

__all__ = ["check_cache", "entry_for", "fingerprint", "fingerprint_of", "held_out", "in_black_and_white", "load"]

# Raise it when decoding, resizing, splitting or limiting comes to give other pixels.
_REVISION = 1


def load(spec: DataSpec) -> Data:
    """Load what `spec` asks for.

    Images are uint8, decoded once and then mapped from the cache; `DataSpec.range` is left to `as_float`.

    Raises:
        DataError: files are missing, damaged, or give no images to train and test on.
        SpecError: `path` is missing or not taken.
    """
    entry = entry_for(spec)
    opened = entry.open(spec)
    decoded = _decoded(spec, opened)
    train, validation = held_out(_limited(decoded.train, spec.limit), decoded.validation, spec)
    data = Data(
        name=spec.name,
        train=train,
        test=_limited(decoded.test, spec.test_limit),
        class_names=decoded.class_names,
        checksum=fingerprint_of(spec, opened),
        licence=entry.licence,
        source=entry.source,
        notices=(*opened.notices, *decoded.notices),
        validation=validation,
        factor_names=decoded.factor_names,
    )
    return in_black_and_white(data, spec)


def in_black_and_white(data: Data, spec: DataSpec) -> Data:
    """Return the data set with its images binarised, as `DataSpec.binarize` says; as it is where it says nothing."""
    how = spec.binarize
    if how is None:
        return data
    return replace(
        data,
        train=binarized(data.train, how, "training"),
        test=binarized(data.test, how, "test"),
        validation=None if data.validation is None else binarized(data.validation, how, "validation"),
        intensities=data.train.images if how == "dynamic" else None,
    )


def held_out(train: Split, official: Split | None, spec: DataSpec) -> tuple[Split, Split | None]:
    """Return what is trained on, and the validation images: the official ones, or a share of the training images.

    Of official ones there are no more than this share where training images are limited: a small try stays small.

    Raises:
        DataError: nothing would be left to train on.
    """
    if not spec.validation:
        return train, None
    if official is not None:
        most = None if spec.limit is None else math.ceil(spec.validation * spec.limit)
        return train, _limited(official, most)
    kept, chosen = split_indices(len(train.images), spec.validation, spec.split_seed, train.labels, "validation")
    return train.taken(kept), train.taken(chosen)


def fingerprint(spec: DataSpec) -> str:
    """Return the `checksum` that `load` would give, without decoding an image.

    Files that are found nowhere are fetched as `load` would; files seen before are not read again.

    Raises:
        DataError: files are missing or damaged.
        SpecError: `path` is missing or not taken.
    """
    return fingerprint_of(spec, entry_for(spec).open(spec))


def entry_for(spec: DataSpec) -> Dataset:
    """Return the data set that `spec` names.

    Raises:
        SpecError: `path` is missing or not taken.
    """
    entry = DATASETS[spec.name]()
    if entry.takes_path == "no" and spec.path is not None:
        takers = [name for name in DATASETS if DATASETS[name].takes_path != "no"]
        raise SpecError(
            f"data.path: got '{spec.path}', but '{spec.name}' takes no path; {', '.join(takers[:-1])} and {takers[-1]} "
            "do. Official files are looked for in $VAEBENCH_DATA",
        )
    if entry.takes_path == "required" and spec.path is None:
        raise SpecError(f"data.path: '{spec.name}' needs {entry.path_wanted}")
    return entry


def check_cache(content: str) -> list[str]:
    """Compare every byte of the arrays that were decoded from some content, and say what was found, a line an item.

    Damaged ones are removed, so that they are decoded afresh.
    """
    sound, damaged = check_arrays(lambda notes: "class_names" in notes and notes.get("content", content) == content)
    lines = [f"cached arrays: {sound}, every byte as it was written"] if sound else []
    if damaged:
        lines.append(f"notice: damaged cached arrays: {damaged}, removed; they are decoded afresh when needed")
    return lines


def fingerprint_of(spec: DataSpec, opened: Opened) -> str:
    identity = _identity(spec, opened) | {"limit": spec.limit, "test_limit": spec.test_limit}
    if spec.validation:
        identity |= {"validation": spec.validation, "split_seed": spec.split_seed}
    if spec.binarize is not None:
        identity |= {"binarize": spec.binarize}
    return _digest(identity)


def _identity(spec: DataSpec, opened: Opened) -> dict[str, object]:
    return {
        "name": spec.name,
        "content": opened.content,
        "settings": dict(opened.settings),
        "size": spec.size,
        "revision": _REVISION,
    }


def _digest(value: object) -> str:
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def _decoded(spec: DataSpec, opened: Opened) -> Decoded:
    """Decode, or map what was decoded before; either way the arrays have been checked."""
    if not opened.cached:
        return _finished(spec, opened)
    import PIL

    # JPEG decoders differ in the last bit between versions: the pixels kept are those that this Pillow gives.
    key = _digest(_identity(spec, opened) | {"pillow": PIL.__version__})
    kept = _from_cache(key, opened)
    if kept is None:
        decoded = _finished(spec, opened)
        arrays: dict[str, NDArray[Any]] = {"train_images": decoded.train.images, "test_images": decoded.test.images}
        labels = {"train_labels": decoded.train.labels, "test_labels": decoded.test.labels}
        if decoded.validation is not None:
            arrays["validation_images"] = decoded.validation.images
            labels["validation_labels"] = decoded.validation.labels
        arrays |= {name: label for name, label in labels.items() if label is not None}
        notes = {
            "class_names": list(decoded.class_names),
            "notices": list(decoded.notices),
            "content": opened.content,
        }
        written = write_arrays(key, arrays, notes)
        kept = (_from_cache(key, opened) if written else None) or decoded
    return kept


def _from_cache(key: str, opened: Opened) -> Decoded | None:
    found = read_arrays(key)
    if found is None:
        return None
    arrays, notes = found
    official = arrays.get("validation_images")
    try:
        decoded = Decoded(
            Split(arrays["train_images"], arrays.get("train_labels")),
            Split(arrays["test_images"], arrays.get("test_labels")),
            tuple(map(str, notes["class_names"])),
            tuple(map(str, notes.get("notices", ()))),
            None if official is None else Split(official, arrays.get("validation_labels")),
        )
        _validate(decoded)
    except (DataError, KeyError, TypeError):
        return None
    counts = len(decoded.train.images), len(decoded.test.images)
    return decoded if opened.counts in {None, counts} else None


def _finished(spec: DataSpec, opened: Opened) -> Decoded:
    decoded = opened.decode()
    if spec.size is not None:
        sides: dict[str, Any] = {field: _resized(split, spec.size) for field, split in _sides(decoded).items()}
        decoded = replace(decoded, **sides)
    try:
        _validate(decoded)
    except DataError as error:
        raise DataError(f"{spec.name} ({opened.where}): {error}") from None
    notices = of_pixels(decoded.train.images, decoded.test.images)
    return replace(decoded, notices=(*decoded.notices, *notices))


def _sides(decoded: Decoded) -> dict[str, Split]:
    """Return field -> split of those that are there."""
    found = {"train": decoded.train, "test": decoded.test}
    return found if decoded.validation is None else found | {"validation": decoded.validation}


def _resized(split: Split, size: tuple[int, int]) -> Split:
    return replace(split, images=resize_images(split.images, size))


def _validate(decoded: Decoded) -> None:
    sides = _sides(decoded)
    for field, split in sides.items():
        name = "training" if field == "train" else field
        images: NDArray[Any] = split.images
        if images.dtype != np.uint8 or images.ndim != 4 or not 1 <= images.shape[3] <= MOST_CHANNELS:  # noqa: PLR2004
            raise DataError(
                f"{name} images are {images.dtype} of shape {images.shape}, expected uint8 (n, height, width, "
                f"channels), 1 to {MOST_CHANNELS} channels",
            )
        if not len(images):
            raise DataError(f"there is no {name} image: both splits need at least one")
        if min(images.shape[1:3]) < SMALLEST_SIDE:
            height, width = images.shape[1:3]
            raise DataError(
                f"images of {height} x {width} pixels are too small: both sides need at least {SMALLEST_SIDE}. "
                "Enlarge them with data.size = [height, width]",
            )
        _validate_labels(name, split, len(decoded.class_names))
        if split.images.shape[1:] != decoded.train.images.shape[1:]:
            raise DataError(
                f"training images are {decoded.train.images.shape[1:]}, but {name} images {split.images.shape[1:]}",
            )


def _validate_labels(name: str, split: Split, classes: int) -> None:
    if split.labels is None:
        return
    labels: NDArray[Any] = split.labels
    if labels.dtype != np.int64 or labels.shape != (len(split.images),):
        raise DataError(
            f"{name} labels are {labels.dtype} of shape {labels.shape}, expected int64 ({len(split.images)},)",
        )
    if labels.min() < 0 or labels.max() >= classes:
        raise DataError(f"{name} labels reach from {labels.min()} to {labels.max()}, but there are {classes} classes")


def _limited(split: Split, limit: int | None) -> Split:
    chosen = subset_indices(len(split.images), split.labels, limit)
    return split if chosen is None else split.taken(chosen)
