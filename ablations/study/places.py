"""Where a study's data lies: a relative path hangs on the study's folder, whatever the current one is."""

import os.path
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ablations.study.file import StudyFile, listed
from ablations.study.settings import Settings, flatten

__all__ = ["PATH", "is_relative", "located", "names_relative"]

PATH = "data.path"
"""The setting that names a place."""


def located(path: Any, folder: str) -> Any:
    """Return a path as it is found from anywhere.

    >>> located("photos", "/data"), located("/photos", "/data"), located("~/photos", "/data")
    ('/data/photos', '/photos', '~/photos')
    """
    return os.path.join(folder, path) if is_relative(path) else path  # noqa: PTH118 - a text is kept as it is written


def names_relative(file: StudyFile, axes: Mapping[str, Sequence[Any]], settings: Settings) -> bool:
    """Tell whether a study names a place that depends on where the study lies."""
    tables: Iterator[Mapping[str, Any]] = iter(
        [flatten(file.fixed), axes, *file.include, *(flatten(rule.set) for rule in file.override)]
    )
    return any(
        is_relative(one)
        for table in tables
        for key, value in table.items()
        if settings.places.get(key) == PATH
        for one in listed(value)
    )


def is_relative(path: Any) -> bool:
    """Tell whether a value is a path that hangs on a folder."""
    return isinstance(path, str) and not path.startswith("~") and not os.path.isabs(path)  # noqa: PTH117
