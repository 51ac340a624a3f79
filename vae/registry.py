"""A folder is a registry: one entry a file, found by import, named by a decorator."""

import importlib
import inspect
import pkgutil
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import FrameType, MappingProxyType
from typing import Generic, NamedTuple, TypeVar

from vae.errors import SpecError, unknown_name

__all__ = ["Registry"]

T = TypeVar("T")


class _Place(NamedTuple):
    """Where an entry was registered: the file and line, and the import name of the module."""

    path: Path
    line: int
    module: str

    def __str__(self) -> str:
        return f"{self.path}, line {self.line}"


class _Inside(threading.local):
    """Whether this thread is searching."""

    searching: bool = False


class Registry(Mapping[str, T], Generic[T]):
    """The entries that the modules of one package register, by name.

    The package's modules (those whose names do not begin with an underscore) are imported on first use, so that a new
    file in the folder is all that a new entry takes. One that can't be imported is listed in `broken`, and harms nobody
    but who asks for it.

    Args:
        kind: what an entry is, as users call it; it appears in error messages.
        package: the import name of the folder.
    """

    def __init__(self, kind: str, package: str) -> None:
        """Remember the folder; nothing is imported yet."""
        self.kind = kind
        self._package = package
        self._home = _module_that_makes(inspect.currentframe())
        self._entries: dict[str, T] = {}
        self._places: dict[str, _Place] = {}
        self._broken: dict[str, str] = {}
        self._searched = False
        self._inside = _Inside()
        # Held for a moment at a time, never while a module is imported: another thread may hold that module's own lock
        # and wait for an entry.
        self._lock = threading.Lock()

    def register(self, name: str) -> Callable[[T], T]:
        """Return the decorator that files its argument under `name`.

        Raises:
            SpecError: the name is taken by an entry from another place; the message names both.
        """
        place = self._registering()

        def file(entry: T) -> T:
            with self._lock:
                known = self._places.get(name)
                if known is not None and known != place:  # the same place is a module that is executed again
                    raise SpecError(
                        f"{self.kind} '{name}' is registered twice: in {known} and in {place}. Rename one of the two"
                    )
                self._entries[name], self._places[name] = entry, place
            return entry

        return file

    def temporarily(self, name: str, entry: T) -> AbstractContextManager[T]:
        """Return a block in which `name` is `entry`, whatever it was before and is again after.

        >>> numbers = Registry("number", "vae.terms")
        >>> with numbers.temporarily("one", 1):
        ...     numbers["one"]
        1
        """
        return self._replaced(name, entry, self._registering())

    @contextmanager
    def _replaced(self, name: str, entry: T, place: _Place) -> Iterator[T]:
        self._search()  # else it would find the name taken
        with self._lock:
            before = {name: self._entries[name]} if name in self._entries else {}
            before_place = {name: self._places[name]} if before else {}
            self._entries[name], self._places[name] = entry, place
        try:
            yield entry
        finally:
            with self._lock:
                del self._entries[name], self._places[name]
                self._entries |= before
                self._places |= before_place

    def source(self, name: str) -> Path:
        """Return the file that registered the entry called `name`.

        Raises:
            SpecError: there is none; the message names the nearest.
        """
        self[name]
        return self._places[name].path

    @property
    def broken(self) -> Mapping[str, str]:
        """Name of each module that can't be imported -> the error, with its file and line."""
        self._search()
        return MappingProxyType(self._broken)

    def failures(self) -> str:
        """Say which files could not be imported, as a line after a message that lists known names.

        An unknown name may be one that such a file would have registered. "" where all could be imported.
        """
        if not self.broken:
            return ""
        return (
            f"\nThese files could not be imported: {'; '.join(f'{name}: {why}' for name, why in self.broken.items())}"
        )

    def __getitem__(self, name: str) -> T:
        """Return the entry called `name`.

        Raises:
            SpecError: there is none; the message names the nearest, and what could not be imported.
        """
        self._search()
        if name in self._entries:
            return self._entries[name]
        if name in self._broken:
            raise SpecError(f"{self.kind} '{name}' could not be imported: {self._broken[name]}")
        raise SpecError(f"{unknown_name(self.kind, name, self)}{self.failures()}")

    def __contains__(self, name: object) -> bool:
        """Tell whether an entry has that name (Mapping's own test expects a KeyError, ours is a SpecError)."""
        self._search()
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        """Yield the names in alphabetical order."""
        self._search()
        with self._lock:
            return iter(sorted(self._entries))

    def __len__(self) -> int:
        """Return the number of entries."""
        self._search()
        return len(self._entries)

    def _search(self) -> None:
        """Import the folder's modules, once.

        The modules may look into the registry themselves, and see what is there so far. Any other thread that comes
        meanwhile goes through the modules as well, and so waits for each in Python's own way.
        """
        if self._searched or self._inside.searching:
            return
        self._inside.searching = True
        try:
            package = importlib.import_module(self._package)
            names = sorted(found.name for found in pkgutil.iter_modules(package.__path__) if found.name[0] != "_")
            over = {self._imported(name) for name in names if name not in self._broken}
            self._searched = False not in over
        finally:
            self._inside.searching = False

    def _imported(self, name: str) -> bool:
        """Import a module, and tell whether that is over: it may be the very one that asks."""
        full = f"{self._package}.{name}"
        try:
            module = importlib.import_module(full)
        except Exception as error:  # noqa: BLE001 - of somebody's own file, which may raise anything
            with self._lock:
                for entry in [entry for entry, place in self._places.items() if place.module == full]:
                    del self._entries[entry], self._places[entry]
                self._broken[name] = _told(error)
            return True
        return not getattr(module.__spec__, "_initializing", False)

    def _registering(self) -> _Place:
        """Return the place that is registering, beyond this module and wrappers that stand beside the registry."""
        frame = inspect.currentframe()
        while frame is not None and (_module(frame) == __name__ or self._is_wrapper(frame)):
            frame = frame.f_back
        if frame is None:  # called from outside of any Python code
            return _Place(Path(__file__), 0, __name__)
        return _Place(Path(frame.f_code.co_filename), frame.f_lineno, _module(frame))

    def _is_wrapper(self, frame: FrameType) -> bool:
        return _module(frame) == self._home and frame.f_code.co_name != "<module>"


def _module(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__"))


def _module_that_makes(frame: FrameType | None) -> str | None:
    """Return the name of the module at whose top level a registry is made; None for one made in a function."""
    while frame is not None and _module(frame) in {__name__, "typing"}:
        frame = frame.f_back
    return _module(frame) if frame is not None and frame.f_code.co_name == "<module>" else None


def _told(error: Exception) -> str:
    """Return an error of an import in words, with the file and line that it comes from."""
    if isinstance(error, SyntaxError):
        return f"{type(error).__name__}: {error.msg} ({error.filename}, line {error.lineno})"
    frames = [one for one in traceback.extract_tb(error.__traceback__) if not one.filename.startswith("<frozen")]
    frames = [one for one in frames if one.filename not in {__file__, importlib.__file__}]
    place = f" ({frames[-1].filename}, line {frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {error}{place}"
