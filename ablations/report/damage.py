"""What trials left in files, read with care: a damaged file costs that trial's pictures, not the report."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ablations.records.record import Record
from ablations.report.loaders import Arrays
from ablations.text.numbers import clean, count, shorten

__all__ = ["Careful"]

_LISTED = 20  # damaged files that are named: where there are more, the disk is the trouble
_REASON = 160  # letters of what a reader said
_PICTURES = "h w c"

# The sides of each array: a letter is a size that is the same wherever it stands, a number is that size.
_SIDES = {
    "examples": f"e {_PICTURES}",
    "reconstructions": f"e {_PICTURES}",
    "example_labels": "e",
    "extreme_examples": f"2 x {_PICTURES}",
    "extreme_reconstructions": f"2 x {_PICTURES}",
    "extreme_sse": "2 x",
    "extreme_labels": "2 x",
    "sse_per_image": "n",
    "labels": "n",
    "z_mean": "m l",
    "z_labels": "m",
    "interpolations": f"p s {_PICTURES}",
    "interpolations_spherical": f"p s {_PICTURES}",
    "interpolation_labels": "p 2",
    "class_walks": f"k s {_PICTURES}",
    "class_walk_labels": "k 2",
    "traversals": f"t v {_PICTURES}",
    "traversed": "t",
    "traversal_values": "v",
    "traversal_kl": "t",
    "traversal_variance": "t",
    "plane": f"g g {_PICTURES}",
    "plane_values": "g",
    "samples": f"r {_PICTURES}",
    "nearest": f"r {_PICTURES}",
    "nearest_mse": "r",
    "nearest_mse_test": "q",
    "kl_per_dimension": "l",
    "variance_per_dimension": "l",
}
_MAY_BE_NONE = {"p", "k"}  # ways between images: of a single image there is none


class Careful:
    """Readers of curves and arrays that give nothing for a file which is damaged, and remember why.

    Args:
        history: reads a trial's curves.
        arrays: reads a trial's pictures and points.
        results: the folder of results, as the report names it.
    """

    def __init__(
        self, history: Callable[[Record], pd.DataFrame], arrays: Callable[[Record], Arrays], results: str
    ) -> None:
        """Remember how to read."""
        self._history, self._arrays, self._results = history, arrays, results
        self._damaged: dict[tuple[str, str], str] = {}

    def history(self, record: Record) -> pd.DataFrame:
        """Return a trial's curves; none where the file is damaged."""
        try:
            return _checked_history(self._history(record))
        except Exception as error:  # noqa: BLE001 - what a damaged file makes its reader raise, no list has
            self._note(record, "history.csv", error)
            return pd.DataFrame()

    def arrays(self, record: Record) -> Arrays:
        """Return a trial's arrays; none where the file is damaged."""
        try:
            return _checked_arrays(self._arrays(record))
        except Exception as error:  # noqa: BLE001 - as above: zip, zlib, NumPy and the system have their own
            self._note(record, "arrays.npz", error)
            return {}

    def _note(self, record: Record, file: str, error: Exception) -> None:
        said = (error.strerror if isinstance(error, OSError) else "") or str(error) or type(error).__name__
        self._damaged.setdefault((record.trial, file), shorten(said, _REASON))

    @property
    def notices(self) -> tuple[str, ...]:
        """A sentence or two for each damaged file: what is left out, and how to have it again."""
        told = []
        for (trial, file), reason in list(self._damaged.items())[:_LISTED]:
            folder = clean(f"{self._results}/trials/{trial}")
            what = "pictures" if file == "arrays.npz" else "curves"
            told.append(
                f"{folder}/{file} is damaged ({reason}): the {what} of this trial are left out; its numbers stand. "
                f"To have them again, remove {folder} and run the study again."
            )
        if more := len(self._damaged) - len(told):
            told.append(f"{count(more, 'more file is', 'more files are')} damaged.")
        return tuple(told)


def _checked_history(frame: pd.DataFrame) -> pd.DataFrame:
    if frame.columns.empty:
        return frame
    for name in frame.columns:
        if not pd.api.types.is_numeric_dtype(frame[name]):
            raise ValueError(f"column {name!r} holds something else than numbers")
    if "epoch" not in frame or frame.empty or not np.isfinite(frame["epoch"]).all():
        raise ValueError("expected a row for each epoch, with its number")
    return frame


def _checked_arrays(arrays: Arrays) -> Arrays:
    sizes: dict[str, tuple[int, str]] = {}
    for name, sides in _SIDES.items():
        if name in arrays:
            _check_kind(name, sides, arrays[name])
            _check_sides(name, sides.split(), arrays[name].shape, sizes)
    return arrays


def _check_kind(name: str, sides: str, array: NDArray[Any]) -> None:
    if sides.endswith(_PICTURES):
        kinds, what = "u", "pixels of 8 bits"
    elif name == "traversed" or name.endswith("labels"):
        kinds, what = "iu", "whole numbers"
    else:
        kinds, what = "fiu", "numbers"
    if array.dtype.kind not in kinds or (kinds == "u" and array.dtype != np.uint8):
        raise ValueError(f"{name} holds {array.dtype}, expected {what}")


def _check_sides(name: str, sides: list[str], shape: tuple[int, ...], sizes: dict[str, tuple[int, str]]) -> None:
    if len(sides) != len(shape):
        raise ValueError(f"{name} has the shape {shape}, expected {count(len(sides), 'side')}")
    for side, size in zip(sides, shape, strict=True):
        expected, other = sizes.setdefault(side, (int(side) if side.isdigit() else size, name))
        if size != expected:
            raise ValueError(f"{name} has the shape {shape}, expected a side of {expected}, as {other} has")
        if not size and side not in _MAY_BE_NONE:
            raise ValueError(f"{name} has the shape {shape}: it is empty")
