"""The terminal: a console to which no name can give commands."""

from typing import Any

from rich.console import Console
from rich.text import Text

from ablations.text.characters import visible

__all__ = ["Terminal"]


class Terminal(Console):
    """A console that shows control characters, and letters that its encoding lacks, by their code points."""

    def render_str(self, text: str, **options: Any) -> Text:
        """Return the text with its markup applied, control characters spelt out."""
        spelt = visible(text, lines=True).encode(self.encoding, "backslashreplace").decode(self.encoding)
        return super().render_str(spelt, **options)
