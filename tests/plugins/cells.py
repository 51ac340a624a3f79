"""A data set of a NumPy archive that lies beside this file, or where CELLS says."""

import hashlib
import os
from pathlib import Path

import numpy as np

import vaebench as vb


@vb.DATASETS.register("cells")
class Cells(vb.Dataset):
    title = "Cells"
    licence = "none"
    source = "a microscope"

    def open(self, spec: vb.DataSpec, *, download: bool = True) -> vb.Opened:
        file = Path(os.environ.get("CELLS", Path(__file__).with_name("cells.npz")))
        if not file.exists():
            raise vb.DataError(f"{file} is not there")
        return vb.Opened(str(file), hashlib.sha256(file.read_bytes()).hexdigest(), lambda: decode(file))


def decode(file: Path) -> vb.Decoded:
    with np.load(file) as arrays:
        images, labels = arrays["images"], arrays["labels"]
    half = len(images) // 2
    return vb.Decoded(vb.Split(images[:half], labels[:half]), vb.Split(images[half:], labels[half:]), ("dark", "light"))
