"""Trials of several folders of results, matched by their settings.

By axes, not by digest, for the digest changes with data, defaults and code, which is what a comparison is about.
"""

import os.path
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ablations.analysis.opened import opened
from ablations.records import rows
from ablations.records.record import SEED, Record, dataset_of, model_of
from ablations.records.status import Status
from ablations.records.store import Store
from ablations.study.closed import ClosedStudy
from ablations.study.study import Study
from ablations.text.columns import MAIN
from ablations.text.numbers import ABSENT, clean, setting, value_text
from vae.errors import SpecError, VaebenchError

__all__ = ["Key", "Matched", "Results", "match", "read"]

Key = tuple[tuple[str, str], ...]
"""What tells a trial from the others: axis and value as text, the seed last."""

_NAMED = 5  # values of an axis that a message lists


@dataclass(frozen=True)
class Results:
    """The trials of one folder.

    Attributes:
        name: the folder, as it was given.
        records: one for each set of axes.
        metrics: by which the folder's study answers its question; the usual ones where it can't be read.
    """

    name: str
    records: Sequence[Record]
    metrics: tuple[str, ...] = MAIN

    @cached_property
    def axes(self) -> dict[str, set[str]]:
        """Axis -> its values as text."""
        seen: dict[str, set[str]] = {}
        for record in self.records:
            for axis, value in record.axes.items():
                seen.setdefault(axis, set()).add(value_text(value))
        return seen

    def keyed(self, axes: Iterable[str]) -> dict[Key, Record]:
        """Return the records by their data set, their model, and those of their axes."""
        names = list(axes)
        return {
            _key({name: record.axes.get(name) for name in names}, _named(record)): record for record in self.records
        }


@dataclass(frozen=True)
class Matched:
    """Two folders' trials under the same keys.

    Attributes:
        folder: the second's name.
        before: the first's trials.
        after: the second's.
    """

    folder: str
    before: Mapping[Key, Record]
    after: Mapping[Key, Record]

    @cached_property
    def _varying(self) -> set[str]:
        values: dict[str, set[str]] = {}
        for key in (*self.before, *self.after):
            for axis, value in key:
                values.setdefault(axis, set()).add(value)
        return {axis for axis, found in values.items() if len(found) > 1}

    def label(self, key: Key) -> str:
        """Name a trial, or a configuration whose key has no seed, by the settings in which it differs from others."""
        parts = [
            setting(axis, value) for axis, value in key if (axis == SEED or axis in self._varying) and value != ABSENT
        ]
        return clean(", ".join(parts)) or clean(dict(key)["model"])


def match(first: Results, other: Results) -> Matched:
    """Match two folders' trials by the axes that both have.

    Raises:
        SpecError: one varies an axis that the other lacks, or they have no trial in common.
    """
    for one, lacking in ((first, other), (other, first)):
        for axis in sorted(one.axes.keys() - lacking.axes.keys()):
            if len(one.axes[axis]) > 1:
                values = clean(", ".join(sorted(one.axes[axis])[:_NAMED]))
                raise SpecError(
                    f"trials of {one.name} differ in '{axis}' ({values}), which is no axis of {lacking.name}: they "
                    "can't be matched. Expected folders of one study"
                )
    shared = [axis for axis in first.axes if axis in other.axes]
    matched = Matched(other.name, first.keyed(shared), other.keyed(shared))
    if not matched.before.keys() & matched.after.keys():
        raise SpecError(
            f"{first.name} and {other.name} have no trial in common. Expected the same settings and seeds in both"
        )
    return matched


def read(folder: Path) -> "Results":
    """Return the trials of a folder, one for each set of axes: a finished one before a failed, then the latest.

    Where the folder's study can be read, trials of its earlier versions are left out.

    Raises:
        SpecError: it holds none.
    """
    store = Store(folder)
    found = [record for name in store.names() if (record := store.read(name)) is not None]
    if not found:
        raise SpecError(
            f"{folder} holds no results (no record in {store.trials}). Expected a folder such as results/quick"
        )
    found.sort(key=lambda record: (record.status == Status.DONE, record.finished))
    latest = {_key(record.axes, _named(record)): record for record in found}
    study = _study(store)
    if study is None:
        return Results(str(folder), list(latest.values()))
    asked = [row.axes for row in known.trials] if (known := rows.read(store)) else _axes(study)
    return Results(str(folder), _asked(asked, list(latest.values())), study.report.metrics)


def _axes(study: Study | ClosedStudy) -> list[Mapping[str, object]]:
    return [trial.axes for trial in study.trials()] if isinstance(study, Study) else []


def _named(record: Record) -> dict[str, object]:
    return {"dataset": dataset_of(record), "model": model_of(record)}


def _key(axes: Mapping[str, object], named: Mapping[str, object]) -> Key:
    values = {**named, **axes}
    seed = {SEED: values.pop(SEED)} if SEED in values else {}
    return tuple((axis, value_text(value)) for axis, value in (*values.items(), *seed.items()))


def _study(store: Store) -> Study | ClosedStudy | None:
    """Return the folder's study; None where it can't be read."""
    if not os.path.isfile(store.study_file):  # noqa: PTH113 - Path.is_file raises where the name is too long
        return None
    try:
        return opened(store)
    except VaebenchError:  # written for another version of the code
        return None


def _asked(rows: Sequence[Mapping[str, object]], records: list[Record]) -> list[Record]:
    """Return the records that the study asks for; all, where it asks for none of them."""
    asked = {_key(axes, {}) for axes in rows}
    return [record for record in records if _key(record.axes, {}) in asked] or records
