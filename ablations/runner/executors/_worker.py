"""A worker process: performs the jobs that come in by standard input until it ends, tells events by standard output."""

import gc
import os
import pickle
import sys
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from queue import SimpleQueue
from threading import Event as Flag
from threading import Thread
from typing import BinaryIO

from ablations.runner.job import Event, Job
from ablations.runner.trial import perform
from vae.environment import configure

__all__ = ["serve", "warm"]

ORPHANED = 3  # exit code of a worker that lost whoever it works for


def serve(number: int, threads: int, inward: BinaryIO, outward: BinaryIO) -> None:
    """Perform jobs until the input ends; where it ends in the middle of a job, end at once, for nobody waits for it."""
    jobs: SimpleQueue[Job | None] = SimpleQueue()
    busy = Flag()

    def listen() -> None:
        try:
            while True:
                jobs.put(pickle.load(inward))  # noqa: S301 - from the process that started this one
        except (EOFError, OSError):
            if busy.is_set():
                os._exit(ORPHANED)
            jobs.put(None)

    def tell(event: Event) -> None:
        try:
            pickle.dump(event, outward)
            outward.flush()
        except OSError:
            # Nobody listens. Raised from here it would pass for the trial's own failure, and cost its checkpoints.
            os._exit(ORPHANED)

    Thread(target=listen, daemon=True).start()
    warm(threads)
    while (job := jobs.get()) is not None:
        busy.set()

        def on_epoch(epoch: int, values: Mapping[str, float], name: str = job.name) -> None:
            tell(Event("epoch", name, epoch, values, worker=number))

        record = perform(job, threads, on_epoch)
        busy.clear()
        tell(Event("finished", job.name, record=record, worker=number))


@cache
def warm(threads: int) -> None:
    """Make this process ready for trials, once: the import of TensorFlow takes seconds."""
    configure(threads)
    import_module("vae.evaluation")  # and TensorFlow with it
    # What is imported stays: the collector need not look through it again while models are traced and forgotten.
    gc.collect()
    gc.freeze()


if __name__ == "__main__":
    # Whatever prints in here must not end up among the events.
    events = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    serve(int(sys.argv[1]), int(sys.argv[2]), sys.stdin.buffer, events)
