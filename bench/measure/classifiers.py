"""Train the classifiers whose features samples are compared in, and write their weights into the package.

    python -m bench.measure.classifiers digits fashion_mnist

prints, for `vae.features.classifier.SHIPPED`, each file's SHA-256, how many of the test images the rounded weights name
rightly, and its size.
"""

import hashlib
import sys
from collections.abc import Sequence

import numpy as np

from vae.datasets import DataSpec, load
from vae.features.classifier import FOLDER, accuracy, fitted

__all__ = ["main"]


def main(names: Sequence[str]) -> None:
    """Train and write those of some built-in data sets, of all their training images."""
    for name in names:
        data = load(DataSpec(name=name))
        weights = {key: value.astype(np.float16) for key, value in fitted(data).items()}
        path = FOLDER / f"{name}.npz"
        np.savez_compressed(path, allow_pickle=False, shape=np.array(data.shape), **weights)
        rounded = {key: value.astype(np.float32) for key, value in weights.items()}
        found = accuracy(rounded, data.test.images, np.asarray(data.test.labels))
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        line = f'    "{name}": "{digest}",  # {found:.1%} of the test images, {path.stat().st_size:,} bytes\n'
        sys.stdout.write(line)
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
