"""CelebA: aligned faces of celebrities (Liu, Luo, Wang, Tang, 2015)."""

import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vae.datasets._arrays import Decoded, Opened, Split
from vae.datasets._base import DATASETS, Dataset, DataSpec
from vae.datasets._images import Rules, pixel_revision, read_images
from vae.datasets._places import given, is_file, is_folder
from vae.datasets._select import split_indices
from vae.datasets._trees import Tree, content_digest, open_tree
from vae.errors import DataError

__all__ = ["Celeba"]

ATTRIBUTES = "list_attr_celeba.txt"
PARTITION = "list_eval_partition.txt"
_LABEL = "Smiling"
_TRAIN, _TEST = 0, 2  # 1 is the validation part
_SIZE = (64, 64)
_USUAL = (
    "celeba",
    "celeba/img_align_celeba",
    "celeba/img_align_celeba.zip",
    "celeba.zip",
    "img_align_celeba",
    "img_align_celeba.zip",
)


@DATASETS.register("celeba")
class Celeba(Dataset):
    """Aligned faces in a folder or zip file, cut to a square about the centre and resized to 64 x 64 colour.

    `DataSpec.size` overrides 64 x 64; the cut then has its proportions. Beside the images, their folder or the zip file
    may lie the official lists: with `list_attr_celeba.txt` the label is whether the face is smiling; with
    `list_eval_partition.txt`, if any image given is of its test part, that is the split, and the validation part is
    left out, since nothing is chosen by it. Otherwise `test_fraction` of the images, drawn by `split_seed`, are the
    test: with 0.3 and 42 the split of a widely used recipe, with or without labels.
    """

    title = "CelebA"
    licence = "non-commercial research only"
    source = "Liu, Luo, Wang, Tang, Deep learning face attributes in the wild, ICCV 2015"
    takes_path = "optional"

    def open(self, spec: DataSpec, *, download: bool = True) -> Opened:  # noqa: ARG002 - its terms forbid handing it on
        """List the images and read the official lists beside them; see `Dataset.open`."""
        tree = _tree(spec.path)
        attributes, partition = (_beside(tree.path, name) for name in (ATTRIBUTES, PARTITION))
        official = _official_split(tree, partition) if partition else None
        settings = {}
        if official is None:
            partition = None
            official = split_indices(len(tree.names), spec.test_fraction, spec.split_seed)
            settings = {"test_fraction": spec.test_fraction, "split_seed": spec.split_seed}
        train, test = official
        labels = _smiling(tree, attributes) if attributes else None
        return Opened(
            where=str(tree.path),
            content=content_digest(tree, [path for path in (attributes, partition) if path]),
            decode=partial(_decode, tree, labels, train, test, spec.size or _SIZE),
            settings={**settings, **pixel_revision(tree)},
            counts=(len(train), len(test)),
            shape=(*(spec.size or _SIZE), 3),
        )


def _tree(path: str | None) -> Tree:
    if path is not None:
        return open_tree(_single_zip(given(path)))
    folder = os.environ.get("VAEBENCH_DATA")
    candidates = [Path(folder).expanduser() / usual for usual in _USUAL] if folder else []
    for candidate in candidates:
        if candidate.exists():
            return open_tree(_single_zip(candidate))
    looked = f"looked for {', '.join(map(str, candidates))}" if candidates else "VAEBENCH_DATA is not set"
    raise DataError(
        f"CelebA is not there: {looked}. Set data.path to the folder or zip file of aligned images (img_align_celeba); "
        "its terms do not let it be fetched for you",
    )


def _single_zip(path: Path) -> Path:
    """Return the zip file where a folder holds one rather than images, as it comes from the publisher."""
    if not is_folder(path):
        return path
    zips = [found for found in path.iterdir() if found.suffix.lower() == ".zip" and not found.name.startswith(".")]
    images = any(found.is_dir() or found.suffix.lower() in {".jpg", ".jpeg", ".png"} for found in path.iterdir())
    return zips[0] if len(zips) == 1 and not images else path


def _beside(path: Path, name: str) -> Path | None:
    return next((found for found in (path / name, path.parent / name) if is_file(found)), None)


def _rows(path: Path, skip: int) -> dict[str, list[str]]:
    try:
        lines = path.read_text(encoding="ascii").splitlines()[skip:]
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read as text: {error}") from None
    return {cells[0]: cells[1:] for line in lines if (cells := line.split())}


def _value(path: Path, rows: dict[str, list[str]], image: str, column: int, allowed: Sequence[str]) -> int:
    name = image.rpartition("/")[2]
    cells = rows.get(name)
    if cells is None:
        raise DataError(
            f"{path} has no row for {name}: it belongs to other images. Remove it, or give the official one"
        )
    if column >= len(cells) or cells[column] not in allowed:
        got = cells[column] if column < len(cells) else "nothing"
        raise DataError(f"{path}: {name} has '{got}' in column {column + 1}, expected one of {', '.join(allowed)}")
    return int(cells[column])


def _official_split(tree: Tree, path: Path) -> tuple[NDArray[np.int64], NDArray[np.int64]] | None:
    rows = _rows(path, 0)
    part = np.array([_value(path, rows, name, 0, ("0", "1", "2")) for name in tree.names], np.int64)
    train, test = np.flatnonzero(part == _TRAIN), np.flatnonzero(part == _TEST)
    if not len(test):
        return None
    if not len(train):
        raise DataError(f"{tree.path}: by {path} none of the {len(part)} images is for training")
    return train, test


def _smiling(tree: Tree, path: Path) -> NDArray[np.int64]:
    try:
        header = path.read_text(encoding="ascii").splitlines()[1].split()
        column = header.index(_LABEL)
    except (OSError, UnicodeDecodeError, IndexError, ValueError):
        raise DataError(
            f"{path} is not in the official format: line 1 the count, line 2 the attributes, {_LABEL} among them",
        ) from None
    rows = _rows(path, 2)
    return np.array([_value(path, rows, name, column, ("-1", "1")) == 1 for name in tree.names], np.int64)


def _decode(
    tree: Tree,
    labels: NDArray[np.int64] | None,
    train: NDArray[np.int64],
    test: NDArray[np.int64],
    size: tuple[int, int],
) -> Decoded:
    names = [tree.names[i] for i in (*train, *test)]
    images, notices = read_images(tree, names, Rules(size, crop=True, colour=True))
    pixels = np.split(images, [len(train)])
    if labels is None:
        return Decoded(Split(pixels[0]), Split(pixels[1]), notices=notices)
    return Decoded(Split(pixels[0], labels[train]), Split(pixels[1], labels[test]), ("not smiling", "smiling"), notices)
