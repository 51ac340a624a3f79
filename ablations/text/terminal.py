"""The terminal: a console to which no name can give commands, and whose reader may go at any time."""

import os
from contextlib import suppress
from typing import IO, Any

from rich.console import Console
from rich.text import Text

from ablations.text.characters import visible
from vae.errors import VaebenchError

__all__ = ["Terminal"]

_WIDE = 10_000  # letters of a line that nobody has to fold: a table's rows stay whole in a file or pipe


class Terminal(Console):
    """A console that shows control characters, and letters that its encoding lacks, by their code points.

    Into a file or pipe a table is written in its full width. Where the reader of a pipe has gone, nothing more is
    printed, and the command does its work.

    Raises:
        VaebenchError: what is printed can't be written, such as to a full disk.
    """

    def __init__(self, **options: Any) -> None:
        """Take what a console takes."""
        super().__init__(**options)
        if not (self.is_terminal or self.is_jupyter or os.environ.get("COLUMNS", "").isdigit()):
            self.width = _WIDE

    @property
    def file(self) -> Any:
        """Where the lines go."""
        return _Written(super().file, quiet=self.stderr)

    @file.setter
    def file(self, new: Any) -> None:
        Console.file.fset(self, new)  # type: ignore[attr-defined]

    def render_str(self, text: str, **options: Any) -> Text:
        """Return the text with its markup applied, control characters spelt out."""
        spelt = visible(text, lines=True).encode(self.encoding, "backslashreplace").decode(self.encoding)
        return super().render_str(spelt, **options)


class _Written:
    """A stream that takes any letter, and says in words why it takes no more; with `quiet` it says nothing."""

    def __init__(self, stream: IO[str], *, quiet: bool) -> None:
        self._stream, self._quiet = stream, quiet

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> None:
        encoding = getattr(self._stream, "encoding", None) or "utf-8"
        self._tried(self._stream.write, text.encode(encoding, "replace").decode(encoding))

    def flush(self) -> None:
        self._tried(self._stream.flush)

    def _tried(self, act: Any, *given: str) -> None:
        try:
            act(*given)
        except OSError as error:
            self._forget()
            if not (self._quiet or isinstance(error, BrokenPipeError)):
                raise VaebenchError(f"what is printed can't be written: {error.strerror or error}") from None

    def _forget(self) -> None:
        """Send what is still to come, and what Python writes as it ends, to nowhere."""
        nowhere = os.open(os.devnull, os.O_WRONLY)
        with suppress(OSError):  # it is no file of the system's
            os.dup2(nowhere, self._stream.fileno())
        os.close(nowhere)
