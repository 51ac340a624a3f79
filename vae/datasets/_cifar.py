"""What CIFAR-10 and CIFAR-100 have in common: Python batches, the last of which is the test's."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from vae.datasets._arrays import Decoded, Split
from vae.datasets._official import Official
from vae.datasets._parse import parse_batch

__all__ = ["LICENCE", "SOURCE", "CifarDataset"]

SOURCE = "Krizhevsky, Learning multiple layers of features from tiny images, technical report, 2009"
LICENCE = "no formal licence; published for research, cite the report"


class CifarDataset(Official):
    """Colour images and labels in Python batches.

    Attributes:
        label_key: the batches' name of the labels.
    """

    label_key: ClassVar[str]
    counts: ClassVar[tuple[int, int]] = (50_000, 10_000)
    shape: ClassVar[tuple[int, int, int]] = (32, 32, 3)

    def parse(self, contents: Mapping[str, bytes]) -> Decoded:
        """Read the batches; see `Official.parse`."""
        *batches, (test_images, test_labels) = [
            parse_batch(contents[file.name], file.name, self.label_key) for file in self.files
        ]
        images = np.concatenate([images for images, _ in batches])
        labels = np.concatenate([labels for _, labels in batches])
        return Decoded(Split(images, labels), Split(test_images, test_labels), self.class_names)
