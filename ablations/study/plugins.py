"""The files of code that a study names: run before anything of the study is read, for it may speak of their parts."""

import os.path
from collections.abc import Mapping
from typing import Any

from ablations.study.places import located
from vae.errors import PluginError, SpecError
from vae.plugins import load_plugin
from vae.sources import Source

__all__ = ["brought"]


def brought(table: Mapping[str, Any], where: str) -> tuple[Source, ...]:
    """Load the plugins that a study's tables name, and return their texts.

    Args:
        table: the study's.
        where: its file; relative paths hang on its folder, or on the one that the study names.

    Raises:
        SpecError: they are no list of paths, or one is not there.
        PluginError: one can't be run; the message begins with its file and line.
    """
    names = table.get("plugins", ())
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        raise SpecError(f'{where}: plugins: got {names!r}, expected a list of files, such as ["my_net.py"]')
    below = table.get("folder", "")
    here = os.path.dirname(os.path.abspath(where))  # noqa: PTH100, PTH120 - a text is kept as it is written
    folder = os.path.join(here, below if isinstance(below, str) else "")  # noqa: PTH118
    found: list[Source] = []
    for name in names:
        path = os.path.expanduser(located(name, folder))  # noqa: PTH111
        try:
            found.append(load_plugin(path))
        except PluginError:
            raise
        except SpecError as error:
            raise SpecError(f"{where}: plugins: {error}") from None
    return tuple(found)
