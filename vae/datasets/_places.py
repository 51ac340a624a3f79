"""Where official files may lie, in the order of the search."""

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vae.errors import DataError

__all__ = ["Place", "given", "is_file", "is_folder", "places"]

_SYSTEM = Path("/usr/share/datasets")


@dataclass(frozen=True)
class Place:
    """A folder to look in.

    Attributes:
        folder: it may not exist.
        label: how the user knows it.
        shared: other data sets' files may lie there too, under the same names.
    """

    folder: Path
    label: str
    shared: bool = False


def places(folders: Sequence[str]) -> list[Place]:
    """Return `$VAEBENCH_DATA`, Keras' cache and the system's package folder, each with the usual sub-folders."""
    found = []
    if chosen := os.environ.get("VAEBENCH_DATA"):
        found += _below(Path(chosen).expanduser().absolute(), "$VAEBENCH_DATA", folders)
    for cache in _keras_caches():
        found += _below(cache, "the Keras cache", folders)
    return [*found, *(Place(_SYSTEM / folder, "the system's packages") for folder in folders)]


def _below(root: Path, label: str, folders: Sequence[str]) -> list[Place]:
    return [*(Place(root / folder, label) for folder in folders), Place(root, label, shared=True)]


def _keras_caches() -> list[Path]:
    """Return the folders Keras downloads to; it turns to the temporary folder where its own cannot be written."""
    if chosen := os.environ.get("KERAS_HOME"):
        home = Path(chosen).expanduser()
    else:
        try:
            home = Path.home() / ".keras"
        except RuntimeError:
            return [Path(tempfile.gettempdir(), ".keras", "datasets")]
    caches = [home / "datasets"]
    if not os.access(home, os.W_OK):
        caches.append(Path(tempfile.gettempdir(), ".keras", "datasets"))
    return caches


def given(path: str) -> Path:
    """Return the path that the user wrote, `~` being their home.

    Raises:
        DataError: it begins with ~ and a name, and there is no such user.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError:
        user = path.partition("/")[0]
        raise DataError(f"{path}: there is no user whose home {user} could be. Write the path out") from None


def is_folder(path: Path) -> bool:
    """Tell whether there is such a folder; not one that may not be looked at, nor one of an overlong name."""
    try:
        return path.is_dir()
    except OSError:
        return False


def is_file(path: Path) -> bool:
    """Tell whether there is such a file; not one that may not be looked at, nor one of an overlong name."""
    try:
        return path.is_file()
    except OSError:
        return False
