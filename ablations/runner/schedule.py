"""What is trained, in which order: the missing trials of a grid, at once or rung by rung; a search brings its own."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from ablations.records.store import Store
from ablations.runner import halving
from ablations.runner.job import Job
from ablations.runner.plan import Plan
from ablations.study.study import Study
from ablations.study.trial import Trial

__all__ = ["GridSchedule", "Schedule"]


class Schedule(Protocol):
    """What a run trains."""

    def trials(self) -> Sequence[Trial]:
        """Return the trials that are known so far: those of a search grow while it runs."""

    def ahead(self, plan: Plan) -> Iterable[Trial]:
        """Return trials of which each data set is looked for before anything is trained."""

    def waves(self, plan: Plan, commit: str | None) -> Iterator[Sequence[Job]]:
        """Yield what to train, list by list, each to be performed before the next is asked for.

        Args:
            plan: of the trials known when the run began.
            commit: of the code.
        """


@dataclass(frozen=True)
class GridSchedule:
    """What is missing of a study's grid: all at once, or rung by rung where the study has a `stop`."""

    study: Study
    store: Store

    def trials(self) -> Sequence[Trial]:
        """Return the grid."""
        return list(self.study.trials())

    def ahead(self, plan: Plan) -> Iterable[Trial]:
        """Return what is missing."""
        return plan.missing

    def waves(self, plan: Plan, commit: str | None) -> Iterator[Sequence[Job]]:
        """Yield the missing trials."""
        if self.study.stop:
            yield from halving.waves(self.study, self.store, plan, commit)
        elif plan.missing:
            yield [Job(trial, self.store.root, commit) for trial in plan.missing]
