"""Files that no reader, and no crash, can find half-written."""

import contextlib
import os
import shutil
from pathlib import Path
from uuid import uuid4

import psutil

__all__ = ["PARTIAL", "flush", "owned", "partial", "remove", "sweep", "write_atomically"]

PARTIAL = ".partial-"
"""Begins the name of what is not finished, which ends with the number of the process that writes it."""


def partial(folder: Path, what: str = "") -> Path:
    """Return a new name in a folder for what this process is about to write; `what` says of what."""
    return folder / f"{PARTIAL}{what or uuid4().hex[:12]}-{os.getpid()}"


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that a reader, or a crash, finds either the old content or the new.

    Raises:
        OSError: it can't be written; what was there stays.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = partial(path.parent)
    try:
        with draft.open("xb") as file:  # whoever may read it is the user's umask's business
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
        raise


def sweep(folder: Path) -> None:
    """Remove from a folder what processes that are no more left half-written."""
    for path in folder.glob(f"{PARTIAL}*"):
        if not owned(path):
            remove(path)


def remove(path: Path) -> None:
    """Remove a file or a folder with all that is in it, as far as that can be; of a link, the link alone."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)


def owned(path: Path) -> bool:
    """Tell whether the process that a name ends with is alive; True where it ends with none."""
    owner = path.name.rpartition("-")[2]
    try:
        return not owner.isdecimal() or psutil.pid_exists(int(owner))
    except OverflowError:  # no system has such a process
        return False


def flush(path: Path) -> None:
    """Have the system write a file or folder to disk, so that a rename can't come before the content.

    Raises:
        OSError: of a file, that it can't. Some systems don't flush folders, which is no error.
    """
    with contextlib.suppress(OSError) if path.is_dir() else contextlib.nullcontext():
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
