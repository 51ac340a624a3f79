"""Anyone's own images: a folder or a zip file."""

from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from vae.datasets._arrays import Decoded, Opened, Split
from vae.datasets._base import DATASETS, Dataset, DataSpec
from vae.datasets._images import Rules, pixel_revision, read_images
from vae.datasets._places import given
from vae.datasets._select import split_indices
from vae.datasets._trees import SPLITS, Tree, content_digest, open_tree
from vae.errors import DataError

__all__ = ["ImageFolder"]

_VALIDATION = frozenset({"val", "valid", "validation"})
_NAMED = 3  # files that a message lists


@DATASETS.register("image_folder")
class ImageFolder(Dataset):
    """Images in a folder or zip file, flat or in one sub-folder a class, of any mode and size.

    `train/` and `test/` are kept as the split where both are there (a `val/` beside them is left out); otherwise the
    split is random, stratified by class. Images are stretched to `DataSpec.size`, or to the most common size if they
    differ. They have one channel if all are grey, else three.
    """

    title = "Image folder"
    licence = "the owner's"
    source = "the user's own images"
    takes_path = "required"

    def open(self, spec: DataSpec, *, download: bool = True) -> Opened:  # noqa: ARG002
        """List the images and tell classes and splits from their folders; see `Dataset.open`."""
        tree = open_tree(given(spec.path or ""))
        sides = _official_split(tree)
        if sides is None:
            names = tree.names
            labels, class_names = _labels(tree, names)
            train, test = split_indices(len(names), spec.test_fraction, spec.split_seed, labels)
            settings = {"test_fraction": spec.test_fraction, "split_seed": spec.split_seed}
        else:
            names = (*sides[0], *sides[1])
            labels, class_names = _labels(tree, [name.partition("/")[2] for name in names])
            train, test = np.split(np.arange(len(names)), [len(sides[0])])
            settings = {}
        return Opened(
            where=str(tree.path),
            content=content_digest(tree),
            decode=partial(
                _decode,
                tree,
                ([names[i] for i in train], [names[i] for i in test]),
                (None, None) if labels is None else (labels[train], labels[test]),
                class_names,
                spec.size,
            ),
            settings={**settings, **pixel_revision(tree)},
            counts=(len(train), len(test)),
        )


def _official_split(tree: Tree) -> tuple[list[str], list[str]] | None:
    sides: dict[str, list[str]] = {}
    for name in tree.names:
        top, slash, _ = name.partition("/")
        sides.setdefault(top if slash else "", []).append(name)
    if not sides.keys() >= set(SPLITS):
        return None
    if stray := [names[0] for top, names in sides.items() if top not in _VALIDATION.union(SPLITS)]:
        raise DataError(
            f"{tree.path} has train/ and test/, but images beside them too, such as {', '.join(stray[:_NAMED])}. "
            "Move them into one of the two, or out of the folder",
        )
    return sides[SPLITS[0]], sides[SPLITS[1]]


def _labels(tree: Tree, names: Sequence[str]) -> tuple[NDArray[np.int64] | None, tuple[str, ...]]:
    """Return each image's class, which is its top folder, and the classes' names; None for fewer than two classes."""
    folders = [name.rpartition("/")[0].partition("/")[0] for name in names]
    class_names = sorted(set(folders))
    if "" in class_names and len(class_names) > 1:
        loose = [name for name, folder in zip(names, folders, strict=True) if not folder]
        raise DataError(
            f"{tree.path}: {len(loose)} images lie beside the class folders, such as {', '.join(loose[:_NAMED])}. "
            "Put every image into a class folder, or none",
        )
    if len(class_names) < 2:  # noqa: PLR2004
        return None, ()
    return np.array([class_names.index(folder) for folder in folders], np.int64), tuple(class_names)


def _decode(
    tree: Tree,
    names: tuple[Sequence[str], Sequence[str]],
    labels: tuple[NDArray[np.int64] | None, NDArray[np.int64] | None],
    class_names: tuple[str, ...],
    size: tuple[int, int] | None,
) -> Decoded:
    pixels, notices = read_images(tree, [*names[0], *names[1]], Rules(size))
    train, test = np.split(pixels, [len(names[0])])
    return Decoded(Split(train, labels[0]), Split(test, labels[1]), class_names, notices)
