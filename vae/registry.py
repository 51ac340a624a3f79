"""A folder is a registry: one entry a file, found by import, named by a decorator; two more doors lead in from outside.

Those are files that a study names (`vae.plugins`), and entry points of installed distributions.
"""

import hashlib
import importlib
import inspect
import pkgutil
import threading
import traceback
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import FrameType, MappingProxyType
from typing import Any, Generic, Literal, TypeVar

from vae.errors import SpecError, unknown_name
from vae.sources import Source

__all__ = ["Door", "Place", "Registry", "loading", "registries", "told"]

T = TypeVar("T")
Door = Literal["built in", "plugin", "distribution", "code"]
_UNASKED = ("built in", "code")


@dataclass(frozen=True)
class Place:
    """Where an entry was registered.

    Attributes:
        path: the file.
        line: in it.
        module: its import name.
        door: how it came in: with the package; by a file that a study names; by an installed distribution; or by code
            that was run, such as a notebook's or a module's that the user imported.
        source: the file's text, of a plugin.
        distribution: name and version of the one that brought it.
    """

    path: Path
    line: int
    module: str
    door: Door = "built in"
    source: Source | None = None
    distribution: str = ""

    def __str__(self) -> str:
        """The file and line."""
        return f"{self.path}, line {self.line}"

    def same(self, other: "Place") -> bool:
        """Tell whether this is the other one, executed again."""
        return (self.path, self.line, self.module) == (other.path, other.line, other.module)


class _Inside(threading.local):
    """What this thread is doing: whether it is searching, and which file's text it is running."""

    searching: bool = False
    source: Source | None = None
    distribution: str = ""


_LOADING = _Inside()
_ALL: "list[weakref.ref[Registry[Any]]]" = []


def registries() -> "list[Registry[Any]]":
    """Return every registry that there is; one whose package nobody imported yet is none."""
    return [found for one in _ALL if (found := one()) is not None]


@contextmanager
def loading(source: Source) -> Iterator[None]:
    """Have what is registered in the block come from a plugin."""
    before, _LOADING.source = _LOADING.source, source
    try:
        yield
    finally:
        _LOADING.source = before


