"""Formats of files: logs of one JSON object a line, append-only, torn lines passed over; CSV that runs nowhere."""

import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ablations.records.shapes import DamagedError, of_json
from ablations.text.characters import visible
from vae.errors import VaebenchError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["LOG_FORMAT", "append", "check_format", "csv_text", "lines", "unwritable", "writing"]

LOG_FORMAT = 2
"""Of the logs, as this version writes it: a file begins with a line that says so. Format 1 said nothing."""


def unwritable(folder: Path, error: OSError) -> VaebenchError:
    """Return the error of a folder of results that can't be written, in words."""
    return VaebenchError(
        f"results can't be written to {folder}: {error.strerror or error}. What is finished is kept. Make room, or "
        "choose another folder with --results; the same command goes on from there",
    )


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Turn what the system says against writing to a folder of results, such as that the disk is full, into words.

    Raises:
        VaebenchError: an OSError was raised in the block.
    """
    try:
        yield
    except BrokenPipeError:  # whoever read our output has gone: nothing is wrong with the folder
        raise
    except OSError as error:
        raise unwritable(folder, error) from error


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
        first = "" if size else json.dumps({"format": LOG_FORMAT}) + "\n"
        text = first + json.dumps(line, ensure_ascii=False) + "\n"
        file.write((b"\n" if torn else b"") + text.encode("utf-8", "backslashreplace"))
        file.flush()
        os.fsync(file.fileno())


def lines(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the lines that are whole, but for the one that tells the format; none where there is no file.

    Raises:
        VaebenchError: a newer version wrote them, or the file can't be read.
    """
    if not path.is_file():
        return
    try:
        content = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise VaebenchError(f"{path}: can't be read: {error.strerror or error}") from None
    # Not splitlines, which takes more signs for an end of line than a name may hold.
    for text in content.split("\n"):
        try:
            line = of_json(text)
        except DamagedError:
            continue
        if isinstance(line, dict) and line.keys() == {"format"}:
            check_format(path, line["format"], LOG_FORMAT)
        elif isinstance(line, dict):
            yield line


# What makes a spreadsheet run a cell: at its beginning, or after a character at which another country's settings, or
# a reader that ignores quotes, would begin a new cell.
_FORMULA = re.compile(r"(\A|[;\t\n])(?=[\s'\"]*[=+\-@\uff1d\uff0b\uff0d\uff20]|\A[\t\n])")


def check_format(path: Path, found: object, newest: int) -> None:
    """Refuse what a newer version wrote; what is no number of a format is nobody's.

    Raises:
        VaebenchError: with both formats.
    """
    if isinstance(found, int) and found > newest:
        raise VaebenchError(
            f"{path}: got format {found!r}, expected one up to {newest}: a newer version of vaebench wrote it. "
            "Install that, or choose another folder with --results",
        )


def csv_text(frame: "pd.DataFrame") -> str:
    """Return a table as CSV with all digits of its numbers.

    In a text cell or heading that a spreadsheet would take for a formula, an apostrophe comes before it. Control
    characters are spelt as their code points, and line ends are line feeds.
    """
    import pandas as pd

    safe = frame.copy()
    for name in safe.columns:
        if not (pd.api.types.is_numeric_dtype(safe[name]) or pd.api.types.is_bool_dtype(safe[name])):
            safe[name] = pd.Series([_defused(cell) for cell in safe[name]], index=safe.index, dtype=object)
    safe.columns = pd.Index([_defused(name) for name in safe.columns])
    return safe.to_csv(index=False, lineterminator="\n")


def _defused(cell: Any) -> Any:
    if not isinstance(cell, str):
        return cell
    return _FORMULA.sub(r"\1'", visible(cell, lines=True))  # a bare CR is not quoted, and would end the row for readers
