"""A folder is a registry: one entry a file, found by import, named by a decorator."""

import importlib
import pkgutil
from collections.abc import Callable, Iterator, Mapping
from typing import Generic, TypeVar

from vae.errors import SpecError, unknown_name

__all__ = ["Registry"]

T = TypeVar("T")


class Registry(Mapping[str, T], Generic[T]):
    """The entries that the modules of one package register, by name.

    The package's modules (those whose names do not begin with an underscore) are imported on first use, so that a new
    file in the folder is all that a new entry takes.

    Args:
        kind: what an entry is, as users call it; it appears in error messages.
        package: the import name of the folder.
    """

    def __init__(self, kind: str, package: str) -> None:
        """Remember the folder; nothing is imported yet."""
        self.kind = kind
        self._package = package
        self._entries: dict[str, T] = {}
        self._searched = False

    def register(self, name: str) -> Callable[[T], T]:
        """Return the decorator that files its argument under `name`.

        Raises:
            SpecError: the name is taken by another entry.
        """

        def file(entry: T) -> T:
            if name in self._entries:
                raise SpecError(f"{self.kind} '{name}' is registered twice: by {self._entries[name]!r} and {entry!r}")
            self._entries[name] = entry
            return entry

        return file

    def _search(self) -> None:
        if self._searched:
            return
        self._searched = True  # first, since the modules imported below may look into the registry themselves
        package = importlib.import_module(self._package)
        for module in sorted(found.name for found in pkgutil.iter_modules(package.__path__)):
            if not module.startswith("_"):
                importlib.import_module(f"{self._package}.{module}")

    def __getitem__(self, name: str) -> T:
        """Return the entry called `name`.

        Raises:
            SpecError: there is none; the message names the nearest.
        """
        self._search()
        if name not in self._entries:
            raise SpecError(unknown_name(self.kind, name, self._entries))
        return self._entries[name]

    def __contains__(self, name: object) -> bool:
        """Tell whether an entry has that name (Mapping's own test expects a KeyError, ours is a SpecError)."""
        self._search()
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        """Yield the names in alphabetical order."""
        self._search()
        return iter(sorted(self._entries))

    def __len__(self) -> int:
        """Return the number of entries."""
        self._search()
        return len(self._entries)
