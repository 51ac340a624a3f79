"""`vaebench parts`: every part that a study may name, with its door, its settings and, where it is broken, why."""

import json
from argparse import Namespace
from importlib import import_module
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ablations.commands._shared import DONE, FAILED
from ablations.study.designs import DESIGNS
from vae.code import KINDS
from vae.plugins import load_plugin
from vae.registry import Registry

__all__ = ["run"]

_MORE = (  # registries that no other command needs all of
    ("executor", "ablations.runner.executors", "EXECUTORS"),
    ("watcher", "ablations.runner.watchers", "WATCHERS"),
    ("figure", "ablations.report.figures", "FIGURES"),
    ("finding", "ablations.report.findings", "FINDINGS"),
)
_HIDDEN = ("name", "kind", "weight")
_OF_ALL = {"network": ("latent_dim", "output", "precision", "conditional")}


def run(options: Namespace, console: Console) -> int:
    """List the parts; 1 where one is broken."""
    for path in options.plugin:
        load_plugin(path)
    found = [row for kind, registry in _registries() for row in _rows(kind, registry)]
    broken = [one for kind, registry in _registries() for one in _broken(kind, registry)]
    if options.json:
        console.print_json(json.dumps({"parts": found, "broken": broken}, default=str))
        return FAILED if broken else DONE
    table = Table("kind", "name", "settings", "from")
    for row in found:
        settings = ", ".join(f"{name} = {value}" for name, value in row["settings"].items())
        table.add_row(row["kind"], escape(row["name"]), escape(settings), escape(row["from"]))
    console.print(table)
    for one in broken:
        console.print(f"[red]broken[/] {one['kind']} {escape(one['name'])}: {escape(one['why'])}", soft_wrap=True)
    console.print("next: vaebench new network my_net, which writes one of your own")
    return FAILED if broken else DONE


def _registries() -> list[tuple[str, Registry[Any]]]:
    more = [(kind, getattr(import_module(home), name)) for kind, home, name in _MORE]
    return [*KINDS.items(), ("design", DESIGNS), *more]


def _rows(kind: str, registry: Registry[Any]) -> list[dict[str, Any]]:
    rows = []
    for name, entry in registry.items():
        place = registry.place(name)
        where = {"distribution": place.distribution, "built in": "built in"}.get(place.door, str(place))
        rows.append({"kind": kind, "name": name, "settings": _settings(kind, entry), "from": where})
    return rows


def _broken(kind: str, registry: Registry[Any]) -> list[dict[str, str]]:
    return [{"kind": kind, "name": name, "why": why} for name, why in registry.broken.items()]


def _settings(kind: str, entry: Any) -> dict[str, Any]:
    """Return setting -> default of a part's own settings."""
    fields = getattr(getattr(entry, "options", entry), "model_fields", {})
    hidden = {*_HIDDEN, *_OF_ALL.get(kind, ())}
    return {
        name: "required" if field.is_required() else field.get_default(call_default_factory=True)
        for name, field in fields.items()
        if name not in hidden
    }
