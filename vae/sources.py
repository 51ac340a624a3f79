"""The text of a file that brings parts of one's own: what travels to where the file is not."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from vae.errors import SpecError

__all__ = ["Source"]

LARGEST = 2**22  # bytes of a file of code; whatever is larger is something else
SHOWN = 8  # digits of a digest that tell one text from another in a module's name


@dataclass(frozen=True)
class Source:
    """A file of code, read.

    Attributes:
        path: where it was read, as errors name it; on another machine there may be no such file.
        text: what stood there.
    """

    path: str
    text: str

    @classmethod
    def read(cls, path: Path) -> "Source":
        """Read a file.

        Raises:
            SpecError: it is not there, is no Python file, or is no text.
        """
        if path.suffix != ".py":
            raise SpecError(f"{path}: got a name ending in '{path.suffix}', expected a Python file, such as my_net.py")
        try:
            if path.stat().st_size > LARGEST:
                raise SpecError(f"{path}: has more than {LARGEST:,} bytes: no file of code")
            text = path.read_text(encoding="utf-8")
        except OSError as error:
            raise SpecError(f"{path}: can't be read: {error.strerror or error}") from None
        except UnicodeDecodeError:
            raise SpecError(f"{path}: this is not UTF-8. Save the file as UTF-8") from None
        return cls(str(path), text)

    @cached_property
    def digest(self) -> str:
        """SHA-256 (hex) of the text."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def module(self) -> str:
        """The import name that it is given, which is no other text's."""
        stem = "".join(letter if letter.isalnum() else "_" for letter in Path(self.path).stem)
        return f"vaebench_plugin_{stem}_{self.digest[:SHOWN]}"
