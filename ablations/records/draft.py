"""A trial's folder while it is being written."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ablations.records.record import Record

__all__ = ["Draft", "record_text"]


def record_text(record: Record) -> bytes:
    """Return what record.json holds."""
    text = json.dumps(record.to_json(), indent=1, ensure_ascii=False, default=str)
    # A name that is no valid Unicode comes back as it was: JSON has an escape for each half of a surrogate pair.
    return (text + "\n").encode("utf-8", "backslashreplace")


@dataclass(frozen=True)
class Draft:
    """A trial's folder before it is committed: what is written here is not seen by anybody yet."""

    folder: Path

    @property
    def model(self) -> Path:
        """Where the trained model goes."""
        return self.folder / "model.keras"

    def write_record(self, record: Record) -> None:
        """Write record.json."""
        (self.folder / "record.json").write_bytes(record_text(record))

    def write_history(self, rows: Sequence[Mapping[str, float]]) -> None:
        """Write history.csv, a row an epoch."""
        import pandas as pd

        pd.DataFrame(list(rows)).to_csv(self.folder / "history.csv", index=False)

    def write_arrays(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Write arrays.npz."""
        with (self.folder / "arrays.npz").open("wb") as file:
            np.savez_compressed(file, allow_pickle=False, **arrays)

    def write_file(self, name: str, content: bytes) -> None:
        """Write a file of a trial's folder that was made on another machine."""
        (self.folder / Path(name).name).write_bytes(content)
