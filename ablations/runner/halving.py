"""Successive halving across a grid: configurations that can't win are stopped at a rung, and stay visible.

After each rung's epoch all configurations that are still in it are compared, those of one data set with one another
(Jamieson and Talwalkar, 2016). A configuration lives or dies with all its seeds, so that no mean is taken over the
seeds that happened to be lucky. What is decided is a function of the curves in the trials' folders alone: a run that
was killed decides the same again, and one with more configurations decides anew.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ablations.records.record import Record
from ablations.records.status import Status
from ablations.records.store import Store
from ablations.runner.job import Job
from ablations.study.stop import StopSpec
from ablations.study.study import Study
from ablations.study.trial import Trial
from ablations.text.numbers import value_text
from vae.code import is_current

if TYPE_CHECKING:
    from ablations.runner.plan import Plan

__all__ = ["Cut", "decide", "share_trained", "waves"]

_EPSILON = 1e-9  # a third of six is two


@dataclass(frozen=True)
class Cut:
    """What a rung came to within one group of rivals.

    Attributes:
        kept: keys of the configurations that go on, best first.
        stopped: keys of those that don't, best first.
        last: the value of the last that goes on.
    """

    kept: tuple[str, ...]
    stopped: tuple[str, ...]
    last: float


def decide(values: Mapping[str, float], share: float) -> Cut:
    """Keep the lowest `share` of the values, rounded up, one at least; of equals the first.

    >>> decide({"a": 3.0, "b": 1.0, "c": 2.0}, 1 / 3).kept
    ('b',)
    """
    ranked = sorted(values, key=values.__getitem__)  # stable: of equals the first of the study
    places = max(math.ceil(share * len(ranked) - _EPSILON), 1)
    return Cut(tuple(ranked[:places]), tuple(ranked[places:]), values[ranked[:places][-1]])


def share_trained(stop: StopSpec, trials: Sequence[Trial]) -> float:
    """Return the share of a grid's epochs that its rungs leave to be trained, where no trial fails.

    It is exact where all trials have as many epochs; else the first of the study are taken to be the best.
    """
    alive = _rivals(trials, stop.by)
    whole = sum(rival.epochs * len(rival.trials) for rival in alive)
    spent = 0
    for rung in stop.rungs:
        groups: dict[str, dict[str, float]] = {}
        for rival in alive:
            if rival.epochs > rung:
                groups.setdefault(rival.group, {})[rival.key] = 0.0
        stopped = {key for values in groups.values() for key in decide(values, stop.share).stopped}
        spent += sum(rung * len(rival.trials) for rival in alive if rival.key in stopped)
        alive = [rival for rival in alive if rival.key not in stopped]
    return (spent + sum(rival.epochs * len(rival.trials) for rival in alive)) / whole


@dataclass
class _Rival:
    """One configuration: its trials, a seed each."""

    key: str
    group: str
    trials: list[Trial] = field(default_factory=list)

    @property
    def epochs(self) -> int:
        return self.trials[0].spec.train.epochs


def waves(study: Study, store: Store, plan: "Plan", commit: str | None) -> Iterator[list[Job]]:
    """Yield what to train, rung by rung; each list must be performed before the next is asked for.

    Args:
        study: with its `stop`.
        store: its results.
        plan: of the study.
        commit: of the code.
    """
    if study.stop is None:
        return
    again = {trial.name for trial in plan.missing}
    curves = _Curves(study.stop, store, again)
    alive = _rivals(plan.trials, study.stop.by)
    for rung in study.stop.rungs:
        racing = [rival for rival in alive if rival.epochs > rung]
        jobs = [Job(trial, store.root, commit, until=rung) for one in racing for trial in curves.behind(one, rung)]
        if jobs:
            yield jobs
        alive = _after(curves, alive, rung)
    jobs = [
        Job(trial, store.root, commit) for one in alive for trial in one.trials if not store.is_done(trial.name, again)
    ]
    if jobs:
        yield jobs


def _rivals(trials: Iterable[Trial], by: Sequence[str]) -> list[_Rival]:
    found: dict[str, _Rival] = {}
    for trial in trials:
        axes = {axis: value_text(value) for axis, value in trial.axes.items() if axis != "seed"}
        values = {"dataset": trial.spec.data.name, **axes}
        key = ", ".join(f"{axis} {value}" for axis, value in axes.items())
        group = ", ".join(values[axis] for axis in by)
        found.setdefault(key, _Rival(key, group)).trials.append(trial)
    return list(found.values())


def _after(curves: "_Curves", alive: Sequence[_Rival], rung: int) -> list[_Rival]:
    """Return who goes on; who doesn't is recorded as stopped, and who failed before the rung is left as it is."""
    groups: dict[str, dict[str, float]] = {}
    kept = {rival.key for rival in alive if rival.epochs <= rung}
    for rival in alive:
        value = curves.value(rival, rung)
        if value is not None and rival.key not in kept:
            groups.setdefault(rival.group, {})[rival.key] = value
    rivals = {rival.key: rival for rival in alive}
    for group, values in groups.items():
        cut = decide(values, curves.stop.share)
        kept |= set(cut.kept)
        for key in cut.stopped:
            curves.prune(rivals[key], rung, group, values[key], cut)
    return [rival for rival in alive if rival.key in kept]


@dataclass(frozen=True)
class _Curves:
    """What the folders of results say of the rivals."""

    stop: StopSpec
    store: Store
    missing: set[str]

    def behind(self, rival: _Rival, rung: int) -> list[Trial]:
        """Return the trials whose curves don't reach the rung."""
        return [trial for trial in rival.trials if self._at(trial, rung) is None]

    def value(self, rival: _Rival, rung: int) -> float | None:
        """Return a configuration's mean over its seeds after the rung's epoch; None where one did not get there."""
        found = [self._at(trial, rung) for trial in rival.trials]
        known = [value for value in found if value is not None]
        return math.fsum(known) / len(known) if len(known) == len(found) else None

    def _at(self, trial: Trial, rung: int) -> float | None:
        record = self.store.read(trial.name)
        if record is None or not record.status.has_curve:
            return None
        # Older code's checkpoints are of no use, so that its curves are not gone on from either, unless they are to be
        # kept as they are.
        if (record.status == Status.PAUSED or trial.name in self.missing) and not is_current(record.code):
            return None
        history = self.store.history(record)
        if self.stop.column not in history:
            return None
        rows = history.loc[history["epoch"] == rung, self.stop.column]
        return float(rows.iloc[0]) if len(rows) and math.isfinite(rows.iloc[0]) else None

    def prune(self, rival: _Rival, rung: int, group: str, value: float, cut: Cut) -> None:
        """Record that a configuration was stopped, with the rung as the reason; what is done already stays done."""
        places, rivals = len(cut.kept), len(cut.kept) + len(cut.stopped)
        reason = (
            f"stopped after epoch {rung} of {rival.epochs}: {self.stop.objective} {value:.6g} is not among the best "
            f"{places} of {rivals}{f' on {group}' if group else ''}, whose last has {cut.last:.6g}"
        )
        for trial in rival.trials:
            record = self.store.read(trial.name)
            if (
                record is None
                or record.status == Status.DONE
                or (record.status, record.reason) == (Status.PRUNED, reason)
            ):
                continue
            self._commit(replace(record, status=Status.PRUNED, reason=reason))
            self.store.clear_workspace(trial.name)

    def _commit(self, record: Record) -> None:
        history = self.store.history(record)
        with self.store.commit(record.trial) as draft:
            draft.write_history(history.to_dict("records"))  # type: ignore[arg-type]
            draft.write_record(record)
