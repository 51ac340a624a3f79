"""A watcher that keeps what it hears."""

from collections.abc import Callable, Sequence

from ablations.runner.job import Event, Job
from ablations.runner.watchers import Watcher

__all__ = ["Notes"]


class Notes(Watcher):
    """What was told of a run, in order; `react` is called with each event as it comes."""

    def __init__(self, react: Callable[[Event], None] = lambda _: None) -> None:
        self._react = react
        self.events: list[Event] = []
        self.jobs: dict[str, Job] = {}

    def on_jobs(self, jobs: Sequence[Job]) -> None:
        self.jobs |= {job.name: job for job in jobs}

    def on_event(self, event: Event) -> None:
        self.events.append(event)
        self._react(event)
