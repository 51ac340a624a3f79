"""Where a study's numbers come from: code, machine, versions, data, dates, and what it cost."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from ablations.records.ledger import Run
from ablations.records.record import Record, measured
from ablations.text.numbers import clean, count, shorten, value_text

__all__ = ["provenance"]

_NAMED = 20  # classes that are listed
_LONGEST_NAME = 80  # characters of a class' name
_HOUR = 3600
_CHANGED = "+"  # after a commit: files differ from it


def provenance(records: Sequence[Record], runs: Sequence[Run] = ()) -> list[tuple[str, str]]:
    """Return where the numbers come from as (what, value); a value that differs between trials is counted.

    Args:
        records: of all trials.
        runs: in which they were trained, as far as it is known.
    """
    rows = _merged("code", [_code(record) for record in records])
    rows += _merged("", _environments(records))
    rows += _merged("note", [record.notes for record in records])
    for dataset in dict.fromkeys(str(record.data.get("name")) for record in records if record.data):
        of_it = [record.data for record in records if str(record.data.get("name")) == dataset]
        facts = [{**data, "class_names": _classes(data.get("class_names"))} for data in of_it]
        shown = [{key: value for key, value in data.items() if key != "name"} for data in facts]
        rows += _merged(f"data {dataset}", shown)
    rows += _dates(records) + _cost(records, runs)
    return [(clean(what), clean(value)) for what, value in rows]


def _code(record: Record) -> dict[str, Any]:
    """Return the record's code in words: its commit and whether files were changed since, where it has one."""
    code = dict(record.code)
    commit = code.pop("git", None)
    if isinstance(commit, str):
        state = "with uncommitted changes" if commit.endswith(_CHANGED) else "nothing uncommitted"
        code["commit"] = f"{commit.removesuffix(_CHANGED)}, {state}"
    elif code:
        code["commit"] = "none: vaebench ran as installed, in the version given among the packages"
    source, core, parts = code.pop("vae", None), code.pop("core", None), code.pop("parts", {})
    code |= {f"SHA-256 of the {name}": digest for name, digest in parts.items()}
    return {"SHA-256 of the source of vae": source, **code} if core is None else {"SHA-256 of the core": core, **code}


def _environments(records: Sequence[Record]) -> list[dict[str, Any]]:
    """Return where trials ran; a variable that changes arithmetic is told of all, where it is set for some."""
    found = [dict(record.environment) for record in records]
    known = [one for one in found if isinstance(one.get("arithmetic"), Mapping)]
    names = dict.fromkeys(name for one in known for name in one["arithmetic"])
    for one in known:
        one["arithmetic"] = {name: one["arithmetic"].get(name, "not set") for name in names}
    return found


def _dates(records: Sequence[Record]) -> list[tuple[str, str]]:
    started = sorted(record.started for record in records if record.started)
    finished = sorted(record.finished for record in records if record.finished)
    if not (started and finished):
        return []
    return [("first start, last end", f"{_date(started[0])} to {_date(finished[-1])}")]


def _cost(records: Sequence[Record], runs: Sequence[Run]) -> list[tuple[str, str]]:
    """Return what was measured of time and energy; what was not is left out, never estimated."""
    rows = []
    numbers = [measured(record) for record in records]
    spent = [found for found in numbers if "train_seconds" in found]
    if spent:
        total = math.fsum(found["train_seconds"] + found.get("first_step_seconds", 0.0) for found in spent)
        rows.append(("training time in all", f"{total:,.0f} s over {count(len(spent), 'trial')}, first steps included"))
    processor = [found["cpu_seconds"] for found in numbers if "cpu_seconds" in found]
    if processor:
        total = math.fsum(processor)
        hours = f"{total / _HOUR:,.2f} CPU hours ({total:,.0f} s)"
        rows.append(("processor time in all", f"{hours} over {count(len(processor), 'trial')}, evaluation included"))
    known = [(run.joules, run.trained) for run in runs if run.joules is not None]
    if known:
        total = math.fsum(joules for joules, _ in known)
        which = f"{len(known)} of {count(len(runs), 'run')}" if len(known) < len(runs) else count(len(runs), "run")
        trained = count(sum(number for _, number in known), "trial")
        drawn = f"{total / _HOUR:,.1f} Wh ({total:,.0f} J) by their counters (RAPL)"
        more = "whatever else the machine did is in it"
        rows.append(("energy of the processors", f"{drawn} over {which} that trained {trained}; {more}"))
    crews = Counter(f"{count(run.workers, 'worker')} of {count(run.threads, 'thread')}" for run in runs)
    if crews:
        told = "; ".join(f"{crew} ({count(number, 'run')})" for crew, number in crews.most_common())
        rows.append(("runs that trained", told))
    return rows


def _merged(title: str, parts: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    flat = [dict(_flat(part)) for part in parts if part]
    keys = dict.fromkeys(key for one in flat for key in one)
    rows = []
    for key in keys:
        counted = Counter(one[key] for one in flat if key in one)
        several = len(counted) > 1
        listed = [f"{value} ({number} trials)" if several else value for value, number in counted.most_common(6)]
        rest = len(counted) - len(listed)
        text = "; ".join(listed) + (f"; and {rest} more" if rest else "")
        rows.append((f"{title}: {key}" if title else key, text))
    return rows


def _flat(part: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in part.items():
        word = str(key)
        name = prefix + (word if word.isupper() else word.replace("_", " "))  # a variable keeps its name
        if isinstance(value, Mapping):
            yield from _flat(value, f"{name}: ")
        elif value is not None:
            plain = isinstance(value, (list, tuple)) and all(isinstance(one, (int, str)) for one in value)
            yield name, " × ".join(map(str, value)) if plain and key == "shape" else value_text(value)  # noqa: RUF001


def _classes(names: Sequence[object] | None) -> str | None:
    """Return the classes' names, the first of many; None where there are none."""
    if not names:
        return None
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(shorten(str(name), _LONGEST_NAME) for name in names[:_NAMED]) + more


def _date(text: str) -> str:
    try:
        return f"{datetime.fromisoformat(text):%Y-%m-%d %H:%M} UTC"
    except ValueError:
        return text
