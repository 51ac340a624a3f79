"""Names of settings: the short ones that a study uses, and the places in a `RunSpec` that they stand for."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from vae.errors import SpecError, unknown_name
from vae.networks import NETWORKS
from vae.spec import DataSpec, RunSpec, TrainSpec
from vae.terms import TERMS

__all__ = ["flatten", "known_settings", "nest", "resolve", "value_at"]

ALIASES = {"dataset": "data.name", "model": "model.name"}


@cache
def known_settings() -> dict[str, str]:
    """Return every name that a study may use -> its dotted place: `kl_weight` -> `loss.kl.weight`."""
    places = [f"data.{field}" for field in DataSpec.model_fields]
    places += [f"model.{field}" for network in NETWORKS.values() for field in network.model_fields]
    places += [f"loss.{name}.{field}" for name, term in TERMS.items() for field in term.model_fields]
    places += [f"train.{field}" for field in TrainSpec.model_fields]
    names = {place: place for place in places}
    names |= {f"{name}_weight": f"loss.{name}.weight" for name in TERMS}
    leaves = [place for place in dict.fromkeys(places) if place.count(".") == 1]
    for place in leaves:
        leaf = place.partition(".")[2]
        if leaf != "name":
            names.setdefault(leaf, place)
    return names | ALIASES


def resolve(name: str, where: str) -> str:
    """Return the dotted place that `name` stands for.

    Raises:
        SpecError: no setting has that name; the message names the nearest.
    """
    known = known_settings()
    if name not in known:
        raise SpecError(f"{where}: {unknown_name('setting', name, known)}")
    return known[name]


def flatten(table: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return a nested table as dotted keys; lists are values.

    >>> flatten({"train": {"epochs": 3}})
    {'train.epochs': 3}
    """
    flat: dict[str, Any] = {}
    for key, value in table.items():
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def nest(flat: Mapping[str, Any]) -> dict[str, Any]:
    """Return dotted keys as a nested table, the inverse of `flatten`."""
    table: dict[str, Any] = {}
    for key, value in flat.items():
        *path, leaf = key.split(".")
        place = table
        for part in path:
            place = place.setdefault(part, {})
        place[leaf] = value
    return table


def value_at(spec: RunSpec, place: str) -> Any:
    """Return the value at a dotted place of a spec, or None where the run has no such setting."""
    value: Any = spec
    for part in place.split("."):
        value = value.get(part) if isinstance(value, Mapping) else getattr(value, part, None)
    return list(value) if isinstance(value, tuple) else value
