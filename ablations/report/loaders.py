"""How a report gets at what trials left in files."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from numpy.typing import NDArray

from ablations.records.record import Record

__all__ = ["Arrays", "Loaders", "class_name"]

Arrays = Mapping[str, NDArray[Any]]
"""What a trial left in arrays.npz: pictures, points, numbers for each image."""


@dataclass(frozen=True)
class Loaders:
    """How a figure gets at what a trial left in files, and what an axis of the study is called.

    Attributes:
        history: the trial's curves, a row an epoch; empty where there are none.
        arrays: the trial's pictures and points; empty where there are none.
        cache: a folder for embeddings, which cost seconds; None computes them anew.
    """

    history: Callable[[Record], pd.DataFrame]
    arrays: Callable[[Record], Arrays]
    cache: Path | None = None


def class_name(record: Record, label: int) -> str:
    """Return the class' name, or its number where the data set names none."""
    names: Sequence[object] = record.data.get("class_names") or ()
    return str(names[label]) if 0 <= label < len(names) else str(label)
