"""What the metrics of plugins say of their columns, kept beside the results for readers who don't run the plugins."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ablations.records.shapes import DamagedError, Table, Text, of_json, shaped
from ablations.records.store import Store
from vae.files import write_atomically

__all__ = ["add", "read"]


def add(store: Store, columns: Mapping[str, Mapping[str, Any]]) -> None:
    """Keep what metrics say of their columns, beside what is known already."""
    known = read(store)
    if columns and (wanted := {**known, **columns}) != known:
        write_atomically(_path(store), json.dumps(wanted, indent=1).encode())


def read(store: Store) -> dict[str, Mapping[str, Any]]:
    """Return metric -> what it says of its column; nothing where that can't be read: labels alone depend on it."""
    path = _path(store)
    try:
        found: Mapping[str, Mapping[str, Any]] = shaped(dict[Text, Table], of_json(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, DamagedError):
        return {}
    return dict(found)


def _path(store: Store) -> Path:
    return store.root / "columns.json"
