"""Characters that are not seen, or that move others about: shown by their code point wherever text is shown."""

import re

__all__ = ["visible"]

# Control characters, invisible ones, marks and overrides of direction, halves of surrogate pairs, non-characters.
# The two joiners (U+200C, U+200D) stay: emoji and several scripts are written with them.
_UNSEEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ufdd0-\ufdef\ufffe\uffff\ud800-\udfff\U000e0000-\U000e007f]"
)


def visible(text: str, *, lines: bool = False) -> str:
    r"""Return text in which what could hide, reorder or command is spelt as its code point.

    A name cannot turn a line around, clear a terminal, or look like another; letters of scripts that run from right to
    left are letters, and stay.

    >>> visible("a\u202eb\x1b[2J")
    'a[U+202E]b[U+001B][2J'

    Args:
        text: from anywhere.
        lines: keep line ends (all become a line feed) and tabs.
    """
    if lines:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    kept = "\n\t" if lines else ""
    return _UNSEEN.sub(lambda found: found[0] if found[0] in kept else f"[U+{ord(found[0]):04X}]", text)
