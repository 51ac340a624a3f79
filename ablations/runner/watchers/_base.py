"""The contract of a watcher."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ablations.records.store import Store
from ablations.runner.job import Event, Job
from ablations.study.study import Study
from vae.registry import Registry

__all__ = ["WATCHERS", "Subject", "Watcher", "reason"]

SYSTEM = {"builtins", "socket"}  # where errors of the operating system are defined, and not libraries' own


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

    Attributes:
        remote: whether it speaks to another machine: after an interrupt such a watcher is told nothing more.
    """

    remote: bool = False

    def on_jobs(self, jobs: Sequence[Job]) -> None:
        """Hear of the trials that come next, and of how far they go."""

    def on_event(self, event: Event) -> None:
        """Hear of something that happened to one of them."""

    def close(self, files: Sequence[Path] = ()) -> None:
        """Finish; whoever opened a watcher closes it, once or more often.

        Args:
            files: of the study's report, to be kept where there is a place for files.
        """

    def leave(self) -> None:
        """Finish after an interrupt, when nobody wants to wait."""
        self.close()


WATCHERS: Registry[Callable[[Subject, str], Watcher]] = Registry("watcher", "ablations.runner.watchers")
"""Kind -> what opens one: given what is watched and a folder or address, or "" for the watcher's own choice."""


def reason(error: BaseException) -> str:
    """Return in one line why something failed: the system's own word where there is one beneath what libraries say."""
    system = [one for one in _beneath(error) if isinstance(one, OSError) and type(one).__module__ in SYSTEM]
    found = system[-1] if system else error
    said = (found.strerror if isinstance(found, OSError) else None) or str(found).strip() or type(found).__name__
    return said.splitlines()[0]


def _beneath(error: BaseException | None) -> Iterator[BaseException]:
    if error is not None:
        yield error
        yield from _beneath(error.__cause__)
        if error.__context__ is not error.__cause__:
            yield from _beneath(error.__context__)
