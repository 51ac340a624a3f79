"""All trials in this process, one after the other: for debuggers and notebooks."""

from collections.abc import Iterator, Mapping, Sequence
from queue import SimpleQueue
from threading import Thread

from ablations.executors._base import EXECUTORS, Event, Executor, Job, forget_data, perform
from vae.environment import configure
from vae.errors import SpecError

__all__ = ["Inline"]


@EXECUTORS.register("inline")
class Inline(Executor):
    """Performs the jobs in order; always one worker."""

    def run(self, jobs: Sequence[Job]) -> Iterator[Event]:
        """Yield events; epochs are told as they end."""
        if self.timeout is not None:
            raise SpecError("the executor 'inline' can't stop a trial after a time: take 'processes', or no --timeout")
        configure(self.threads)
        forget_data()  # of an earlier run in this process: the images may have changed since
        for job in jobs:
            yield Event("started", job.name)
            yield from _live(job, self.threads)


def _live(job: Job, threads: int) -> Iterator[Event]:
    """Yield the events of one job while it runs.

    A generator can't yield from inside a callback, so that the job runs in a thread of its own, one at a time.
    """
    events: SimpleQueue[Event | BaseException] = SimpleQueue()

    def work() -> None:
        def tell(epoch: int, values: Mapping[str, float]) -> None:
            events.put(Event("epoch", job.name, epoch, values))

        try:
            events.put(Event("finished", job.name, record=perform(job, threads, tell)))
        except BaseException as error:  # noqa: BLE001 - raised again where the events are read
            events.put(error)

    thread = Thread(target=work, name=job.name, daemon=True)
    thread.start()
    while True:
        event = events.get()
        if isinstance(event, BaseException):
            raise event
        yield event
        if event.kind == "finished":
            thread.join()
            return
