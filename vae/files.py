"""Files that no reader, and no crash, can find half-written."""

import contextlib
import os
import tempfile
from pathlib import Path

__all__ = ["flush", "write_atomically"]


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that a reader, or a crash, finds either the old content or the new."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def flush(path: Path) -> None:
    """Have the system write a file or folder to disk, so that a rename can't come before the content."""
    with contextlib.suppress(OSError):  # some systems don't flush folders
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
