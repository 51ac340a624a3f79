"""What trials were made with beside their settings: the backend, the machine, versions, and variables that count."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from ablations.records.record import Record
from ablations.records.status import Status
from ablations.text.numbers import clean, count, value_text

__all__ = ["Difference", "differences", "mixed"]

_FACTS = ("backend", "device", "gpu", "processor", "threads", "python")
_NONE = "none"
_ABSENT = {"packages": "not installed", "arithmetic": "not set"}


class Difference(NamedTuple):
    """One thing that two trials were not made alike with: its name, and what it was before and after, in words."""

    what: str
    before: str
    after: str


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Difference]:
    """Yield what may move a number between two trials of the same settings.

    Args:
        before: a record's `environment`, or what `vae.environment.describe` gives.
        after: the same of the other. A fact that one of them does not tell of is passed over; a variable that is set
            in one is named, for older records tell of none.
    """
    for name in _FACTS:
        if name in before and name in after and before[name] != after[name]:
            yield Difference(name, _text(before[name], _NONE), _text(after[name], _NONE))
    for part in ("packages", "arithmetic"):
        sides = before.get(part), after.get(part)
        known = [side if isinstance(side, Mapping) else {} for side in sides]
        absent = [_ABSENT[part] if isinstance(side, Mapping) else "not recorded" for side in sides]
        for name in dict.fromkeys((*known[0], *known[1])):
            values = [side.get(name) for side in known]
            if values[0] != values[1]:
                yield Difference(clean(str(name)), *(_text(*one) for one in zip(values, absent, strict=True)))


def mixed(records: Iterable[Record]) -> str:
    """Say which backends finished trials were trained by, where that is more than one; else nothing."""
    done = (record.environment.get("backend") for record in records if record.status == Status.DONE)
    counted = Counter(str(backend) for backend in done if backend)
    if len(counted) < 2:  # noqa: PLR2004 - only then are there several
        return ""
    return ", ".join(f"{count(number, 'trial')} by {clean(backend)}" for backend, number in counted.most_common())


def _text(value: object, absent: str) -> str:
    return absent if value is None else clean(value_text(value))
