"""Several watchers as one."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from ablations.runner.job import Event, Job
from ablations.runner.watchers._aside import Aside
from ablations.runner.watchers._base import WATCHERS, Subject, Watcher, reason

__all__ = ["Watchers"]


def _nobody(kind: str, reason: str) -> None:
    """Tell nobody of a watcher that was left behind."""


@dataclass
class Watchers(Watcher):
    """Several watchers as one; closed when the block is left, however it is left.

    A watcher that fails, such as one whose server is gone, is left behind: no study ends because nobody looks on. Those
    that are opened here are told from threads of their own, so that none holds up a study either.

    Attributes:
        members: kind -> watcher.
        lost: kind -> why it was left behind.
        say: is told the same as soon as it is known.
    """

    members: dict[str, Watcher]
    lost: dict[str, str] = field(default_factory=dict)
    say: Callable[[str, str], None] = _nobody

    @classmethod
    def open(cls, subject: Subject, places: Mapping[str, str], say: Callable[[str, str], None] = _nobody) -> Self:
        """Open watchers.

        Args:
            subject: what they watch.
            places: kind (of `WATCHERS`) -> folder or address, "" for the watcher's own choice.
            say: is told of each that is left behind: kind and why.

        Raises:
            SpecError: a kind is unknown, or a package is missing.
            VaebenchError: nothing can be kept at a place.
        """
        opened = cls({}, say=say)
        try:
            for kind, place in places.items():
                opened.members[kind] = Aside(partial(WATCHERS[kind], subject, place), f"watcher-{kind}")
        except BaseException as error:
            opened.__exit__(type(error), error, error.__traceback__)
            raise
        return opened

    def __enter__(self) -> Self:
        """Return this."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close all; after an interrupt, leave them."""
        if kind is None or issubclass(kind, Exception):
            self.close()
        else:
            self._each(lambda member: member.leave())
            self.members.clear()

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
                self.lost[kind] = reason(error)
                del self.members[kind]
                self.say(kind, self.lost[kind])
