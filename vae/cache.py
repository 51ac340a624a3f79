"""The cache on disk: decoded arrays that processes share, and SHA-256s of files seen before.

Everything here may be deleted at any time, and a folder that cannot be written only costs time.
"""

import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from secrets import SystemRandom
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vae.files import sweep, write_atomically
from vae.parts import canonical_json

__all__ = [
    "Ledger",
    "cache_folder",
    "check_arrays",
    "read_arrays",
    "read_everything",
    "remembered",
    "sha256_of_file",
    "write_arrays",
]

# Cached arrays get this modification time (seconds): most of what writes to one later changes it, and then the array is
# hashed as a whole on loading. What keeps the time, a failing disk or a restored backup, is left to the sample.
_STAMP = 1_000_000_000
# Arrays are hashed in blocks (bytes), and of these so many are compared at each load, drawn anew: what is damaged
# throughout is seen at once, one bit sooner or later, at 3 ms a load.
_BLOCK = 2**18
_SAMPLED = 16
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


_everything = ContextVar("everything", default=False)


@contextmanager
def read_everything() -> Iterator[None]:
    """Have ledgers that are made inside of this trust nothing that they remember."""
    token = _everything.set(True)
    try:
        yield
    finally:
        _everything.reset(token)


class Ledger:
    """SHA-256s of files below one root, remembered by path, size, times of modification and change, and inode.

    The time of change and the inode tell a file that was replaced by one of the same size and modification time, as
    copying programs leave it. Where a system gives them another meaning (on Windows the time of change is that of
    creation), they never change for a file that does not, which is all that is asked of them.

    Args:
        root: the folder or file that the remembered files belong to.
    """

    def __init__(self, root: Path) -> None:
        """Read what is remembered; nothing, where that is unreadable."""
        folder = cache_folder()
        name = hashlib.sha256(os.fsencode(root.absolute())).hexdigest()
        self._file = folder / "sha256" / f"{name}.json" if folder else None
        self._known = {} if _everything.get() else _read_json(self._file)
        self._changed = False

    def digest(self, path: Path, compute: Callable[[], str], part: str = "") -> str:
        """Return the remembered digest of `path` (or of a part of it), or compute it."""
        status = path.stat()
        key = f"{path.absolute()}\n{part}"
        state = [status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino]
        known = self._known.get(key)
        if isinstance(known, list) and known[:-1] == state and isinstance(known[-1], str):
            return known[-1]
        found = compute()
        if time.time() - max(status.st_mtime, status.st_ctime) > _SETTLED:
            self._known[key] = [*state, found]
            self._changed = True
        return found

    def save(self) -> None:
        """Write down what was computed, if anything and if possible."""
        if not self._changed or self._file is None:
            return
        try:
            sweep(self._file.parent)
            write_atomically(self._file, json.dumps(self._known).encode())
        except OSError:
            return
        self._changed = False


def remembered(key: str, compute: Callable[[], bool]) -> bool:
    """Return what `compute` gave before for `key`, which must name all that it depends on, or compute it."""
    base = cache_folder()
    path = base / "facts" / f"{hashlib.sha256(key.encode()).hexdigest()}.json" if base else None
    known = _read_json(path)
    if known.get("key") == key and isinstance(known.get("value"), bool):
        return bool(known["value"])
    value = compute()
    if path is not None:
        with suppress(OSError):
            sweep(path.parent)
            write_atomically(path, canonical_json({"key": key, "value": value}).encode())
    return value


def read_arrays(key: str, *, whole: bool = False) -> tuple[dict[str, NDArray[Any]], dict[str, Any]] | None:
    """Return the arrays kept under `key`, mapped read-only, and the notes with them; None if missing or damaged.

    Args:
        key: names the entry.
        whole: compare every byte with the checksums, not a sample.
    """
    folder = _entry(key)
    return None if folder is None else _read_entry(folder, whole=whole)


def _read_entry(folder: Path, *, whole: bool) -> tuple[dict[str, NDArray[Any]], dict[str, Any]] | None:
    meta = _read_json(folder / "meta.json")
    arrays: dict[str, NDArray[Any]] = {}
    try:
        for name, expected in meta["arrays"].items():
            path = folder / f"{name}.npy"
            if not _is_sound(path, expected, whole=whole):
                return None
            arrays[name] = np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))
        notes = dict(meta["notes"])
    except (OSError, EOFError, ValueError, TypeError, KeyError, AttributeError):
        return None
    _add_blocks(folder, meta)
    return arrays, notes


def _is_sound(path: Path, expected: Mapping[str, Any], *, whole: bool) -> bool:
    status = path.stat()
    if status.st_size != expected["size"]:
        return False
    blocks = expected.get("blocks")
    if whole or blocks is None or int(status.st_mtime) != _STAMP:
        return sha256_of_file(path) == str(expected["sha256"])
    chosen = range(len(blocks))
    # Not from a generator that a run seeds: it would draw the same blocks each time.
    sample = sorted(SystemRandom().sample(chosen, min(_SAMPLED, len(blocks))))
    return len(blocks) == -(-status.st_size // _BLOCK) and _blocks(path, sample) == [blocks[place] for place in sample]


def _blocks(path: Path, places: Sequence[int]) -> list[str]:
    """Return the checksums of these blocks of a file."""
    found = []
    with path.open("rb") as file:
        for place in places:
            file.seek(place * _BLOCK)
            found.append(hashlib.sha256(file.read(_BLOCK)).hexdigest()[:16])
    return found


def _described(path: Path) -> dict[str, Any]:
    size = path.stat().st_size
    blocks = _blocks(path, range(-(-size // _BLOCK)))
    return {"size": size, "sha256": sha256_of_file(path), "blocks": blocks}


def _add_blocks(folder: Path, meta: dict[str, Any]) -> None:
    """Give an entry that has none, as older versions wrote it, the checksums of its blocks; it was read as a whole."""
    if all("blocks" in expected for expected in meta["arrays"].values()):
        return
    listed = {name: _described(folder / f"{name}.npy") for name in meta["arrays"]}
    if all(listed[name]["sha256"] == expected["sha256"] for name, expected in meta["arrays"].items()):
        with suppress(OSError):
            write_atomically(folder / "meta.json", _meta(listed, meta["notes"]))


def _meta(listed: Mapping[str, Any], notes: Mapping[str, Any]) -> bytes:
    # JSON's escape for names that are no valid Unicode.
    return canonical_json({"arrays": listed, "notes": notes}).encode("utf-8", "backslashreplace")


def check_arrays(concerned: Callable[[Mapping[str, Any]], bool]) -> tuple[int, int]:
    """Compare every byte of the entries whose notes are `concerned`, and remove the damaged ones.

    Returns:
        How many are sound, and how many were damaged.
    """
    base = cache_folder()
    folders = sorted((base / "arrays").glob("[!.]*")) if base else []
    sound = damaged = 0
    for folder in folders:
        notes = _read_json(folder / "meta.json").get("notes")
        if not isinstance(notes, dict) or not concerned(notes):
            continue
        if _read_entry(folder, whole=True) is not None:
            sound += 1
        else:
            damaged += 1
            shutil.rmtree(folder, ignore_errors=True)
    return sound, damaged


def write_arrays(key: str, arrays: dict[str, NDArray[Any]], notes: dict[str, Any]) -> bool:
    """Keep arrays under `key`, replacing another or a damaged entry; return whether that was possible.

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
            listed[name] = _described(path)
        meta = _meta(listed, notes)
        (temporary / "meta.json").write_bytes(meta)
        if read_arrays(key, whole=True) is None or (folder / "meta.json").read_bytes() != meta:
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
