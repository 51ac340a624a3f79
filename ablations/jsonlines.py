"""Logs of one JSON object a line: append-only, each line on disk before anything builds on it, torn ones skipped."""

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

__all__ = ["append", "lines"]


def append(path: Path, line: Mapping[str, Any]) -> None:
    """Write one line at the end of the file and have the system put it on the disk."""
    # One write of a whole line to a file opened for appending: two processes' lines don't mix. A line that a crash
    # cut short is ended first, so that it takes no other along.
    with path.open("ab+") as file:
        size = file.seek(0, os.SEEK_END)
        if size:
            file.seek(size - 1)
            torn = file.read(1) != b"\n"
        else:
            torn = False
        text = json.dumps(line, ensure_ascii=False) + "\n"
        file.write((b"\n" if torn else b"") + text.encode("utf-8", "backslashreplace"))
        file.flush()
        os.fsync(file.fileno())


def lines(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the lines that are whole; none where there is no file."""
    if not path.is_file():
        return
    # Not splitlines, which takes more signs for an end of line than a name may hold.
    for text in path.read_text(encoding="utf-8", errors="replace").split("\n"):
        try:
            line = json.loads(text)
        except ValueError:
            continue
        if isinstance(line, dict):
            yield line
