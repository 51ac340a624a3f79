"""What is handed to an executor, and what it tells."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from ablations.records.record import Record
from ablations.records.status import Status
from ablations.records.store import Store
from ablations.study.trial import Trial
from vae.metrics import METRICS, usual_metrics
from vae.plugins import Luggage

__all__ = ["Event", "Job", "Resources", "Unread"]


@dataclass(frozen=True)
class Job:
    """A trial to perform and where its results go; it can be sent to another process.

    Attributes:
        trial: the trial.
        root: the study's folder of results.
        commit: of the code.
        until: the epoch after which it is to pause; None trains it to its end.
        shared: the workspace that it has in common with shorter and longer trials of the same configuration: the state
            of the finished training stays there for the next.
        token: of the lease under which its results are written.
        metrics: name -> settings of what is measured.
        evaluates: whether a finished trial is measured again from its saved model, and nothing is trained.
    """

    trial: Trial
    root: Path
    commit: str | None = None
    until: int | None = None
    shared: str | None = None
    token: str | None = None
    metrics: Mapping[str, Mapping[str, Any]] = field(default_factory=usual_metrics)
    evaluates: bool = False

    def __reduce__(self) -> Any:
        """Travel with the code of the metrics that are not ours; the run's own parts travel with its spec."""
        luggage = Luggage.of((METRICS, name) for name in self.metrics if name in METRICS)
        return _arrived, (luggage, {one.name: getattr(self, one.name) for one in fields(self)})

    @property
    def store(self) -> Store:
        """Where its results go; it takes nothing once the lease is another's."""
        return Store(self.root, self.token)

    @property
    def name(self) -> str:
        """The trial's name."""
        return self.trial.name

    @property
    def workspace(self) -> str:
        """Where its checkpoints are kept."""
        return self.shared or self.name

    @property
    def last_epoch(self) -> int:
        """The epoch at which it ends."""
        return self.until or self.trial.spec.train.epochs

    def leave(self, record: Record) -> None:
        """Commit the record of a trial that came to nothing; what was only to be measured stays as it is."""
        if not self.evaluates:
            with self.store.commit(self.name) as draft:
                draft.write_record(record)

    def leaves_state(self, status: str) -> bool:
        """Tell whether somebody is to go on from what is in the workspace, after an end with this status."""
        return status == Status.PAUSED or (status == Status.DONE and self.shared is not None)


def _arrived(luggage: Luggage, members: Mapping[str, Any]) -> Job:
    luggage.unpack()
    return Job(**members)


@dataclass(frozen=True)
class Event:
    """Something that happened to a trial.

    Attributes:
        kind: `started`, `epoch` or `finished`, which is said of a trial that pauses, too.
        trial: its name.
        epoch: epochs done, for `epoch`.
        values: the history's row, for `epoch`.
        record: for `finished`.
        worker: which worker has it.
    """

    kind: Literal["started", "epoch", "finished"]
    trial: str
    epoch: int = 0
    values: Mapping[str, float] = field(default_factory=dict)
    record: Record | None = None
    worker: int = 0


@dataclass(frozen=True)
class Unread:
    """Said of a job that another process can't read, in place of events.

    Attributes:
        why: the error's own words.
    """

    why: str


@dataclass(frozen=True)
class Resources:
    """What a trial needs beside its threads, and where that is to be had.

    Attributes:
        gpus: GPUs a trial; below 1, several trials share one. None leaves it to the executor: `processes` deals out the
            visible GPUs in turn, `ray` asks for none.
        memory: bytes a trial.
        address: of a Ray cluster.
    """

    gpus: float | None = None
    memory: float = 0.0
    address: str = "auto"