class Registry(Mapping[str, T], Generic[T]):
    """The entries that the modules of one package register, by name, and those that come from outside.

    The package's modules (those whose names do not begin with an underscore) are imported on first use, so that a new
    file in the folder is all that a new entry takes. One that can't be imported is listed in `broken`, and harms nobody
    but who asks for it. What installed distributions offer as entry points of the group `vaebench.<folder>` is known by
    name, and imported when it is first asked for.

    Args:
        kind: what an entry is, as users call it; it appears in error messages.
        package: the import name of the folder.

    Attributes:
        kind: as given.
        group: of entry points.
        has_guests: whether an entry is not the package's own.
    """

    def __init__(self, kind: str, package: str) -> None:
        """Remember the folder; nothing is imported yet."""
        self.kind = kind
        self._package = package
        self.group = f"vaebench.{package.rpartition('.')[2]}"
        self._home = _module_that_makes(inspect.currentframe())
        self._entries: dict[str, T] = {}
        self._places: dict[str, Place] = {}
        self._offered: dict[str, EntryPoint] = {}
        self._broken: dict[str, str] = {}
        self._searched = False
        self.has_guests = False
        self._unasked: list[str] = []
        self._inside = _Inside()
        # Held for a moment at a time, never while a module is imported: another thread may hold that module's own lock
        # and wait for an entry.
        self._lock = threading.Lock()
        _ALL.append(weakref.ref(self))

    def register(self, name: str) -> Callable[[T], T]:
        """Return the decorator that files its argument under `name`.

        Raises:
            SpecError: the name is taken by an entry from another place; the message names both.
        """
        place = self._registering()
        if place.door != "built in":
            self._search()  # what the package brings is never replaced

        def file(entry: T) -> T:
            with self._lock:
                known = self._places.get(name)
                if known is not None and not known.same(place):  # the same place is a module that is executed again
                    raise SpecError(
                        f"{self.kind} '{name}' is registered twice: in {known} and in {place}. Rename one of the two"
                    )
                self._put(name, entry, place)
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
    def _replaced(self, name: str, entry: T, place: Place) -> Iterator[T]:
        self._search()  # else it would find the name taken
        with self._lock:
            before = {name: self._entries[name]} if name in self._entries else {}
            before_place = {name: self._places[name]} if before else {}
            self._put(name, entry, place)
        try:
            yield entry
        finally:
            with self._lock:
                self._drop(name)
                if before:
                    self._put(name, before[name], before_place[name])

    def forget(self, module: str) -> None:
        """Take out what a module from outside registered."""
        with self._lock:
            for name in [name for name, place in self._places.items() if place.module == module]:
                self._drop(name)

    def _put(self, name: str, entry: T, place: Place) -> None:
        self._entries[name], self._places[name] = entry, place
        self._derive()

    def _drop(self, name: str) -> None:
        del self._entries[name], self._places[name]
        self._derive()

    def _derive(self) -> None:
        """Note what each of thousands of runs asks for."""
        self.has_guests = any(place.door != "built in" for place in self._places.values())
        self._unasked = sorted(name for name, place in self._places.items() if place.door in _UNASKED)

    def place(self, name: str) -> Place:
        """Return where the entry called `name` was registered.

        Raises:
            SpecError: there is none; the message names the nearest.
        """
        self[name]
        return self._places[name]

    def source(self, name: str) -> Path:
        """Return the file that registered the entry called `name`.

        Raises:
            SpecError: there is none; the message names the nearest.
        """
        return self.place(name).path

    def origin(self, name: str) -> str:
        """Return what identifies the code of an entry from outside: its text's hash, its distribution; "" of our own.

        Raises:
            SpecError: there is none; the message names the nearest.
        """
        if name not in self._places:
            self[name]
        place = self._places[name]
        if place.door == "built in":
            return ""
        text = place.source.text.encode() if place.source else _content(place.path, self._entries[name])
        return f"{place.distribution} {hashlib.sha256(text).hexdigest()}".strip()

    def unasked(self) -> list[str]:
        """Return the names, by alphabet, of what a run has without asking: nothing of plugins or distributions."""
        self._search()
        return list(self._unasked)

    @property
    def broken(self) -> Mapping[str, str]:
        """Name of each module, or offered entry, that can't be imported -> the error, with its file and line."""
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
        if name in self._offered:
            self._fetch(name)
        if name in self._entries:
            return self._entries[name]
        if name in self._broken:
            raise SpecError(f"{self.kind} '{name}' could not be imported: {self._broken[name]}")
        raise SpecError(f"{unknown_name(self.kind, name, self)}{self.failures()}")

    def __contains__(self, name: object) -> bool:
        """Tell whether an entry has that name (Mapping's own test expects a KeyError, ours is a SpecError)."""
        self._search()
        if name in self._offered:
            self._fetch(str(name))
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        """Yield the names in alphabetical order."""
        self._search()
        for name in list(self._offered):
            self._fetch(name)
        with self._lock:
            return iter(sorted(self._entries))

    def __len__(self) -> int:
        """Return the number of entries."""
        return len(list(iter(self)))

    def _search(self) -> None:
        """Import the folder's modules, once, and look what distributions offer.

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
            if False not in over:
                self._look_outside()
                self._searched = True
        finally:
            self._inside.searching = False

    def _look_outside(self) -> None:
        for point in entry_points(group=self.group):
            known = self._places.get(point.name)
            if point.name in self._offered or known is not None:
                first = known or self._offered[point.name].value
                self._broken[f"{point.name} of {_distribution(point)}"] = (
                    f"{self.kind} '{point.name}' is registered twice: in {first} and by {point.value} of "
                    f"{_distribution(point)}. Rename one of the two"
                )
            else:
                self._offered[point.name] = point

    def _fetch(self, name: str) -> None:
        """Import an entry that a distribution offers; one that can't be imported is broken."""
        with self._lock:
            point = self._offered.pop(name, None)
        if point is None:
            return
        _LOADING.distribution = _distribution(point)
        try:
            found = point.load()
        except (Exception, SystemExit) as error:  # noqa: BLE001 - of somebody else's, which may raise anything
            self._broken[name] = told(error)
            return
        finally:
            _LOADING.distribution = ""
        if name not in self._entries:
            if inspect.ismodule(found):
                self._broken[name] = f"{point.value} of {_distribution(point)} registers no {self.kind} '{name}'"
                return
            path = Path(str(getattr(importlib.import_module(point.module), "__file__", point.module)))
            self._put(name, found, Place(path, 1, point.module, "distribution", distribution=_distribution(point)))

    def _imported(self, name: str) -> bool:
        """Import a module, and tell whether that is over: it may be the very one that asks."""
        full = f"{self._package}.{name}"
        try:
            module = importlib.import_module(full)
        except Exception as error:  # noqa: BLE001 - of somebody's own file, which may raise anything
            self.forget(full)
            with self._lock:
                self._broken[name] = told(error)
            return True
        return not getattr(module.__spec__, "_initializing", False)

    def _registering(self) -> Place:
        """Return the place that is registering, beyond this module and functions of the registry's own package."""
        frame = inspect.currentframe()
        while frame is not None and (_module(frame) == __name__ or self._is_wrapper(frame)):
            frame = frame.f_back
        if frame is None:  # called from outside of any Python code
            return Place(Path(__file__), 0, __name__)
        module, path, line = _module(frame), Path(frame.f_code.co_filename), frame.f_lineno
        if module.startswith(f"{self._package}."):
            return Place(path, line, module)
        if _LOADING.source is not None and module == _LOADING.source.module:
            return Place(path, line, module, "plugin", _LOADING.source)
        if _LOADING.distribution:
            return Place(path, line, module, "distribution", distribution=_LOADING.distribution)
        return Place(path, line, module, "code")

    def _is_wrapper(self, frame: FrameType) -> bool:
        module = _module(frame)
        beside = module == self._home or module.startswith(f"{self._package}.")
        return beside and frame.f_code.co_name != "<module>"


def _distribution(point: EntryPoint) -> str:
    return "" if point.dist is None else f"{point.dist.name} {point.dist.version}"


def _content(file: Path, entry: object) -> bytes:
    """Return the text of a file, or of the entry where there is none, as in a notebook."""
    try:
        return file.read_bytes()
    except OSError:
        pass
    try:
        return inspect.getsource(getattr(entry, "compute", entry)).encode()  # type: ignore[arg-type]
    except (OSError, TypeError):
        return repr(entry).encode()


def _module(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__"))


def _module_that_makes(frame: FrameType | None) -> str | None:
    """Return the name of the module at whose top level a registry is made; None for one made in a function."""
    while frame is not None and _module(frame) in {__name__, "typing"}:
        frame = frame.f_back
    return _module(frame) if frame is not None and frame.f_code.co_name == "<module>" else None


def told(error: BaseException) -> str:
    """Return an error of an import in words, with the file and line that it comes from."""
    if isinstance(error, SyntaxError):
        return f"{type(error).__name__}: {error.msg} ({error.filename}, line {error.lineno})"
    frames = [one for one in traceback.extract_tb(error.__traceback__) if not one.filename.startswith("<frozen")]
    frames = [one for one in frames if one.filename not in {__file__, importlib.__file__}]
    place = f" ({frames[-1].filename}, line {frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {error}{place}"
