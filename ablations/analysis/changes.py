"""What changed between folders of results: metrics of the same settings, compared seed by seed."""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from ablations.analysis.matching import Key, Matched, match, read
from ablations.analysis.surroundings import differences
from ablations.records.record import SEED, Record, measured
from ablations.records.status import Status
from ablations.statistics.intervals import mean_interval, spread
from ablations.text.columns import quantity
from ablations.text.numbers import clean
from vae.errors import SpecError, unknown_name

__all__ = [
    "ALL",
    "ChangeVerdict",
    "Comparison",
    "MetricChange",
    "Surrounding",
    "TrialChange",
    "compare",
    "half_width",
    "judge",
]

ChangeVerdict = Literal["better", "worse", "same", "differs", "unresolved"]
Kind = Literal["failed", "missing", "new", "mended"]

ALL = "all configurations"
_NEEDED = 2  # folders to compare


@dataclass(frozen=True)
class MetricChange:
    """One metric of one configuration, before and after.

    Attributes:
        folder: the one held against the first.
        configuration: its settings in words, or `ALL`: the mean over configurations, each counted once.
        metric: the column's name.
        pairs: trials of the same settings and seed that both folders have; configurations, for `ALL`.
        before: mean over the pairs in the first folder.
        after: the same in the other.
        relative: the mean paired difference as a share of the absolute value of `before`.
        half: half the width of the 95 % interval of `relative`; NaN for a single pair.
        verdict: better, worse, same, differs (where the metric has no better side) or unresolved; see `judge`.
    """

    folder: str
    configuration: str
    metric: str
    pairs: int
    before: float
    after: float
    relative: float
    half: float
    verdict: ChangeVerdict


@dataclass(frozen=True)
class TrialChange:
    """A trial that is not done in both folders.

    Attributes:
        folder: the one held against the first.
        trial: its settings in words.
        kind: failed (now), missing (now), new, or mended (failed before, done now).
        reason: of a failure.
    """

    folder: str
    trial: str
    kind: Kind
    reason: str = ""


@dataclass(frozen=True)
class Surrounding:
    """Something beside the settings that pairs of trials were not made alike with.

    Attributes:
        folder: the one held against the first.
        what: its name.
        before: in the first folder.
        after: in the other.
        pairs: of which this is so.
    """

    folder: str
    what: str
    before: str
    after: str
    pairs: int


@dataclass(frozen=True)
class Comparison:
    """What changed.

    Attributes:
        folders: as they were given, the first being what the others are held against.
        metrics: that were compared.
        tolerance: relative; what is within counts as the same.
        changes: a row a folder, metric and configuration.
        trials: that are not done on both sides.
        surroundings: what those that are done on both sides differ in beside their settings.
        records: of all folders, from which the number of printed digits follows.
    """

    folders: tuple[str, ...]
    metrics: tuple[str, ...]
    tolerance: float
    changes: tuple[MetricChange, ...]
    trials: tuple[TrialChange, ...]
    surroundings: tuple[Surrounding, ...]
    records: tuple[Record, ...]

    @property
    def worsened(self) -> bool:
        """Whether a metric is worse, or a trial failed."""
        return any(one.verdict == "worse" for one in self.changes) or any(one.kind == "failed" for one in self.trials)


def compare(folders: Sequence[Path], metrics: Sequence[str] | None = None, tolerance: float = 0.05) -> Comparison:
    """Hold folders of results against the first of them.

    Args:
        folders: at least two, each results/<study>.
        metrics: columns of table.csv; those without a better side can differ, but never be worse. None takes those of
            the first folder's study.
        tolerance: relative change that does not matter.

    Raises:
        SpecError: a folder holds no results, no trial is in both, or no trial has a metric of that name.
    """
    if len(folders) < _NEEDED:
        raise SpecError(f"got {len(folders)} folder, expected at least two: vaebench compare BEFORE AFTER")
    sides = [read(folder) for folder in folders]
    records = tuple(record for side in sides for record in side.records)
    metrics = metrics or sides[0].metrics
    _check(metrics, sides[0].metrics, records)
    changes: list[MetricChange] = []
    trials: list[TrialChange] = []
    surroundings: list[Surrounding] = []
    for side in sides[1:]:
        pair = match(sides[0], side)
        trials += _trial_changes(pair)
        surroundings += _surroundings(pair)
        changes += [change for metric in metrics for change in _changes(pair, metric, tolerance)]
    names = tuple(side.name for side in sides)
    found = tuple(changes), tuple(trials), tuple(surroundings)
    return Comparison(names, tuple(metrics), tolerance, *found, records)


def half_width(values: Sequence[float]) -> float:
    """Return half the 95 % interval of the mean (`statistics.mean_interval`); NaN for fewer than two values."""
    found = mean_interval(values)
    return (found.high - found.low) / 2


