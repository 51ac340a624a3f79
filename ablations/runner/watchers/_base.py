"""The contract of a watcher, and several as one."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from ablations.records.store import Store
from ablations.runner.job import Event, Job
from ablations.study.study import Study
from vae.registry import Registry

__all__ = ["WATCHERS", "Subject", "Watcher", "Watchers"]


@dataclass(frozen=True)
class Subject:
    """What is watched.

    Attributes:
        study: whose trials they are.
        store: where their results are.
    """

    study: Study
    store: Store


class Watcher:
    """Follows a run: it is told of each list of jobs, then of what happens to each; it takes note of what it likes.

    A run may be taken up again, and tells again what happened after the last checkpoint: what a watcher has noted
    before it does not note a second time.
    """

    def on_jobs(self, jobs: Sequence[Job]) -> None:
        """Hear of the trials that come next, and of how far they go."""

    def on_event(self, event: Event) -> None:
        """Hear of something that happened to one of them."""

    def close(self, files: Sequence[Path] = ()) -> None:
        """Finish; whoever opened a watcher closes it, once or more often.

        Args:
            files: of the study's report, to be kept where there is a place for files.
        """


WATCHERS: Registry[Callable[[Subject, str], Watcher]] = Registry("watcher", "ablations.runner.watchers")
"""Kind -> what opens one: given what is watched and a folder or address, or "" for the watcher's own choice."""


@dataclass
class Watchers(Watcher):
    """Several watchers as one; closed when the block is left, however it is left.

    A watcher that fails, such as one whose server is gone, is left behind: no study ends because nobody looks on.

    Attributes:
        members: kind -> watcher.
        lost: kind -> why it was left behind.
    """

    members: dict[str, Watcher]
    lost: dict[str, str] = field(default_factory=dict)

    @classmethod
    def open(cls, subject: Subject, places: Mapping[str, str]) -> Self:
        """Open watchers.

        Args:
            subject: what they watch.
            places: kind (of `WATCHERS`) -> folder or address, "" for the watcher's own choice.

        Raises:
            SpecError: a kind is unknown, or a package is missing.
            VaebenchError: nothing can be kept at a place.
        """
        opened = cls({})
        try:
            for kind, place in places.items():
                opened.members[kind] = WATCHERS[kind](subject, place)
        except BaseException:
            opened.close()
            raise
        return opened

    def __enter__(self) -> Self:
        """Return this."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close all."""
        self.close()

    def on_jobs(self, jobs: Sequence[Job]) -> None:
        """Tell all what comes next."""
        self._each(lambda member: member.on_jobs(jobs))

    def on_event(self, event: Event) -> None:
        """Tell all what happened."""
        self._each(lambda member: member.on_event(event))

    def close(self, files: Sequence[Path] = ()) -> None:
        """Close all, once."""
        self._each(lambda member: member.close(files))
        self.members.clear()

    def _each(self, do: Callable[[Watcher], None]) -> None:
        for kind, member in list(self.members.items()):
            try:
                do(member)
            except Exception as error:  # noqa: BLE001 - of somebody else's server, disk or format
                self.lost[kind] = (str(error).strip() or type(error).__name__).splitlines()[0]
                del self.members[kind]
