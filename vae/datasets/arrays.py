"""Anyone's own arrays: images, and labels if there are any, in a file of NumPy's."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vae.cache import Ledger, sha256_of_file
from vae.datasets._arrays import MOST_CHANNELS, Decoded, Opened, Split
from vae.datasets._base import DATASETS, Dataset, DataSpec
from vae.datasets._notices import of_sizes
from vae.datasets._numpy import Listed, list_arrays, read_array, refuse_objects
from vae.datasets._places import given, is_file, is_folder
from vae.datasets._select import split_indices
from vae.errors import DataError

__all__ = ["Arrays"]

# What an array may be called, in any case; the names are those of Keras, scikit-learn, MedMNIST and of `np.savez`.
_ROLES: Mapping[str, Sequence[str]] = {
    "images": ("images", "train_images", "x_train", "train_x", "x", "data", "arr_0"),
    "labels": ("labels", "train_labels", "y_train", "train_y", "y", "targets", "arr_1"),
    "test_images": ("test_images", "x_test", "test_x"),
    "test_labels": ("test_labels", "y_test", "test_y"),
    "class_names": ("class_names", "label_names", "target_names"),
}
_LARGEST_LABEL = 2**53  # above, not every whole number is a floating-point one
_CHUNK = 1024  # images scaled at once
_FEW_CHANNELS = 4


@dataclass(frozen=True)
class _Layout:
    """Which array of a file plays which role, by the names of `_ROLES`."""

    path: Path
    roles: Mapping[str, Listed]
    names: Mapping[str, str]
    left_out: tuple[str, ...]

    def read(self, role: str) -> NDArray[Any]:
        return read_array(self.path, self.roles[role])

    def named(self, role: str) -> str:
        return f"{self.path}: {self.names[role]}"


@DATASETS.register("arrays")
class Arrays(Dataset):
    """Arrays in a `.npz` or `.npy` file: images (n, height, width) or (n, height, width, channels), 1 to 16 channels.

    Pixels are uint8, or floating-point numbers in [0, 1], which are rounded to 256 levels, or booleans. Labels, one a
    whole number or a text an image, may stand beside them, and a test part, which is kept; without one the split is
    random, stratified by class. In a `.npz` the arrays are called `images`, `labels`, `test_images`, `test_labels` and
    `class_names`, or by other usual names, such as `x_train`.
    """

    title = "Arrays"
    licence = "the owner's"
    source = "the user's own images"
    takes_path = "required"
    path_wanted = "the .npz or .npy file of the images, such as 'cells.npz'"

    def open(self, spec: DataSpec, *, download: bool = True) -> Opened:  # noqa: ARG002
        """List the arrays and compare their shapes; see `Dataset.open`."""
        layout = _layout(_file(given(spec.path or "")))
        count, shape = _shape(layout, "images")
        _compare_labels(layout, "labels", count)
        counts, settings = None, {"test_fraction": spec.test_fraction, "split_seed": spec.split_seed}
        if "test_images" in layout.roles:
            tests, test_shape = _shape(layout, "test_images")
            _compare_labels(layout, "test_labels", tests)
            counts, settings = (count, tests), {}
            if test_shape != shape:
                raise DataError(f"{layout.path}: training images are {shape}, but test images {test_shape}")
            if ("labels" in layout.roles) != ("test_labels" in layout.roles):
                raise DataError(f"{layout.path}: only one of the two parts has labels; give both, or none")
        ledger = Ledger(layout.path)
        content = ledger.digest(layout.path, partial(sha256_of_file, layout.path))
        ledger.save()
        notices = [f"arrays that are not read: {', '.join(layout.left_out)}"] if layout.left_out else []
        if spec.size is None:
            notices += of_sizes([shape[:2]], shape[:2])
        return Opened(
            where=str(layout.path),
            content=content,
            decode=partial(_decode, layout, spec.test_fraction, spec.split_seed),
            settings=settings,
            counts=counts,
            shape=(*(spec.size or shape[:2]), shape[2]),
            notices=tuple(notices),
        )


def _file(path: Path) -> Path:
    if is_folder(path):
        raise DataError(f"{path} is a folder, expected a .npz or .npy file; a folder of images is for 'image_folder'")
    if not is_file(path):
        raise DataError(f"{path}: there is no such file (looked in {Path.cwd()} if the path is relative)")
    return path


def _layout(path: Path) -> _Layout:
    found = list_arrays(path)
    roles, names = {}, {}
    for role, known in _ROLES.items():
        candidates = [name for name in found if name.lower() in known]
        if len(candidates) > 1:
            raise DataError(
                f"{path}: {' and '.join(candidates)} may each be the {role.replace('_', ' ')}; rename the one that is "
                f"not, or call the right one '{role}' and leave the other out"
            )
        if candidates:
            names[role], roles[role] = candidates[0], found[candidates[0]]
            refuse_objects(path, roles[role])
    if "images" not in roles:
        raise DataError(
            f"{path}: holds {', '.join(sorted(found)[:20])}, but no images, expected an array called "
            f"{', '.join(_ROLES['images'][:-1])}"
        )
    return _Layout(path, roles, names, tuple(sorted(found.keys() - set(names.values()))))


def _shape(layout: _Layout, role: str) -> tuple[int, tuple[int, int, int]]:
    """Return how many images there are, and (height, width, channels), from the header alone."""
    listed = layout.roles[role]
    shape, where = listed.shape, layout.named(role)
    if len(shape) == 3:  # noqa: PLR2004 - grey
        shape = (*shape, 1)
    if len(shape) != 4:  # noqa: PLR2004
        flat = "; pixels of an image in one row? Reshape them" if len(shape) == 2 else ""  # noqa: PLR2004
        raise DataError(f"{where}: shape {shape}, expected (n, height, width) or (n, height, width, channels){flat}")
    count, height, width, channels = shape
    if not count:
        raise DataError(f"{where}: shape {shape} holds no image")
    if shape[1] <= _FEW_CHANNELS < min(shape[2:]):
        raise DataError(f"{where}: shape {shape} has the channels first; np.moveaxis(images, 1, -1) puts them last")
    if not 1 <= channels <= MOST_CHANNELS:
        raise DataError(f"{where}: shape {shape} has {channels} channels, expected 1 to {MOST_CHANNELS}")
    if listed.dtype != np.uint8 and listed.dtype.kind not in "fb":
        raise DataError(
            f"{where}: {listed.dtype} pixels, whose range is not known, expected uint8, or floating-point numbers in "
            "[0, 1]: divide them by the largest value that their source can give"
        )
    return count, (height, width, channels)


def _compare_labels(layout: _Layout, role: str, count: int) -> None:
    if role not in layout.roles:
        return
    listed, where = layout.roles[role], layout.named(role)
    if listed.shape not in {(count,), (count, 1)}:
        one_hot = ". Are they one-hot? Then save np.argmax(labels, axis=1)" if len(listed.shape) == 2 else ""  # noqa: PLR2004
        raise DataError(f"{where}: shape {listed.shape}, expected one label for each of {count:,} images{one_hot}")
    if listed.dtype.kind not in "biufUS":
        raise DataError(f"{where}: {listed.dtype}, expected whole numbers or text of fixed length")


def _decode(layout: _Layout, fraction: float, seed: int) -> Decoded:
    images = _bytes(layout, "images")
    labels, class_names = _labels(layout)
    if "test_images" in layout.roles:
        test_images = _bytes(layout, "test_images")
        return Decoded(
            Split(images, None if labels is None else labels[: len(images)]),
            Split(test_images, None if labels is None else labels[len(images) :]),
            class_names,
        )
    train, test = split_indices(len(images), fraction, seed, labels)
    return Decoded(
        Split(images[train], None if labels is None else labels[train]),
        Split(images[test], None if labels is None else labels[test]),
        class_names,
    )


def _bytes(layout: _Layout, role: str) -> NDArray[np.uint8]:
    """Return images as uint8 (n, height, width, channels): 255 x, rounded, where they are not."""
    raw = layout.read(role)
    raw = raw[..., np.newaxis] if raw.ndim == 3 else raw  # noqa: PLR2004 - grey
    pixels = np.empty(raw.shape, np.uint8)
    for start in range(0, len(raw), _CHUNK):
        part = raw[start : start + _CHUNK]
        if part.dtype.kind == "f":
            low, high = part.min(), part.max()
            if not (low >= 0 and high <= 1):  # NaN is neither
                raise DataError(
                    f"{layout.named(role)}: pixels reach from {low:g} to {high:g}, expected numbers from 0 to 1; "
                    "rescale them, or save them as uint8 (0 to 255)"
                )
            part = np.rint(part.astype(np.float32) * 255)
        elif part.dtype.kind == "b":
            part = np.where(part, 255, 0)
        pixels[start : start + _CHUNK] = part
    return pixels


def _labels(layout: _Layout) -> tuple[NDArray[np.int64] | None, tuple[str, ...]]:
    """Return the class of each training image, then of each test image, and the classes' names.

    None for fewer than two classes.
    """
    if "labels" not in layout.roles:
        return None, ()
    roles = [role for role in ("labels", "test_labels") if role in layout.roles]
    labels = np.concatenate([_texts(layout, role).reshape(-1) for role in roles])
    if labels.dtype.kind == "f":
        if not ((np.abs(labels) < _LARGEST_LABEL).all() and (labels == np.rint(labels)).all()):
            raise DataError(f"{layout.named('labels')}: are not all whole numbers, as classes are")
        labels = labels.astype(np.int64)
    if "class_names" in layout.roles:
        return _indices(layout, labels)
    classes, indices = np.unique(labels, return_inverse=True)
    if len(classes) < 2:  # noqa: PLR2004
        return None, ()
    return indices.astype(np.int64), tuple(map(str, classes))


def _texts(layout: _Layout, role: str) -> NDArray[Any]:
    """Return an array whose texts, if it holds any, are proven to be such."""
    found = layout.read(role)
    try:
        texts = np.char.decode(found, "utf-8", "backslashreplace") if found.dtype.kind == "S" else found
        if texts.dtype.kind == "U":
            texts.tolist()
    except ValueError as error:
        raise DataError(f"{layout.named(role)}: holds what is no text: {error}") from None
    return texts


def _indices(layout: _Layout, labels: NDArray[Any]) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    names, where = _texts(layout, "class_names"), layout.named("class_names")
    if names.ndim != 1 or names.dtype.kind != "U":
        raise DataError(f"{where}: {names.dtype} of shape {names.shape}, expected a row of texts")
    if labels.dtype.kind == "U":
        raise DataError(f"{where}: labels that are texts name their classes themselves; leave it out")
    if len(labels) and not 0 <= labels.min() <= labels.max() < len(names):
        raise DataError(
            f"{where}: {len(names)} names, but labels reach from {labels.min()} to {labels.max()}, expected 0 to "
            f"{len(names) - 1}"
        )
    return labels.astype(np.int64), tuple(map(str, names))
