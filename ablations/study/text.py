"""A study as text: how large a file may be, and how tables from Python are written so that they come back the same."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import tomli_w

from vae.errors import SpecError

__all__ = ["DEEPEST", "check_keys", "check_size", "text_of"]

LARGEST = 2**20  # bytes; the longest list of seeds that a study may have takes two thirds of it
DEEPEST = 16  # tables in tables; a setting needs three

_PART = r"""(?:[A-Za-z0-9_-]++|"(?:[^"\\\n]|\\.)*+(?:"|$)|'[^'\n]*+(?:'|$))"""
# Where keys are looked for: not in text of several lines, nor in comments. What is never closed ends with the file, or
# the line, so that no character is looked at twice.
_TOKEN = re.compile(
    r'"""(?:[^"\\]|\\.|"(?!""))*+(?:"""|\Z)'
    r"|'''(?:[^']|'(?!''))*+(?:'''|\Z)"
    r"|#[^\n]*+"
    rf"|(?P<key>{_PART}(?:[ \t]*+\.[ \t]*+{_PART})*+)",
    re.MULTILINE | re.DOTALL,
)
_INNER = re.compile(_PART, re.MULTILINE | re.DOTALL)


def check_size(path: Path) -> None:
    """Refuse a file that nobody wrote as a study, before it is read.

    Raises:
        SpecError: it is too large.
        OSError: it can't be looked at.
    """
    if (size := path.stat().st_size) > LARGEST:
        raise SpecError(f"{path}: got {size:,} bytes, expected a study file of at most {LARGEST:,}")


def check_keys(text: str, where: str) -> None:
    """Refuse dotted keys of many parts before they are parsed, which takes memory by the square of their length.

    Raises:
        SpecError: a key has more parts than any setting.
    """
    for token in _TOKEN.finditer(text):
        key = token["key"]
        if key and key.count(".") > DEEPEST and len(_INNER.findall(key)) > DEEPEST:
            raise SpecError(f"{where}: {key[:60]}: nested more than {DEEPEST} levels deep; no setting is")


def text_of(text: str, table: Mapping[str, Any], added: Mapping[str, Any], where: str) -> str:
    """Return the text that is this study when it is read again.

    Args:
        text: as written; "" where the tables come from Python.
        table: the tables.
        added: what the command said besides, such as `smoke`.
        where: names the file in errors.

    Raises:
        SpecError: a value is none that TOML can hold.
    """
    if text and not added.keys() & table.keys():
        return tomli_w.dumps(added) + text
    return _dump({**table, **added}, where)


def _dump(table: Mapping[str, Any], where: str) -> str:
    axes = table.get("axes")
    rest = dict(table)
    try:
        if isinstance(axes, Mapping):
            del rest["axes"]
        text = tomli_w.dumps(rest)
        if isinstance(axes, Mapping):
            text += "\n[axes]\n" + "".join(_line(axis, values) for axis, values in _leaves(axes))
        again = tomllib.loads(text)
    except (TypeError, ValueError) as error:
        raise SpecError(f"{where}: {error}. Expected what a TOML file can hold; leave out what has no value") from None
    if _plain(again) != _plain(table):
        raise SpecError(f"{where}: holds what comes back from a TOML file as something else. Expected plain values")
    return text


def _leaves(axes: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield each axis by its dotted name: tables would come after the lists, and the axes' order names the trials."""
    for key, value in axes.items():
        if isinstance(value, Mapping) and not {"min", "max"} & value.keys():
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _line(key: str, value: Any) -> str:
    if not isinstance(value, Mapping):
        return tomli_w.dumps({key: value})
    name = tomli_w.dumps({key: 0}).rpartition("=")[0]
    return f"{name}= {{ {', '.join(tomli_w.dumps({end: number}).strip() for end, number in value.items())} }}\n"


def _plain(table: Mapping[str, Any]) -> str:
    """Return tables in words that are equal where their values and types are, whatever kinds of number Python has."""
    axes = table.get("axes")
    leaves = list(_leaves(axes)) if isinstance(axes, Mapping) else axes
    return repr(_simple({**table, "axes": leaves}))


def _simple(value: Any) -> Any:
    if isinstance(value, Mapping):
        return sorted((str(key), _simple(one)) for key, one in value.items())
    if isinstance(value, list | tuple):
        return [_simple(one) for one in value]
    kind = next((kind for kind in (bool, int, float, str) if isinstance(value, kind)), None)
    return value if kind is None else kind(value)
