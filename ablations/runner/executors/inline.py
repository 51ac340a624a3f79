"""All trials in this process, one after the other: for debuggers and notebooks."""

import gc
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module

from ablations.runner.executors._base import EXECUTORS, Executor, live
from ablations.runner.job import Event, Job
from ablations.runner.trial import forget_data, perform
from vae.environment import backend, configure
from vae.errors import SpecError

__all__ = ["Inline"]


@EXECUTORS.register("inline")
class Inline(Executor):
    """Performs the jobs in order; always one worker."""

    def check(self) -> None:
        """Refuse a timeout, a share of a GPU, and a backend of Keras' that is not installed.

        Raises:
            SpecError: one is asked for.
        """
        backend()
        if self.timeout is not None:
            raise SpecError("the executor 'inline' can't stop a trial after a time: take 'processes', or no --timeout")
        if self.resources.gpus is not None:
            raise SpecError("the executor 'inline' trains on the GPU it sees: take 'processes', or no --gpus-per-trial")

    def run(self, jobs: Sequence[Job]) -> Iterator[Event]:
        """Yield events; epochs are told as they end."""
        configure(self.threads)
        forget_data()  # of an earlier run in this process: the images may have changed since
        with _imports_uncollected():
            for job in jobs:
                yield Event("started", job.name)
                yield from _perform(job, self.threads)


@contextmanager
def _imports_uncollected() -> Iterator[None]:
    """Spare the collector what is there: each trial forgets a model, and to look through TensorFlow takes 0.3 s.

    This is the caller's process, so all is given back to the collector at the end.
    """
    import_module("vae.evaluation")  # and TensorFlow with it
    ours = not gc.get_freeze_count()
    if ours:
        gc.collect()
        gc.freeze()
    try:
        yield
    finally:
        if ours:
            gc.unfreeze()


def _perform(job: Job, threads: int) -> Iterator[Event]:
    """Yield the events of one job while it runs."""

    def work(tell: Callable[[Event], None]) -> None:
        def on_epoch(epoch: int, values: Mapping[str, float]) -> None:
            tell(Event("epoch", job.name, epoch, values))

        tell(Event("finished", job.name, record=perform(job, threads, on_epoch)))

    for events in live(job.name, work):
        yield from events
