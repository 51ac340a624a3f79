"""What a search found: read from its log and the trials' records, before anything is drawn."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ablations.records.record import SEED, Record, epochs_of
from ablations.records.status import Status
from ablations.records.store import Store
from ablations.search.log import Proposal, Scored, SearchLog
from ablations.statistics.intervals import pareto_front
from ablations.study.closed import ClosedStudy
from ablations.study.ranges import Range
from ablations.study.study import Study
from ablations.study.tune import TuneSpec
from ablations.text.columns import directed, quantity
from ablations.text.numbers import clean, count, setting

__all__ = ["FEWEST", "RANGE_CHOICES", "Entry", "GridCost", "Importance", "Search", "coordinates", "read_search"]

FEWEST = 12
"""Scored configurations below which no importance of axes is told."""

RANGE_CHOICES = 5  # values that a grid would take of a range without a step
_TREES, _REPEATS = 200, 10


@dataclass(frozen=True)
class Entry:
    """One proposal and what came of it.

    Attributes:
        proposal: what was proposed.
        result: how it scored.
        epochs: of its training.
        seconds: that its trials took by themselves: of one that went on from a shorter training, what came after that.
        trained: epochs that its trials were trained by themselves, summed over the seeds.
    """

    proposal: Proposal
    result: Scored
    epochs: int
    seconds: float
    trained: int

    @property
    def scored(self) -> bool:
        """Whether it has numbers."""
        return self.result.status == Status.DONE


@dataclass(frozen=True)
class GridCost:
    """What a grid over the same choices would have cost.

    Attributes:
        trials: combinations, times seeds.
        seconds: estimated from the search's own trials of full length; NaN without any.
        coarse: the ranges that were counted as a few values.
    """

    trials: int
    seconds: float
    coarse: tuple[str, ...]


@dataclass(frozen=True)
class Importance:
    """How much each axis matters to the score, by a random forest.

    Attributes:
        drops: axis -> mean drop of the forest's R2 when the axis' values are shuffled (Breiman, 2001).
        spreads: the standard deviation of that over the shuffles.
        r2: of the forest's predictions for proposals that a tree had not seen; near or below 0 they say nothing.
        n: how many proposals it was fitted to.
    """

    drops: Mapping[str, float]
    spreads: Mapping[str, float]
    r2: float
    n: int


@dataclass(frozen=True)
class Search:
    """A search, as far as it got.

    Attributes:
        tune: its settings.
        axes: axis -> values that were proposed, in the study's order, those with one value left out; `epochs` last,
            where hyperband chose them.
        ranges: the axes that are ranges.
        entries: the proposals that have a result.
        grid: what a grid would have cost.
        validated: whether the scores are of validation images, and not of the test images.
    """

    tune: TuneSpec
    axes: Mapping[str, Sequence[Any]]
    ranges: Mapping[str, Range]
    entries: tuple[Entry, ...]
    grid: GridCost
    validated: bool = False

    @cached_property
    def scored(self) -> list[Entry]:
        """The proposals with numbers, repeated ones left out."""
        return [entry for entry in self.entries if entry.scored and not entry.result.repeats]

    @property
    def score_label(self) -> str:
        """What a score is, in words."""
        if isinstance(self.tune.objective, dict):
            parts = [f"{weight:g} · {quantity(name).label}" for name, weight in self.tune.objective.items()]
            return " + ".join(parts)
        return quantity(self.tune.names[0]).heading

    def shown(self, entry: Entry) -> float:
        """Return an entry's score in the metric's own direction."""
        if isinstance(self.tune.objective, str):
            return entry.result.metrics[self.tune.objective]
        return math.nan if entry.result.score is None else entry.result.score

    @cached_property
    def best(self) -> Entry | None:
        """The entry with the best score; None for a front, and where nothing has a score."""
        known = [entry for entry in self.scored if entry.result.score is not None]
        return min(known, key=lambda entry: entry.result.score or 0.0, default=None)

    @cached_property
    def front(self) -> list[Entry]:
        """The entries that no other beats in both metrics, by the first metric; none where one score counts."""
        if not self.tune.pareto or not self.scored:
            return []
        names = self.tune.names
        costs = np.array([[directed(name) * one.result.metrics[name] for name in names] for one in self.scored])
        kept = [self.scored[place] for place in np.flatnonzero(pareto_front(costs))]
        return sorted(kept, key=lambda entry: entry.result.metrics[self.tune.names[0]])

    @cached_property
    def importance(self) -> Importance | str:
        """How much each axis matters to the score, or why that can't be told."""
        return _importance(self)

    def value(self, entry: Entry, axis: str) -> Any:
        """Return an entry's value of an axis, `epochs` among them."""
        return entry.epochs if axis == "epochs" and axis not in entry.proposal.values else entry.proposal.values[axis]

    def label(self, entry: Entry, *, short: bool = False) -> str:
        """Name a proposal by what was chosen; numbers drawn from a range to three digits."""
        values = {axis: self.value(entry, axis) for axis in self.axes}
        for axis in self.ranges.keys() & values.keys():
            if isinstance(values[axis], float):
                values[axis] = float(f"{values[axis]:.3g}")
        return clean(", ".join(setting(axis, value, short=short) for axis, value in values.items()))