def judge(relative: float, half: float, better: str, tolerance: float) -> ChangeVerdict:
    """Say what a relative change and half its interval come to.

    better, worse (or differs): the change is beyond the tolerance, and the interval leaves out zero.
    same: the whole interval is within the tolerance, or nothing changed at all.
    unresolved: neither; one pair, which has no interval, can be no more than this unless it is equal to the bit.

    >>> judge(0.08, 0.02, "lower", 0.05), judge(0.08, 0.09, "lower", 0.05), judge(0.01, 0.02, "lower", 0.05)
    ('worse', 'unresolved', 'same')
    """
    if relative == 0 and not half > 0:
        return "same"
    if math.isnan(half) or math.isnan(relative):
        return "unresolved"
    if abs(relative) > tolerance and abs(relative) > half:
        if better == "neither":
            return "differs"
        return "better" if (relative > 0) == (better == "higher") else "worse"
    return "same" if abs(relative) + half <= tolerance else "unresolved"


def _trial_changes(pair: Matched) -> list[TrialChange]:
    """Return the trials that are not done on both sides, worst news first."""
    found = []
    for key in dict.fromkeys((*pair.before, *pair.after)):
        old, new = pair.before.get(key), pair.after.get(key)
        kind: Kind | None = None
        reason = ""
        if new is None:
            kind = "missing"
        elif new.failed:
            again = "; it failed before as well" if old is not None and old.failed else ""
            kind, reason = "failed", clean(f"{new.status}: {new.reason}{again}")
        elif old is None:
            kind = "new"
        elif old.failed:
            kind = "mended"
        if kind:
            found.append(TrialChange(pair.folder, pair.label(key), kind, reason))
    kinds = get_args(Kind)
    return sorted(found, key=lambda one: kinds.index(one.kind))


def _surroundings(pair: Matched) -> list[Surrounding]:
    counted = Counter(one for _, old, new in _done(pair) for one in differences(old.environment, new.environment))
    return [Surrounding(pair.folder, *one, number) for one, number in counted.items()]


def _done(pair: Matched) -> Iterator[tuple[Key, Record, Record]]:
    """Yield key, before and after of the trials that are done on both sides."""
    for key, old in pair.before.items():
        new = pair.after.get(key)
        if new is not None and old.status == new.status == Status.DONE:
            yield key, old, new


def _changes(pair: Matched, metric: str, tolerance: float) -> list[MetricChange]:
    """Return the metric's change in each configuration, and over all of them where there are several."""
    groups: dict[Key, list[tuple[float, float]]] = {}
    for key, old, new in _done(pair):
        sides = measured(old).get(metric), measured(new).get(metric)
        if sides != (None, None):
            first, second = (math.nan if side is None else side for side in sides)
            groups.setdefault(tuple(part for part in key if part[0] != SEED), []).append((first, second))
    better = quantity(metric).better
    rows = [
        MetricChange(pair.folder, pair.label(key), metric, len(pairs), *_paired(pairs, better, tolerance))
        for key, pairs in groups.items()
    ]
    known = [row for row in rows if math.isfinite(row.relative)]
    if len(known) < _NEEDED:
        return rows
    before, after = spread(row.before for row in known).mean, spread(row.after for row in known).mean
    relatives = [row.relative for row in known]
    mean, half = spread(relatives).mean, half_width(relatives)
    verdict = judge(mean, half, better, tolerance)
    return [*rows, MetricChange(pair.folder, ALL, metric, len(known), before, after, mean, half, verdict)]


def _paired(
    pairs: Sequence[tuple[float, float]], better: str, tolerance: float
) -> tuple[float, float, float, float, ChangeVerdict]:
    """Return mean before, mean after, relative change, half its interval, and the verdict."""
    before, after = (spread(side).mean for side in zip(*pairs, strict=True))
    if not (math.isfinite(before) and math.isfinite(after)):
        lost = math.isfinite(before) and better != "neither"
        return before, after, math.nan, math.nan, "worse" if lost else "unresolved"
    differences = [second - first for first, second in pairs]
    mean, half, size = spread(differences).mean, half_width(differences), abs(before)
    if size:
        relative, share = mean / size, half / size
    else:
        relative, share = (math.copysign(math.inf, mean), math.nan) if mean else (0.0, half)
    return before, after, relative, share, judge(relative, share, better, tolerance)


def _check(metrics: Sequence[str], usual: Sequence[str], records: Sequence[Record]) -> None:
    known = {name for record in records for name in measured(record)}
    for metric in metrics:
        if metric not in known and metric not in usual:  # some data have no classes, and no accuracy
            raise SpecError(unknown_name("metric", metric, known))
