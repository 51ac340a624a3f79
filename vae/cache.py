"""The cache on disk: decoded arrays that processes share, and SHA-256s of files seen before.

Everything here may be deleted at any time, and a folder that cannot be written only costs time.
"""

import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vae.parts import canonical_json

__all__ = ["Ledger", "cache_folder", "read_arrays", "sha256_of_file", "write_arrays"]

# Cached arrays get this modification time (seconds): whatever writes to one later cannot help changing it, and only
# then the array is hashed again on loading.
_STAMP = 1_000_000_000
# A file changed less than this long ago (seconds) may change again within the same tick of its file system's clock.
_SETTLED = 2.0
_ABANDONED = 86_400.0  # seconds after which a temporary folder belongs to a process that was killed


def cache_folder() -> Path | None:
    """Return `$VAEBENCH_CACHE`, `$XDG_CACHE_HOME/vaebench` or `~/.cache/vaebench`; None where there is no home."""
    if chosen := os.environ.get("VAEBENCH_CACHE"):
        return Path(chosen).expanduser().absolute()
    if (base := os.environ.get("XDG_CACHE_HOME")) and Path(base).is_absolute():
        return Path(base, "vaebench")
    try:
        return Path.home() / ".cache" / "vaebench"
    except RuntimeError:
        return None


def sha256_of_file(path: Path) -> str:
    """Return the SHA-256 (hex) of a file, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Ledger:
    """SHA-256s of files below one root, remembered by path, size and modification time.

    Args:
        root: the folder or file that the remembered files belong to.
    """

    def __init__(self, root: Path) -> None:
        """Read what is remembered; nothing, where that is unreadable."""
        folder = cache_folder()
        name = hashlib.sha256(os.fsencode(root.absolute())).hexdigest()
        self._file = folder / "sha256" / f"{name}.json" if folder else None
        self._known = _read_json(self._file)
        self._changed = False

    def digest(self, path: Path, compute: Callable[[], str], part: str = "") -> str:
        """Return the remembered digest of `path` (or of a part of it), or compute it."""
        status = path.stat()
        key = f"{path.absolute()}\n{part}"
        known = self._known.get(key)
        if isinstance(known, list) and known[:2] == [status.st_size, status.st_mtime_ns] and len(known) == 3:  # noqa: PLR2004
            return str(known[2])
        found = compute()
        if time.time() - status.st_mtime > _SETTLED:
            self._known[key] = [status.st_size, status.st_mtime_ns, found]
            self._changed = True
        return found

    def save(self) -> None:
        """Write down what was computed, if anything and if possible."""
        if not self._changed or self._file is None:
            return
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(dir=self._file.parent, suffix=".tmp")
            try:
                with os.fdopen(handle, "w", encoding="utf-8") as file:
                    json.dump(self._known, file)
                Path(temporary).replace(self._file)
            except OSError:
                Path(temporary).unlink(missing_ok=True)
        except OSError:
            return
        self._changed = False


def read_arrays(key: str) -> tuple[dict[str, NDArray[Any]], dict[str, Any]] | None:
    """Return the arrays kept under `key`, mapped read-only, and the notes with them; None if missing or damaged."""
    folder = _entry(key)
    if folder is None:
        return None
    meta = _read_json(folder / "meta.json")
    arrays: dict[str, NDArray[Any]] = {}
    try:
        for name, expected in meta["arrays"].items():
            path = folder / f"{name}.npy"
            status = path.stat()
            if status.st_size != expected["size"]:
                return None
            if int(status.st_mtime) != _STAMP and sha256_of_file(path) != expected["sha256"]:
                return None
            arrays[name] = np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))
        return arrays, dict(meta["notes"])
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def write_arrays(key: str, arrays: dict[str, NDArray[Any]], notes: dict[str, Any]) -> bool:
    """Keep arrays under `key`, replacing a damaged entry; return whether that was possible.

    The entry appears by one rename, so that another process sees all of it or nothing.
    """
    folder = _entry(key)
    if folder is None:
        return False
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        _sweep(folder.parent)
        temporary = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".tmp-"))
    except OSError:
        return False
    try:
        listed = {}
        for name, array in arrays.items():
            path = temporary / f"{name}.npy"
            np.save(path, array, allow_pickle=False)
            os.utime(path, (_STAMP, _STAMP))
            listed[name] = {"size": path.stat().st_size, "sha256": sha256_of_file(path)}
        meta = canonical_json({"arrays": listed, "notes": notes})
        (temporary / "meta.json").write_bytes(meta.encode("utf-8", "backslashreplace"))  # JSON's escape for such names
        if read_arrays(key) is None:
            if folder.exists():
                folder.replace(temporary.with_name(temporary.name + "-damaged"))
            temporary.replace(folder)
    except OSError:
        # No space, or another process was first with the same entry: what is there now decides.
        return read_arrays(key) is not None
    finally:
        shutil.rmtree(temporary.with_name(temporary.name + "-damaged"), ignore_errors=True)
        shutil.rmtree(temporary, ignore_errors=True)
    return True


def _entry(key: str) -> Path | None:
    folder = cache_folder()
    return folder / "arrays" / key if folder else None


def _sweep(folder: Path) -> None:
    for path in folder.glob(".tmp-*"):
        try:
            if time.time() - path.stat().st_mtime > _ABANDONED:
                shutil.rmtree(path, ignore_errors=True)
        except OSError:
            continue


def _read_json(path: Path | None) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8")) if path else {}
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}
