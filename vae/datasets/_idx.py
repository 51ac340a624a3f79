"""What MNIST and the data sets made in its image have in common: four IDX files."""

import io
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import numpy as np

from vae.datasets._arrays import Decoded, Split
from vae.datasets._official import Official
from vae.datasets._parse import format_idx, parse_idx
from vae.errors import DataError

__all__ = ["NAMES", "IdxDataset"]

NAMES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
_KEYS = dict(zip(NAMES, ("x_train", "y_train", "x_test", "y_test"), strict=True))
_LARGEST_ARRAY = 2**28  # bytes


class IdxDataset(Official):
    """Grey images and labels in IDX files, or in the one file of arrays that Keras keeps."""

    counts: ClassVar[tuple[int, int]] = (60_000, 10_000)
    shape: ClassVar[tuple[int, int, int]] = (28, 28, 1)

    def parse(self, contents: Mapping[str, bytes]) -> Decoded:
        """Read the four files; see `Official.parse`."""
        arrays = [parse_idx(contents[name], name) for name in NAMES]
        train, test = (
            Split(images[..., np.newaxis], labels.astype(np.int64)) for images, labels in (arrays[:2], arrays[2:])
        )
        return Decoded(train, test, self.class_names)

    def unpack(self, path: Path) -> dict[str, bytes]:
        """Return what the IDX files would be of the arrays in an `.npz` file, so that one checksum serves for both.

        Raises:
            DataError: it is damaged or lacks an array.
        """
        contents = {}
        try:
            with zipfile.ZipFile(path) as archive:
                for name, key in _KEYS.items():
                    with archive.open(f"{key}.npy") as member:
                        array = np.load(io.BytesIO(member.read(_LARGEST_ARRAY)), allow_pickle=False)
                    contents[name] = format_idx(array)
        except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile, zlib.error) as error:
            raise DataError(
                f"{path} is damaged or has not the arrays {', '.join(_KEYS.values())}: {error}. "
                "Remove it, or fetch it again",
            ) from None
        return contents
