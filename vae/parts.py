"""The base of every spec: frozen, closed to unknown keys, with an identity that lasts and errors a user can act on."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Self, get_args

from pydantic import BaseModel, ConfigDict, ValidationError

from vae.errors import SpecError, unknown_name
from vae.registry import Registry

__all__ = ["Added", "Frozen", "Part", "canonical_json", "canonical_object"]

LONGEST = 200  # characters of a value that a message quotes
MOST_PARTS = 20_000  # that are remembered, a few hundred bytes each
_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=False)


def canonical_json(value: object) -> str:
    """Return the one JSON text of a value: sorted keys, no spaces, no NaN; equal specs give equal texts."""
    return _ENCODER.encode(value)


def canonical_object(members: Mapping[str, str]) -> str:
    """Return the canonical JSON of an object from that of its members.

    >>> canonical_object({"b": "1", "a": canonical_json([2])})
    '{"a":[2],"b":1}'
    """
    return "{" + ",".join(f"{_ENCODER.encode(name)}:{members[name]}" for name in sorted(members)) + "}"


@dataclass(frozen=True)
class Added:
    """Marks a setting that came after trials had been trained without it: `x: Annotated[int, Added(before=0)] = 0`.

    Where the setting has the value that means what was done before, it is no part of a run's identity, so that what was
    trained then stays done. The setting's default may change later; `before` never does.

    Attributes:
        before: that value, as JSON has it.
    """

    before: Any


class Frozen(BaseModel):
    """A validated, immutable group of settings."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False)

    @classmethod
    def parse(cls, settings: Mapping[str, Any], where: str) -> Self:
        """Validate `settings`; `where` names their place (a file and key) in the error.

        Raises:
            SpecError: with what was got, what is expected and the nearest known name.
        """
        try:
            return cls.model_validate(dict(settings))
        except ValidationError as error:
            raise SpecError(_explain(cls, error, where)) from None

    def settings(self) -> dict[str, Any]:
        """Return the settings as plain JSON values."""
        return self.model_dump(mode="json", serialize_as_any=True)

    def identifying(self) -> dict[str, Any]:
        """Return the settings that tell this from another: all but those that say what was done before there were any.

        >>> from typing import Annotated
        >>> class Mine(Frozen):
        ...     size: int = 3
        ...     speed: Annotated[float, Added(before=1.0)] = 1.0
        >>> Mine().identifying(), Mine(speed=2).identifying()
        ({'size': 3}, {'size': 3, 'speed': 2.0})
        """
        settings = self.settings()
        for name, field in type(self).model_fields.items():
            if any(isinstance(mark, Added) and settings[name] == mark.before for mark in field.metadata):
                del settings[name]
        return settings

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Return a copy, without what was derived from settings that may have changed."""
        copied = super().model_copy(update=update, deep=deep)
        for name in copied.__dict__.keys() - type(self).model_fields.keys():
            del copied.__dict__[name]
        return copied


class Part(Frozen):
    """A group of settings that many runs of a study have in common: validated, and turned into JSON, once for all.

    Attributes:
        registry: the parts of this kind, by name, where a run has one of them or a table of them; None for a group of
            settings of which there is just one.
    """

    registry: ClassVar[Registry[Any] | None] = None

    _shared: ClassVar[dict[tuple[type["Part"], str], "Part"]] = {}

    @classmethod
    def shared(cls, settings: Mapping[str, Any], where: str) -> Self:
        """Return what `parse` does, the same object for the same settings.

        Raises:
            SpecError: as `parse` does.
        """
        try:
            # As text, which tells 1 from 1.0 and True, and 0.0 from -0.0, where a hash would not.
            key = cls, json.dumps(settings)
        except (TypeError, ValueError, RecursionError):  # from Python, any object may be handed in
            return cls.parse(settings, where)
        found = Part._shared.get(key)
        if found is None:
            if len(Part._shared) >= MOST_PARTS:
                Part._shared.clear()
            found = Part._shared[key] = cls.parse(settings, where)
        return found  # type: ignore[return-value]  # the class is in the key

    @cached_property
    def identity(self) -> str:
        """The canonical JSON of the settings that tell this part from another."""
        return canonical_json(self.identifying())


def _explain(model: type[BaseModel], error: ValidationError, where: str) -> str:
    """Turn pydantic's errors into one message, a line a problem."""
    lines = []
    for problem in error.errors():
        path = [str(part) for part in problem["loc"]]
        key = ".".join([where, *path]) if where else ".".join(path)
        got = problem.get("input")
        if problem["type"] == "extra_forbidden":
            owner = _owner(model, path[:-1])
            lines.append(f"{key}: {unknown_name('setting', path[-1], owner.model_fields)}")
        elif problem["type"] == "value_error":
            lines.append(f"{key}: {problem['ctx']['error']}")
        else:
            message = problem["msg"].replace("Input should be", "it should be")
            lines.append(f"{key}: got {_told(got)}, but {message[:1].lower()}{message[1:]}")
    return "\n".join(lines)


def _told(value: object) -> str:
    text = repr(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}… ({len(text):,} characters)"


def _owner(model: type[BaseModel], path: list[str]) -> type[BaseModel]:
    for part in path:
        field = model.model_fields.get(part)
        kinds = () if field is None else (field.annotation, *get_args(field.annotation))  # one that may be None as well
        inner = next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)), None)
        if inner is None:
            break
        model = inner
    return model
