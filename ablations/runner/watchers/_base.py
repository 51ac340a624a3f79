"""The contract of a watcher, and what opens those that are asked for."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from ablations.records.store import Store
from ablations.runner.job import Event
from ablations.study.study import Study
from ablations.study.trial import Trial

__all__ = ["Subject", "Watcher", "Watchers", "open_watchers"]

# An option of the command line -> the module that has `open_watcher(subject, place)`.
KINDS: Mapping[str, str] = {
    "tensorboard": "ablations.runner.watchers.tensorboard",
    "mlflow": "ablations.runner.watchers.mlflow",
}


@dataclass(frozen=True)
class Subject:
    """What is watched.

    Attributes:
        study: whose trials they are.
        store: where their results are.
        trials: name -> trial, of all that events may speak of.
    """

    study: Study
    store: Store
    trials: Mapping[str, Trial]


class Watcher(Protocol):
    """Follows the events of a run; what it knows already it does not write a second time."""

    def on_event(self, event: Event) -> None:
        """Take note of an event."""

    def close(self, files: Sequence[Path] = ()) -> None:
        """Finish, keeping these files of the study's report where there is a place for files."""


Opener = Callable[[Subject, str], Watcher]


@dataclass
class Watchers:
    """Several watchers as one; closed when the block is left, however it is left.

    A watcher that fails, such as one whose server is gone, is left behind: no study ends because nobody looks on.

    Attributes:
        members: kind -> watcher.
        files: of the report, once there is one.
        lost: kind -> why it was left behind.
    """

    members: dict[str, Watcher]
    files: Sequence[Path] = field(default=())
    lost: dict[str, str] = field(default_factory=dict)

    def __enter__(self) -> Self:
        """Return this."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close all."""
        self.close()

    def on_event(self, event: Event) -> None:
        """Pass an event on."""
        self._each(lambda member: member.on_event(event))

    def close(self) -> None:
        """Close all, once."""
        self._each(lambda member: member.close(self.files))
        self.members.clear()

    def _each(self, do: Callable[[Watcher], None]) -> None:
        for kind, member in list(self.members.items()):
            try:
                do(member)
            except Exception as error:  # noqa: BLE001 - of somebody else's server, disk or format
                self.lost[kind] = (str(error).strip() or type(error).__name__).splitlines()[0]
                del self.members[kind]


def open_watchers(subject: Subject, places: Mapping[str, str | None]) -> Watchers:
    """Open the watchers that are asked for.

    Args:
        subject: what they watch.
        places: kind (of `KINDS`) -> folder or address, "" for its own choice, None where it is not asked for.

    Raises:
        SpecError: a package is missing; nothing is opened.
    """
    asked = {kind: place for kind, place in places.items() if place is not None}
    openers: dict[str, Opener] = {kind: import_module(KINDS[kind]).open_watcher for kind in asked}
    return Watchers({kind: openers[kind](subject, place) for kind, place in asked.items()})