def read_search(study: Study | ClosedStudy, store: Store) -> Search | None:
    """Read the study's search from its folder of results; None where there was none."""
    log = SearchLog(store.search, study)
    if not log.proposals:
        return None
    names = dict.fromkeys(name for result in log.results.values() for name in result.trials)
    records = {name: record for name in names if (record := store.read(name))}
    entries = tuple(
        _entry(proposal, log.results[proposal.number], log.results, records)
        for proposal in log.proposals
        if proposal.number in log.results
    )
    axes = {axis: values for axis, values in study.axes.items() if axis != "seed" and len(values) > 1}
    if any(entry.proposal.epochs is not None for entry in entries):
        axes["epochs"] = tuple(sorted({entry.epochs for entry in entries}))
    done = [record for record in records.values() if record.status == Status.DONE]
    validated = bool(done) and all(record.data.get("validation_images") for record in done)
    return Search(study.tune or TuneSpec(), axes, study.ranges, entries, _grid(study, records.values()), validated)


def _entry(proposal: Proposal, result: Scored, results: Mapping[int, Scored], records: Mapping[str, Record]) -> Entry:
    mine = [records[name] for name in result.trials if name in records]
    epochs = max((epochs_of(record) for record in mine), default=proposal.epochs or 0)
    if result.repeats:
        return Entry(proposal, result, epochs, 0.0, 0)
    seconds = math.fsum(_seconds(record) + record.timings.get("eval_seconds", 0.0) for record in mine)
    trained = sum(epochs_of(record) for record in mine)
    parent = results.get(-1 if proposal.parent is None else proposal.parent)
    if parent is not None:
        before = {record.axes.get(SEED): record for name in parent.trials if (record := records.get(name))}
        for record in mine:
            shorter = before.get(record.axes.get(SEED))
            if shorter is not None and "resumed" in record.notes:
                seconds -= _seconds(shorter)
                trained -= epochs_of(shorter)
    return Entry(proposal, result, epochs, max(seconds, 0.0), trained)


def _seconds(record: Record) -> float:
    return record.timings.get("first_step_seconds", 0.0) + record.timings.get("train_seconds", 0.0)


def _grid(study: Study | ClosedStudy, records: Any) -> GridCost:
    sizes = {
        axis: len(study.ranges[axis].choices(0)) or RANGE_CHOICES if axis in study.ranges else len(values)
        for axis, values in study.axes.items()
    }
    done = [record for record in records if record.status == Status.DONE]
    full = max((epochs_of(record) for record in done), default=0)
    whole = [_seconds(record) + record.timings.get("eval_seconds", 0.0) for record in done if epochs_of(record) == full]
    trials = math.prod(sizes.values())
    each = math.fsum(whole) / len(whole) if whole else math.nan
    return GridCost(trials, trials * each, tuple(axis for axis, one in study.ranges.items() if not one.size))


def _importance(search: Search) -> Importance | str:
    """Return how much each axis matters to the score, or why that can't be told.

    A random forest is fitted to the proposals; an axis' importance is the drop of its R2 when the axis is shuffled.
    """
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.inspection import permutation_importance

    known = [entry for entry in search.scored if entry.result.score is not None]
    if search.tune.pareto:
        return "of two metrics there is no one score; the front shows what each of them costs in the other"
    if len(known) < FEWEST:
        return f"{count(len(known), 'scored configuration')}, expected at least {FEWEST}: too few to tell axes apart"
    if not search.axes:
        return "no axis has two values"
    x = np.column_stack([coordinates(search, axis, known) for axis in search.axes])
    y = np.array([entry.result.score for entry in known], dtype=float)
    forest = RandomForestRegressor(n_estimators=_TREES, oob_score=True, random_state=0).fit(x, y)
    found = permutation_importance(forest, x, y, n_repeats=_REPEATS, random_state=0)
    drops = dict(zip(search.axes, map(float, found.importances_mean), strict=True))
    spreads = dict(zip(search.axes, map(float, found.importances_std), strict=True))
    return Importance(drops, spreads, float(forest.oob_score_), len(known))


def coordinates(search: Search, axis: str, entries: Sequence[Entry]) -> NDArray[np.float64]:
    """Return where entries lie on an axis: as numbers, as logarithms on a logarithmic range, else by place."""
    values = [search.value(entry, axis) for entry in entries]
    if axis in search.ranges:
        numbers = np.array(values, dtype=float)
        return np.log10(numbers) if search.ranges[axis].log else numbers
    choices = list(search.axes[axis])
    return np.array([choices.index(value) for value in values], dtype=float)
