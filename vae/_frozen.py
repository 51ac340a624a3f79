"""The base of every spec: frozen, closed to unknown keys, with errors a user can act on."""

import json
from collections.abc import Mapping
from typing import Any, Self, get_args

from pydantic import BaseModel, ConfigDict, ValidationError

from vae.errors import SpecError, unknown_name

__all__ = ["Frozen", "canonical_json"]

LONGEST = 200  # characters of a value that a message quotes


def canonical_json(value: object) -> str:
    """Return the one JSON text of a value: sorted keys, no spaces, no NaN; equal specs give equal texts."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=False)


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
            raise SpecError(explain(cls, error, where)) from None

    def settings(self) -> dict[str, Any]:
        """Return the settings as plain JSON values."""
        return self.model_dump(mode="json", serialize_as_any=True)


def explain(model: type[BaseModel], error: ValidationError, where: str) -> str:
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
