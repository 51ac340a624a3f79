"""What a study asks for, written down: so that its results can be read where nobody wants to run its plugins' code."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ablations.records.files import check_format
from ablations.records.shapes import Count, DamagedError, Table, Text, Value, of_json, shaped
from ablations.records.store import Store
from vae.errors import VaebenchError
from vae.files import write_atomically

__all__ = ["FORMAT", "Row", "Rows", "path_of", "plugins_of", "read", "write"]

FORMAT = 1


@dataclass(frozen=True)
class Row:
    """A trial that the study asks for.

    Attributes:
        name: of its folder.
        digest: of its spec and data.
        axes: axis -> value, `seed` last.
        spec: the run as plain values.
    """

    name: Text
    digest: Text
    axes: Mapping[Text, Value]
    spec: Table


@dataclass(frozen=True)
class Rows:
    """What a study asks for.

    Attributes:
        axes: axis -> values, seed last.
        fixed: dotted setting -> value.
        trials: a row each.
        skipped: (axes, reason) of each row that a rule leaves out.
        format: of the file.
    """

    axes: Mapping[Text, list[Any]]
    fixed: Table
    trials: list[Row]
    skipped: list[tuple[Mapping[Text, Value], Text]] = field(default_factory=list)
    format: Count = FORMAT


def write(store: Store, rows: Rows, plugins: Mapping[str, str]) -> None:
    """Write rows.json, and a copy of each plugin, name -> text."""
    write_atomically(path_of(store), json.dumps(asdict(rows), indent=1, default=list).encode())
    for name, text in plugins.items():
        write_atomically(store.root / "plugins" / name, text.encode())


def read(store: Store) -> Rows | None:
    """Return what the study asks for; None where nobody wrote it down.

    Raises:
        VaebenchError: it is damaged, or a newer version wrote it.
    """
    path = path_of(store)
    if not path.is_file():
        return None
    try:
        found = of_json(path.read_text(encoding="utf-8"))
        if isinstance(found, dict):
            check_format(path, found.get("format", FORMAT), FORMAT)
        rows: Rows = shaped(Rows, found)
    except (OSError, UnicodeDecodeError, DamagedError) as error:
        raise VaebenchError(f"{path} can't be read: {error}. The study's next run writes it anew") from None
    return rows


def plugins_of(store: Store) -> Sequence[Path]:
    """Return the copies of the study's plugins."""
    return sorted((store.root / "plugins").glob("*.py"))


def path_of(store: Store) -> Path:
    """Return the file."""
    return store.root / "rows.json"
