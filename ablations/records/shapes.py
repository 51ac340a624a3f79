"""The shape of what is read back: results travel, and anybody may have written there, or spoilt it."""

import json
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Annotated, Any, TypeVar

from pydantic import (
    AfterValidator,
    AllowInfNan,
    Field,
    PlainValidator,
    Strict,
    TypeAdapter,
    ValidationError,
    create_model,
)

from vae.errors import VaebenchError

__all__ = ["Count", "DamagedError", "Date", "Number", "Table", "Text", "Value", "of_json", "part", "shaped"]

DEEPEST = 16  # tables in tables; a record has four
LATEST = 2**31  # of whole numbers that count something
YEARS = range(1970, 9999)  # that every system can turn into seconds
QUOTED = 60  # characters of a value that a message quotes

Kind = TypeVar("Kind")


class DamagedError(VaebenchError):
    """A file of results does not hold what vaebench writes there; the text says which part, and what was expected."""


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"got {_quoted(value)}, expected text")  # noqa: TRY004 - which pydantic would let through
    return value


def _date(value: str) -> str:
    try:
        known = not value or datetime.fromisoformat(value).year in YEARS
    except ValueError:
        known = False
    if not known:
        raise ValueError(f"got {_quoted(value)}, expected a date such as 2026-01-31T12:00:00+00:00")
    return value


Text = Annotated[str, PlainValidator(_text)]
"""Any text, names of files that are no valid Unicode among it, which pydantic's own `str` refuses."""

Date = Annotated[Text, AfterValidator(_date)]
"""ISO 8601, or empty."""

Number = Annotated[float, Strict(), AllowInfNan(allow_inf_nan=True)]
"""A number, no text of one; what diverged has left NaN."""

Count = Annotated[int, Strict(), Field(ge=0, lt=LATEST)]
"""A whole number of things."""

Table = Mapping[Text, Any]
"""Names and anything."""


def _value(value: object) -> object:
    values = value if isinstance(value, list | tuple) else [value]
    if not all(one is None or isinstance(one, str | bool | int | float) for one in values):
        raise ValueError(f"got {_quoted(value)}, expected a number, a text, or a list of them")
    return value


Value = Annotated[Any, AfterValidator(_value)]
"""A value of an axis."""


def part(**fields: Any) -> AfterValidator:
    """Return a check of a table: name -> type of what stands there, if anything does; the table is left as it is."""
    definitions: dict[str, Any] = {name: (kind, None) for name, kind in fields.items()}
    shape = create_model("Shape", **definitions)

    def check(found: Mapping[str, Any]) -> Mapping[str, Any]:
        try:
            shape.model_validate({name: found[name] for name in fields if name in found})
        except ValidationError as error:
            raise ValueError(_told(error)) from None
        return found

    return AfterValidator(check)


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def shaped(kind: type[Kind], found: object) -> Kind:
    """Return what a file holds as `kind`, a dataclass; names that it does not know are left out.

    Raises:
        DamagedError: a name is missing, or stands for something else than it should.
    """
    try:
        adapter: TypeAdapter[Kind] = _adapter(kind)  # type: ignore[arg-type]  # a class is hashable
        return adapter.validate_python(found)
    except ValidationError as error:
        raise DamagedError(_told(error)) from None


def of_json(text: str) -> Any:
    """Return the value that a JSON text stands for.

    Raises:
        DamagedError: it is no JSON, or nested more deeply than anything that vaebench writes.
    """
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DamagedError(f"this is not JSON: {error}") from None
    level = [found]
    for _ in range(DEEPEST):
        level = [one for value in level for one in _members(value)]
        if not level:
            return found
    raise DamagedError(f"tables or lists are nested more than {DEEPEST} levels deep")


def _members(value: object) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def _told(error: ValidationError) -> str:
    """Return the first problem in words."""
    problem = error.errors(include_url=False)[0]
    key = ".".join(map(str, problem["loc"]))
    if problem["type"] == "value_error":
        said = str(problem["ctx"]["error"])
    elif problem["type"] == "missing":
        said = "is missing"
    else:
        said = f"got {_quoted(problem['input'])}, expected: {problem['msg'].replace('Input should be ', '')}"
    return f"{key}: {said}" if key else said


def _quoted(value: object) -> str:
    text = repr(value)
    return text if len(text) <= QUOTED else f"{text[:QUOTED]}…"
