"""Temporary folders that the next run removes where their owner was killed.

The owner of a folder holds a lock in it, which the system lets go of when the owner dies, however it dies: nobody has
to guess from a process' number, which another process may have by now, or a process of another container.
"""

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
from filelock import FileLock, Timeout

__all__ = ["abandoned", "remove", "scratch", "sweep"]

LOCK = "owner.lock"
YOUNG_SECONDS = 5.0  # an owner has its lock long before
TRIES, PAUSE_SECONDS = 10, 0.2  # to remove what dying processes still write to


@contextmanager
def scratch(kind: str, parent: Path | None = None) -> Iterator[Path]:
    """Give a folder that only this user can enter, removed afterwards.

    Args:
        kind: what it is for, a part of its name.
        parent: the folder to make it in; the system's place for temporary files without it.
    """
    folder = Path(tempfile.mkdtemp(prefix=_prefix(kind), dir=parent))
    lock = FileLock(folder / LOCK, thread_local=False)
    try:
        with lock:
            yield folder
    finally:
        remove(folder)


def abandoned(kind: str, parent: Path | None = None) -> list[Path]:
    """Return the folders of this user and kind whose owner is dead, and that no other process works with.

    Args:
        kind: as it was given to `scratch`.
        parent: the same.
    """
    found = []
    for folder in Path(parent or tempfile.gettempdir()).glob(f"{_prefix(kind)}*"):
        with suppress(OSError, Timeout):  # of somebody else, or just removed, or alive
            if _is_ours(folder):
                with FileLock(folder / LOCK, timeout=0, thread_local=False):
                    found.append(folder)
    used = _used() if found else set()
    return [folder for folder in found if not any(str(folder) in text for text in used)]


def sweep(kind: str, parent: Path | None = None) -> None:
    """Remove what owners left who were killed; as `abandoned`."""
    for folder in abandoned(kind, parent):
        remove(folder)


def remove(folder: Path) -> None:
    """Remove a folder, as far as that goes; what stays is the next sweep's."""
    for _ in range(TRIES):
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return
        time.sleep(PAUSE_SECONDS)


def _prefix(kind: str) -> str:
    return f"vaebench-{kind}-"


def _is_ours(folder: Path) -> bool:
    """Tell whether a folder was made by `scratch`, for this user, and not just now.

    Raises:
        OSError: it is gone.
    """
    about = folder.lstat()
    mine = os.name != "posix" or about.st_uid == os.getuid()
    settled = time.time() - about.st_mtime > YOUNG_SECONDS
    return mine and settled and folder.is_dir() and not folder.is_symlink() and (folder / LOCK).is_file()


def _used() -> set[str]:
    """Return the folders that processes work in, and their command lines: an owner may have left some behind."""
    found = set()
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            found.add("\0".join(process.cmdline()))
        with suppress(psutil.Error, OSError):
            found.add(process.cwd())
    return found
