"""Files of one's own that bring parts: loaded by path, known by their text, and the same wherever they travel to."""

import linecache
import sys
import threading
import traceback
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import import_module
from importlib.util import spec_from_loader
from pathlib import Path
from types import ModuleType
from typing import Any

from vae.errors import PluginError, SpecError
from vae.registry import Registry, loading, registries
from vae.sources import Source

__all__ = ["Luggage", "forget", "load_plugin", "load_source", "loaded", "place_in", "registered"]


@dataclass(frozen=True)
class Luggage:
    """What another process needs before it can read settings of parts from outside.

    Attributes:
        sources: texts of plugins.
        modules: import names of modules that registered parts here, and are to be found there by their import.
    """

    sources: tuple[Source, ...] = ()
    modules: tuple[str, ...] = ()

    @classmethod
    def of(cls, parts: Iterable[tuple[Registry[Any], str]]) -> "Luggage":
        """Return what parts, given by registry and name, need.

        Raises:
            SpecError: one is defined where no other process can find it, such as a notebook; the way out is named.
        """
        sources: dict[Source, None] = {}
        modules: dict[str, None] = {}
        for registry, name in parts:
            place = registry.place(name)
            if place.source is not None:
                sources[place.source] = None
            elif place.door == "code":
                modules[_importable(registry, name)] = None
        return cls(tuple(sources), tuple(modules))

    def __bool__(self) -> bool:
        """Tell whether there is anything to carry."""
        return bool(self.sources or self.modules)

    def unpack(self) -> None:
        """Have the parts registered here.

        Raises:
            PluginError: a text can't be run here.
            ImportError: a module is not to be found here.
        """
        for source in self.sources:
            load_source(source)
        for module in self.modules:
            import_module(module)


_LOADED: dict[str, Source] = {}  # by path: of a file that was changed since, the text that counts is the new one
_LOCK = threading.RLock()


def load_plugin(path: str | Path) -> Source:
    """Run a file that registers parts, and return its text; one that is loaded already is not run again.

    Its parts are those of any study of this process from now on. A file that was changed since it was loaded is loaded
    anew, and its parts take the place of the old ones.

    Raises:
        PluginError: it can't be run; the message begins with the file and the line.
        SpecError: it is no file of Python.
    """
    source = Source.read(Path(path).absolute())
    load_source(source)
    return source


def load_source(source: Source) -> None:
    """Run a plugin's text, read here or sent from elsewhere, unless the same text was run already.

    Raises:
        PluginError: it can't be run; the message begins with the file and the line.
    """
    with _LOCK:
        if source.module in sys.modules:
            return
        before = _LOADED.get(source.path)
        if before is not None:
            forget(before)
        module = ModuleType(source.module)
        module.__file__ = source.path
        module.__spec__ = spec_from_loader(source.module, None, origin=source.path)
        sys.modules[source.module] = module
        # Tracebacks and `inspect` then show its lines where there is no such file.
        linecache.cache[source.path] = (len(source.text), None, source.text.splitlines(keepends=True), source.path)
        try:
            with loading(source):
                exec(compile(source.text, source.path, "exec"), module.__dict__)  # noqa: S102 - the user named it
        except (Exception, SystemExit) as error:
            forget(source)
            raise _failure(source, error) from error
        _LOADED[source.path] = source


def loaded() -> list[Source]:
    """Return the files that are loaded."""
    return list(_LOADED.values())


def forget(source: Source | None = None) -> None:
    """Take the parts of a plugin out of all registries; those of every plugin without one."""
    with _LOCK:
        for one in [source] if source else loaded():
            sys.modules.pop(one.module, None)
            _LOADED.pop(one.path, None)
            for registry in registries():
                registry.forget(one.module)


def registered(sources: Iterable[Source]) -> Iterator[tuple[Registry[Any], str]]:
    """Yield the registry and the name of each part that these files brought."""
    modules = {one.module for one in sources}
    for registry in registries():
        yield from ((registry, name) for name in registry if registry.place(name).module in modules)


def place_in(error: BaseException) -> str:
    """Return "FILE, line N: " of the innermost line of a plugin that an error came through; "" where it met none."""
    files = set(_LOADED)
    found = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename in files]
    return f"{found[-1].filename}, line {found[-1].lineno}: " if found else ""


def _importable(registry: Registry[Any], name: str) -> str:
    """Return the import name of the module that defines a part."""
    entry = registry[name]
    module = str(getattr(getattr(entry, "compute", entry), "__module__", "__main__"))
    if module == "__main__":
        raise SpecError(
            f"{registry.kind} '{name}' is defined in a notebook, or in the script that is being run, where no other "
            f"process finds it. Write it to a file of its own, such as my_{name}.py, and name that in the study: "
            f'plugins = ["my_{name}.py"]'
        )
    return module


def _failure(source: Source, error: BaseException) -> PluginError:
    """Return an error of a plugin's top level in words."""
    if isinstance(error, SyntaxError) and error.filename == source.path:
        return PluginError(f"{source.path}, line {error.lineno}: {type(error).__name__}: {error.msg}")
    frames = [one for one in traceback.extract_tb(error.__traceback__) if one.filename == source.path]
    line = frames[-1].lineno if frames else 1
    what = "calls sys.exit" if isinstance(error, SystemExit) else f"{type(error).__name__}: {error}"
    if isinstance(error, SpecError):
        what = str(error)
    return PluginError(f"{source.path}, line {line}: {what}")
