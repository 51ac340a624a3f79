"""What trials were made with beside their settings: the backend, the machine, versions, and variables that count."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from ablations.records.record import Record
from ablations.records.status import Status
from ablations.text.numbers import clean, count, value_text

__all__ = ["Difference", "differences", "mixed"]

_FACTS = ("backend", "device", "gpu", "processor", "threads", "python")
_ABSENT = "not set"
_UNKNOWN = "not recorded"


class Difference(NamedTuple):
    """One thing that two trials were not made alike with: its name, and what it was before and after, in words."""

    what: str
    before: str
    after: str


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Difference]:
    """Yield what may move a number between two trials of the same settings.

    Args:
        before: a record's `environment`, or what `vae.environment.describe` gives.
        after: the same of the other. What one of them does not tell of, as records of older versions do not tell of
            variables, differs from nothing but a value that is set.
    """
    for name in _FACTS:
        if before.get(name) != after.get(name):
            yield Difference(name, *(_text(side, name, _UNKNOWN) for side in (before, after)))
    for part in ("packages", "arithmetic"):
        sides = before.get(part), after.get(part)
        known = [side if isinstance(side, Mapping) else {} for side in sides]
        for name in dict.fromkeys((*known[0], *known[1])):
            if known[0].get(name) != known[1].get(name):
                absent = [_ABSENT if isinstance(side, Mapping) else _UNKNOWN for side in sides]
                told = (_text(side, name, missing) for side, missing in zip(known, absent, strict=True))
                yield Difference(clean(str(name)), *told)


def mixed(records: Iterable[Record]) -> str:
    """Say which backends finished trials were trained by, where that is more than one; else nothing."""
    done = (record.environment.get("backend") for record in records if record.status == Status.DONE)
    counted = Counter(str(backend) for backend in done if backend)
    if len(counted) < 2:  # noqa: PLR2004 - only then are there several
        return ""
    return ", ".join(f"{count(number, 'trial')} by {clean(backend)}" for backend, number in counted.most_common())


def _text(side: Mapping[str, Any], name: str, absent: str) -> str:
    return clean(value_text(side[name])) if side.get(name) is not None else absent
