"""CelebA: aligned faces of celebrities (Liu, Luo, Wang, Tang, 2015)."""

import itertools
import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vae.datasets._arrays import Decoded, Opened, Split
from vae.datasets._base import DATASETS, Dataset, DataSpec
from vae.datasets._celeba_lists import ATTRIBUTES, PARTITION, FaceList, find_list
from vae.datasets._images import pixel_revision, read_images
from vae.datasets._kinds import is_hidden, is_image
from vae.datasets._pixels import Rules
from vae.datasets._places import given, is_folder
from vae.datasets._select import split_indices
from vae.datasets._splits import trained_on_too
from vae.datasets._trees import Tree, content_digest, open_tree
from vae.errors import DataError

__all__ = ["Celeba"]

_LABEL = "Smiling"
_TRAIN, _VALIDATION, _TEST = 0, 1, 2
_PACKED = "img_align_celeba.zip"
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

    `DataSpec.size` overrides 64 x 64; the cut then has its proportions. The official lists may lie where the usual
    copies keep them (see `find_list`), as text or as tables: with `list_attr_celeba` the label is whether the face is
    smiling; with `list_eval_partition`, if any image given is of its test part, that is the split, and its validation
    part is what choices are made on where `DataSpec.validation` asks for one, else left out. Otherwise `test_fraction`
    of the images, drawn by `split_seed`, are the test: with 0.3 and 42 the split of a widely used recipe, with or
    without labels.
    """

    title = "CelebA"
    licence = "non-commercial research only"
    source = "Liu, Luo, Wang, Tang, Deep learning face attributes in the wild, ICCV 2015"
    takes_path = "optional"

    def open(self, spec: DataSpec, *, download: bool = True) -> Opened:  # noqa: ARG002 - its terms forbid handing it on
        """List the images and read the official lists beside them; see `Dataset.open`."""
        tree = _tree(spec.path)
        attributes, partition = find_list(tree, ATTRIBUTES), find_list(tree, PARTITION)
        notices = [*tree.notices, *_missing(tree, attributes, partition)]
        official = _official_split(tree, partition) if partition else None
        settings: dict[str, object] = {}
        if official is None:
            if partition:
                notices.append(f"{partition.where} has none of these images in its test part: the split is drawn")
            partition = None
            official = *split_indices(len(tree.names), spec.test_fraction, spec.split_seed), np.empty(0, np.int64)
            settings = {"test_fraction": spec.test_fraction, "split_seed": spec.split_seed}
        train, test, validation = official
        parts = [train, test]
        if spec.validation and len(validation):
            parts.append(validation)
            settings["validation"] = "official"
        labels = _smiling(tree, attributes) if attributes else None
        sides = [[tree.names[i] for i in part] for part in parts]
        content = content_digest(tree, [found.content for found in (attributes, partition) if found])
        return Opened(
            where=str(tree.path),
            content=content,
            decode=partial(
                _decode, tree, sides, None if labels is None else [labels[part] for part in parts], spec.size or _SIZE
            ),
            settings={**settings, **pixel_revision(tree, content)},
            counts=(len(train), len(test)),
            shape=(*(spec.size or _SIZE), 3),
            notices=(*notices, *trained_on_too(tree.hashes, *sides[:2])),
        )


def _missing(tree: Tree, attributes: FaceList | None, partition: FaceList | None) -> list[str]:
    """Say what it means that a list was not found, a line a list."""
    missing = []
    if partition is None:
        missing.append((PARTITION, "the split is drawn, so that official test images may be trained on"))
    if attributes is None:
        missing.append((ATTRIBUTES, "there are no labels"))
    return [f"{name}.txt or .csv was not found in or near {tree.path}: {outcome}" for name, outcome in missing]


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
    zips = []
    for folder, folders, files in os.walk(path):
        folders[:] = [name for name in folders if not is_hidden(name)]
        if any(is_image(name) and not is_hidden(name) for name in files):
            return path
        zips += [Path(folder, name) for name in files if name.lower().endswith(".zip") and not is_hidden(name)]
    if len(zips) > 1:
        zips = [found for found in zips if found.name == _PACKED]
    return zips[0] if len(zips) == 1 else path


def _official_split(tree: Tree, found: FaceList) -> tuple[NDArray[np.int64], ...] | None:
    """Return the places of training, test and validation images; None where no image is of the test part."""
    part = np.array([found.value(name, 0, ("0", "1", "2")) for name in tree.names], np.int64)
    train, test = np.flatnonzero(part == _TRAIN), np.flatnonzero(part == _TEST)
    if not len(test):
        return None
    if not len(train):
        raise DataError(f"{tree.path}: by {found.where} none of the {len(part)} images is for training")
    return train, test, np.flatnonzero(part == _VALIDATION)


def _smiling(tree: Tree, found: FaceList) -> NDArray[np.int64]:
    if _LABEL not in found.columns:
        raise DataError(
            f"{found.where} is not in the official format: line 1 the count, line 2 the attributes, {_LABEL} among "
            "them; or, in a table, line 1 the attributes",
        )
    column = found.columns.index(_LABEL)
    return np.array([found.value(name, column, ("-1", "1")) == 1 for name in tree.names], np.int64)


def _decode(
    tree: Tree,
    sides: Sequence[Sequence[str]],
    labels: Sequence[NDArray[np.int64]] | None,
    size: tuple[int, int],
) -> Decoded:
    pixels, notices = read_images(tree, [*itertools.chain(*sides)], Rules(size, crop=True, colour=True))
    parts = np.split(pixels, np.cumsum([len(side) for side in sides])[:-1])
    classes = () if labels is None else ("not smiling", "smiling")
    train, test, *validation = map(Split, parts, labels) if labels else map(Split, parts)
    return Decoded(train, test, classes, notices, validation[0] if validation else None)
