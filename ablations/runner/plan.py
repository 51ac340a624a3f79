"""What a run of a study would do."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from ablations.records.record import Record
from ablations.records.status import Status
from ablations.records.store import Store
from ablations.study.study import Study
from ablations.study.trial import Trial
from vae.environment import source_hash
from vae.errors import DataError, SpecError
from vae.parts import canonical_json

__all__ = ["Plan", "make_plan", "no_grid", "recorded", "records_of"]


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
    known = set(store.names())
    records = {trial.name: store.read(trial.name) for trial in trials if trial.name in known}
    done = {name: record for name, record in records.items() if record is not None and _is_settled(record, study)}
    stale = frozenset(name for name, record in done.items() if record.code.get("vae") != source_hash())
    again = stale if refresh else frozenset()
    missing = [trial for trial in trials if trial.name not in done or trial.name in again]
    return Plan(
        trials,
        missing,
        stale - again,
        tuple(Record("", "", axes, Status.SKIPPED, reason) for axes, reason in study.skipped()),
    )


def _is_settled(record: Record, study: Study) -> bool:
    """Tell whether nothing is left to do: a trial that was stopped at a rung has to go on where there are none."""
    return record.status.settled if study.stop else record.status == Status.DONE


def recorded(trials: Sequence[Trial], store: Store) -> list[Trial]:
    """Return trials under the names that they have in the store, where their data can't be asked."""
    try:
        for trial in trials:
            _ = trial.digest
    except DataError:
        records = [record for name in store.names() if (record := store.read(name)) is not None]
        records.sort(key=lambda record: record.finished)
        digests = {canonical_json(record.spec): record.digest for record in records}
        settings = [trial.spec.canonical() for trial in trials]
        return [replace(trial, recorded=digests.get(one, "none")) for trial, one in zip(trials, settings, strict=True)]
    return list(trials)


def no_grid(study: Study) -> SpecError:
    """Return the error of a study that can be searched alone."""
    axis = next(iter(study.ranges))
    return SpecError(
        f"{study.where}: axes.{axis} is a range, which has no grid of trials: search it with `vaebench tune "
        f"{study.source}`, or give a list of values"
    )


def records_of(store: Store, plan: Plan, running: Collection[str] = ()) -> list[Record]:
    """Return the records of a study's trials, those of interrupted and skipped ones included.

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
            record = Record(
                trial.name, trial.digest, dict(trial.axes), Status.INTERRUPTED, reason, trial.spec.settings()
            )
        if record is not None:
            records.append(record)
    return [*records, *plan.skipped]
