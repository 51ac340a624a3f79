"""Names of settings: the short ones that a study uses, and the places in a run's spec that they stand for.

All is read off the fields of the spec: a section that is added there is known here by itself.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple, get_args, get_origin

from pydantic import BaseModel

from vae.errors import SpecError, unknown_name
from vae.parts import Part
from vae.registry import Registry
from vae.spec import RunSpec

__all__ = ["Choice", "Settings", "flatten", "nest", "value_at"]

ALIASES = {"dataset": "data.name"}


class Choice(NamedTuple):
    """A section of a run that is a part, chosen by its name: the network.

    Attributes:
        parts: name -> part.
        default: what is chosen where nothing is said; None for nothing.
    """

    parts: Registry[type[Part]]
    default: str | None


class _Section(NamedTuple):
    """A field of a run: a setting (no `kind`), a group of settings, a chosen part, or a table of parts."""

    name: str
    kind: type[BaseModel] | None
    is_table: bool

    @property
    def parts(self) -> Registry[type[Part]] | None:
        """The registry that the parts come from; None for what is no part."""
        return self.kind.registry if self.kind is not None and issubclass(self.kind, Part) else None

    def groups(self) -> Iterator[tuple[str, type[BaseModel]]]:
        """Yield each group of settings that may stand here, and its place."""
        if self.parts is not None:
            for name, part in self.parts.items():
                yield f"{self.name}.{name}" if self.is_table else self.name, part
        elif self.kind is not None:
            yield self.name, self.kind


class Settings:
    """Every setting that a run may have, as a walk over the fields of its spec finds them.

    A section is a group of settings (`train.epochs`), a part that is chosen by name from its registry, whose settings
    are those of all the parts it may be (`model.filters`), or a table of parts (`loss.kl.weight`).

    Args:
        run: the spec.

    Attributes:
        choices: section -> the parts that it is chosen from.
        places: every name that a study may use -> its dotted place: `kl_weight` -> `loss.kl.weight`.
    """

    def __init__(self, run: type[RunSpec]) -> None:
        """Walk over the fields."""
        self._run = run
        sections = list(_sections(run))
        self._registries = [one.parts for one in sections if one.parts is not None]
        self.choices: Mapping[str, Choice] = {
            one.name: Choice(one.parts, _default(run, one.name))
            for one in sections
            if one.parts is not None and not one.is_table
        }
        self.places: Mapping[str, str] = _named(sections) | ALIASES | {name: f"{name}.name" for name in self.choices}

    def resolve(self, name: str, where: str) -> str:
        """Return the dotted place that `name` stands for.

        Raises:
            SpecError: no setting has that name; the message names the nearest.
        """
        if name not in self.places:
            failures = "".join(parts.failures() for parts in self._registries)
            raise SpecError(f"{where}: {unknown_name('setting', name, self.places)}{failures}")
        return self.places[name]

    def once(self, names: Iterable[str], where: str) -> Iterator[tuple[str, str]]:
        """Yield the place that each name stands for, and the name.

        Raises:
            SpecError: no setting has a name, or two names stand for one setting.
        """
        seen: dict[str, str] = {}
        for name in names:
            place = self.resolve(name, where)
            if place in seen:
                raise SpecError(f"{where}.{name}: is the same setting as {seen[place]} ({place}): keep one of the two")
            seen[place] = name
            yield place, name

    def owners(self, place: str) -> list[str]:
        """Return the names of the parts that have the setting at `place`, of those that its section is chosen from."""
        section, _, option = place.partition(".")
        return [name for name, part in self.choices[section].parts.items() if option in part.model_fields]

    def spec(self, flat: Mapping[str, Any]) -> RunSpec:
        """Return the run of the settings, dotted place -> value.

        What the chosen part of a section does not have is left out, so that a grid over several parts may have an axis
        that means something to one of them alone.

        Raises:
            SpecError: a part or a value is not known or not valid, or the settings don't go together.
        """
        kept = dict(flat)
        for section, (parts, default) in self.choices.items():
            name = flat.get(f"{section}.name", default)
            if name is None:
                continue
            kept[f"{section}.name"] = name
            options = parts[str(name)].model_fields
            for place in flat:
                inside, _, option = place.partition(".")
                if inside == section and option not in options:
                    del kept[place]
        return self._run.parse(nest(kept), "")


def _sections(run: type[RunSpec]) -> Iterator[_Section]:
    for name, field in run.model_fields.items():
        kind = next((one for one in _classes(field.annotation) if issubclass(one, BaseModel)), None)
        yield _Section(name, kind, get_origin(field.annotation) is dict)


def _classes(annotation: Any) -> Iterator[type]:
    """Yield the classes that an annotation names, from outside to inside."""
    if isinstance(annotation, type) and get_origin(annotation) is None:
        yield annotation
    for inner in get_args(annotation):
        yield from _classes(inner)


def _default(run: type[RunSpec], section: str) -> str | None:
    part = run.model_fields[section].get_default(call_default_factory=True)
    return None if part is None else str(part.name)


def _named(sections: Iterable[_Section]) -> dict[str, str]:
    """Return every name that a study may use -> its place, short ones where they are free."""
    names: dict[str, str] = {}
    short: dict[str, str] = {}
    for section in sections:
        if section.kind is None:
            names[section.name] = section.name
        for place, group in section.groups():
            names |= {f"{place}.{field}": f"{place}.{field}" for field in group.model_fields}
            if not section.is_table:
                short = {field: f"{place}.{field}" for field in group.model_fields if field != "name"} | short
            elif "weight" in group.model_fields:
                short[f"{place.rpartition('.')[2]}_weight"] = f"{place}.weight"
    return short | names


def flatten(table: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return a nested table as dotted keys; lists are values.

    >>> flatten({"train": {"epochs": 3}})
    {'train.epochs': 3}

    Raises:
        SpecError: a setting stands there twice, as a table and as a dotted key.
    """
    flat: dict[str, Any] = {}
    for key, value in table.items():
        found = flatten(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
        if twice := flat.keys() & found.keys():
            raise SpecError(f"{min(twice)}: stands there twice, as a table and as a dotted key: keep one of the two")
        flat |= found
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
