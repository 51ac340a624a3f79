"""The files of a report: each written whole, all of them listed, and nothing removed that the list does not name."""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from vae.errors import VaebenchError
from vae.files import write_atomically

__all__ = ["CACHE", "FIGURES", "LIST", "TABLES", "Files"]

CACHE, FIGURES, TABLES = ".cache", "figures", "tables"
LIST = ".written.json"
"""Name -> digests of what this report and the one before wrote under it."""

# Whatever a list says, nothing of another name or place is touched.
_NAMES = re.compile(rf"report\.(tex|pdf)|index\.html|{FIGURES}/[a-z0-9-]+\.(svg|png|pdf)|{TABLES}/[A-Za-z0-9-]+\.tex")


class Files:
    """A report's folder.

    A file that an earlier report wrote and this one does not is removed, unless somebody has changed it since; what
    was put there by hand stays. What an interrupted report wrote is known too: a file is listed before it is written.

    Args:
        root: the report's folder; made when the first file is written.

    Raises:
        VaebenchError: the folder, or one in it, is a link: what lies at its end is not ours to write or remove.
    """

    def __init__(self, root: Path) -> None:
        """Read what is listed."""
        self.root = root
        for place in (root, *(root / name for name in (CACHE, FIGURES, TABLES))):
            if place.is_symlink():
                raise VaebenchError(
                    f"{place} is a link to {place.readlink()}, and a report is written through no link. Remove the "
                    "link, or put a folder in its place; the same command then writes the report"
                )
        self._listed = _read(root / LIST)
        self._written: dict[str, str] = {}

    def write(self, contents: Mapping[str, bytes]) -> tuple[Path, ...]:
        """Write files, name -> content, and return their paths."""
        for name, content in contents.items():
            self._written[name] = hashlib.sha256(content).hexdigest()
            self._listed.setdefault(name, set()).add(self._written[name])
        self._list(self._listed)
        for name, content in contents.items():
            write_atomically(self.root / name, content)
        return tuple(self.root / name for name in contents)

    def remove(self, names: Iterable[str]) -> None:
        """Remove those of these files that an earlier report wrote."""
        for name in names:
            path = self.root / name
            with suppress(OSError):  # it is gone already, or can't be read
                if not path.is_symlink() and _digest(path) in self._listed.get(name, ()):
                    path.unlink()

    def finish(self) -> None:
        """Remove what an earlier report wrote and this one did not, and list this one's files alone."""
        self.remove(self._listed.keys() - self._written.keys())
        self._list({name: {digest} for name, digest in self._written.items()})

    def _list(self, known: Mapping[str, Iterable[str]]) -> None:
        names = {name: sorted(known[name]) for name in sorted(known)}
        write_atomically(self.root / LIST, (json.dumps({"format": 1, "files": names}, indent=1) + "\n").encode())


def _read(path: Path) -> dict[str, set[str]]:
    """Return what a list names; nothing where there is none, or none that can be read."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))["files"]
        return {name: set(map(str, digests)) for name, digests in found.items() if _NAMES.fullmatch(name)}
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return {}


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
