"""Anyone's own images: a folder or a zip file."""

from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from vae.datasets._arrays import Decoded, Opened, Split
from vae.datasets._base import DATASETS, Dataset, DataSpec
from vae.datasets._images import pixel_revision, read_images
from vae.datasets._pixels import Rules
from vae.datasets._places import given
from vae.datasets._select import draws_classes, split_indices
from vae.datasets._splits import layout_of, trained_on_too
from vae.datasets._trees import Tree, content_digest, open_tree

__all__ = ["ImageFolder"]


@DATASETS.register("image_folder")
class ImageFolder(Dataset):
    """Images in a folder or zip file, flat or in one sub-folder a class, of any mode and size.

    Folders called like `train` and `test`, in any case and at any depth, are kept as the split; `val` is the test where
    there is none, else left out. Without such folders the split is random, stratified by class. Images are stretched to
    `DataSpec.size`, or to the most common size if they differ. They have one channel if all are grey, else three.
    """

    title = "Image folder"
    licence = "the owner's"
    source = "the user's own images"
    takes_path = "required"

    def open(self, spec: DataSpec, *, download: bool = True) -> Opened:  # noqa: ARG002
        """List the images and tell classes and splits from their folders; see `Dataset.open`."""
        tree = open_tree(given(spec.path or ""))
        layout = layout_of(tree.path, tree.names)
        class_names = tuple(sorted(set(layout.classes)))
        labels = _labels(layout.classes, class_names) if class_names else None
        settings = dict(layout.settings)
        if layout.training is None:
            train, test = split_indices(len(layout.names), spec.test_fraction, spec.split_seed, labels)
            settings |= {"test_fraction": spec.test_fraction, "split_seed": spec.split_seed}
            if labels is not None and draws_classes(spec.test_fraction, labels):
                settings["ties"] = "drawn"  # they went by name once
        else:
            train, test = np.split(np.arange(len(layout.names)), [layout.training])
        sides = [layout.names[i] for i in train], [layout.names[i] for i in test]
        content = content_digest(tree)
        return Opened(
            where=str(tree.path),
            content=content,
            decode=partial(
                _decode,
                tree,
                sides,
                (None, None) if labels is None else (labels[train], labels[test]),
                class_names,
                spec.size,
            ),
            settings={**settings, **pixel_revision(tree, content)},
            counts=(len(train), len(test)),
            notices=(*tree.notices, *layout.notices, *trained_on_too(tree.hashes, *sides)),
        )


def _labels(classes: Sequence[str], class_names: Sequence[str]) -> NDArray[np.int64]:
    numbers = {name: number for number, name in enumerate(class_names)}
    return np.array([numbers[name] for name in classes], np.int64)


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
