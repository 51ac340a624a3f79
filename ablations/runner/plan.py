"""What a run of a study would do."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ablations.records import rows
from ablations.records.index import by_digest, known
from ablations.records.record import Record
from ablations.records.status import Status
from ablations.records.store import Store
from ablations.study.closed import closed_trial
from ablations.study.study import Study
from ablations.study.trial import Trial
from vae.code import is_current
from vae.errors import DataError, SpecError
from vae.spec import RunSpec

__all__ = ["Plan", "closed_plan", "make_plan", "no_grid", "placed", "recorded", "records_of"]


@dataclass(frozen=True)
class Plan:
    """What a run of a study would do.

    Attributes:
        trials: all of the study.
        missing: those to train.
        stale: names of finished trials that were made by older code.
        skipped: a record for each row of the grid that a rule leaves out.
    """

    trials: Sequence[Trial]
    missing: Sequence[Trial]
    stale: frozenset[str]
    skipped: Sequence[Record] = ()


def make_plan(study: Study, store: Store, trials: Sequence[Trial] | None = None, *, refresh: bool = False) -> Plan:
    """Look what is done: a trial counts as done when its folder holds a finished record.

    Args:
        study: what is asked for.
        store: where results are.
        trials: what is asked for in place of the study's grid, such as what a search has proposed.
        refresh: train stale trials again.

    Raises:
        DataError: a data set is missing.
    """
    trials = list(study.trials()) if trials is None else list(trials)
    found = by_digest(known(store))
    trials = [placed(trial, found) for trial in trials]
    records = {trial.name: found[trial.digest] for trial in trials if trial.digest in found}
    done = {name: record for name, record in records.items() if _is_settled(record, study)}
    stale = frozenset(name for name, record in done.items() if not is_current(record.code))
    again = stale if refresh else frozenset()
    missing = [trial for trial in trials if trial.name not in done or trial.name in again]
    skipped = tuple(_skipped(study, axes, reason) for axes, reason in study.skipped())
    return Plan(trials, missing, stale - again, skipped)


def closed_plan(store: Store) -> Plan:
    """Return what was asked for of a study whose plugins nobody runs, as it was written down."""
    known = rows.read(store)
    if known is None:
        return Plan((), (), frozenset())
    trials = [closed_trial(row.name, row.digest, row.axes, row.spec) for row in known.trials]
    records = {trial.name: record for trial in trials if (record := store.read(trial.name)) is not None}
    done = {name: record for name, record in records.items() if record.status == Status.DONE}
    stale = frozenset(name for name, record in done.items() if not is_current(record.code, closed=True))
    missing = [trial for trial in trials if trial.name not in done and not _is_over(records.get(trial.name))]
    skipped = tuple(Record("", "", axes, Status.SKIPPED, reason) for axes, reason in known.skipped)
    return Plan(trials, missing, stale, skipped)


def _is_over(record: Record | None) -> bool:
    return record is not None and record.status == Status.PRUNED


def _skipped(study: Study, axes: Mapping[str, Any], reason: str) -> Record:
    """Return the record of a row that is no trial: of its spec, the names of its data set and model are known."""
    flat = {**study.fixed, **{study.settings.resolve(axis, study.where): value for axis, value in axes.items()}}
    default = RunSpec()
    names = {"data": flat.get("data.name", default.data.name), "model": flat.get("model.name", default.model.name)}
    return Record("", "", axes, Status.SKIPPED, reason, {part: {"name": name} for part, name in names.items()})


def _is_settled(record: Record, study: Study) -> bool:
    """Tell whether nothing is left to do: a trial that was stopped at a rung has to go on where there are none."""
    return record.status.settled if study.stop else record.status == Status.DONE


def placed(trial: Trial, found: Mapping[str, Record]) -> Trial:
    """Return a trial under the name of the folder that holds it; `found` has the records by their digest of today."""
    return trial.under(found[trial.digest].trial) if trial.digest in found else trial


def recorded(trials: Sequence[Trial], store: Store) -> list[Trial]:
    """Return trials under the names that they have in the store, where their data can't be asked."""
    try:
        for trial in trials:
            _ = trial.digest
    except DataError:
        found = sorted(known(store), key=lambda one: one.record.finished)
        digests = {one.identity: one.digest for one in found}
        return [replace(trial, recorded=digests.get(trial.spec.identity, "none")) for trial in trials]
    return list(trials)


def no_grid(study: Study) -> SpecError:
    """Return the error of a study that can be searched alone."""
    axis = next(iter(study.ranges))
    return SpecError(
        f"{study.where}: axes.{axis} is a range, which has no grid of trials: search it with `vaebench tune "
        f"{study.source}`, or give a list of values"
    )


def _unfinished(trial: Trial, status: Status, reason: str) -> Record:
    """Return the record of a trial that left none that says what became of it."""
    return Record(trial.name, trial.digest, dict(trial.axes), status, reason, trial.spec.settings())


def records_of(store: Store, plan: Plan, running: Collection[str] = ()) -> list[Record]:
    """Return the records of a study's trials, those of interrupted, damaged and skipped ones included.

    Args:
        store: where they are.
        plan: of the study.
        running: trials that somebody trains just now.
    """
    last = {attempt.trial: attempt for attempt in store.ledger.attempts()}
    records = []
    for trial in plan.trials:
        record, attempt = store.read(trial.name), last.get(trial.name)
        cut_short = attempt is not None and attempt.status == Status.INTERRUPTED and trial.name not in running
        if attempt is not None and cut_short and (record is None or not record.status.settled):
            reason = "its last attempt was cut short; the next run goes on from there"
            record = _unfinished(trial, Status.INTERRUPTED, reason)
        elif record is None and trial.name not in running and (why := store.damage(trial.name)):
            record = _unfinished(trial, Status.DAMAGED, f"{why}; the next run trains it again")
        if record is not None:
            records.append(record)
    return [*records, *plan.skipped]
