"""Two runs of a trial, compared to the last bit."""

import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from ablations.records.store import Store

__all__ = ["differences"]


def weights(archive: Path) -> dict[str, np.ndarray]:
    """Return every array of a saved model, optimiser state included."""
    arrays: dict[str, np.ndarray] = {}
    with zipfile.ZipFile(archive) as file, h5py.File(BytesIO(file.read("model.weights.h5"))) as content:
        content.visititems(
            lambda name, item: arrays.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None
        )
    return arrays


def differences(one: Store, other: Store, trial: str) -> list[str]:
    """Return what differs between two runs of a trial, times apart."""
    before, after = one.read(trial), other.read(trial)
    if before is None or after is None or after.status != "done":
        return [f"{trial}: not done"]
    found = [f"{trial}: {name}" for name, value in before.metrics.items() if after.metrics[name] != value]
    histories = [store.history(before).drop(columns="seconds") for store in (one, other)]
    if not histories[0].equals(histories[1]):
        found.append(f"{trial}: history")
    models = [weights(store.model(before)) for store in (one, other)]
    arrays: list[Any] = [store.arrays(before) for store in (one, other)]
    for name, (left, right) in {"weights": models, "arrays": arrays}.items():
        if left.keys() != right.keys() or any(not np.array_equal(left[key], right[key]) for key in left):
            found.append(f"{trial}: {name}")
    return found
