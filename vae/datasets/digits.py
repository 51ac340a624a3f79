"""The small digits that come with scikit-learn (Alpaydin and Kaynak, 1998): nothing to fetch."""

from functools import cache, partial
from importlib import metadata

import numpy as np
from numpy.typing import NDArray

from vae.cache import read_arrays, write_arrays
from vae.datasets._arrays import Decoded, Opened, Split
from vae.datasets._base import DATASETS, Dataset, DataSpec
from vae.datasets._official import sha256
from vae.datasets._select import split_indices

__all__ = ["Digits"]


@DATASETS.register("digits")
class Digits(Dataset):
    """Handwritten digits, 10 classes, 8 x 8 grey, 1,797 images; they have no official split, so it is stratified."""

    title = "Digits"
    licence = "CC BY 4.0"
    source = "Alpaydin, Kaynak, Optical recognition of handwritten digits, UCI Machine Learning Repository, 1998"

    def open(self, spec: DataSpec, *, download: bool = True) -> Opened:  # noqa: ARG002
        """Read them from scikit-learn's own files; see `Dataset.open`."""
        images, labels = _digits()
        train, test = split_indices(len(images), spec.test_fraction, spec.split_seed, labels)
        return Opened(
            where="scikit-learn",
            content=sha256(images.tobytes() + labels.tobytes()),
            decode=partial(_split, train, test),
            settings={"test_fraction": spec.test_fraction, "split_seed": spec.split_seed},
            counts=(len(train), len(test)),
            shape=(8, 8, 1),
            cached=False,
        )


@cache
def _digits() -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return images and labels, read-only: those of scikit-learn, whose import takes longer than a plan may, cached."""
    key = sha256(f"digits of scikit-learn {metadata.version('scikit-learn')}".encode())
    kept = read_arrays(key)
    if kept is not None and kept[0].keys() == {"images", "labels"}:
        images, labels = kept[0]["images"], kept[0]["labels"]
        if images.shape == (*labels.shape, 8, 8, 1):
            return images, labels
    from sklearn.datasets import load_digits

    found = load_digits()
    # Whole numbers from 0 to 16: x * 255 / 16, rounded.
    images = ((found.images.astype(np.int64) * 255 + 8) // 16).astype(np.uint8)[..., np.newaxis]
    labels = found.target.astype(np.int64)
    images.flags.writeable = labels.flags.writeable = False  # shared by every caller
    write_arrays(key, {"images": images, "labels": labels}, {})
    return images, labels


def _split(train: NDArray[np.int64], test: NDArray[np.int64]) -> Decoded:
    images, labels = _digits()
    return Decoded(Split(images[train], labels[train]), Split(images[test], labels[test]), tuple("0123456789"))
