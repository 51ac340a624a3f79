"""A worker process: performs the jobs that come in by standard input until it ends, tells events by standard output."""

import gc
import os
import pickle
import sys
from collections.abc import Mapping
from importlib import import_module
from typing import BinaryIO

from ablations.executors._base import Event, perform
from vae.environment import configure

__all__ = ["serve"]


def serve(number: int, threads: int, inward: BinaryIO, outward: BinaryIO) -> None:
    """Perform jobs until the input ends."""
    configure(threads)
    import_module("vae.evaluation")  # and TensorFlow with it
    # What is imported stays: the collector need not look through it again while models are traced and forgotten.
    gc.collect()
    gc.freeze()

    def tell(event: Event) -> None:
        pickle.dump(event, outward)
        outward.flush()

    while True:
        try:
            job = pickle.load(inward)  # noqa: S301 - from the process that started this one
        except EOFError:
            return

        def on_epoch(epoch: int, values: Mapping[str, float], name: str = job.name) -> None:
            tell(Event("epoch", name, epoch, values, worker=number))

        tell(Event("finished", job.name, record=perform(job, threads, on_epoch), worker=number))


if __name__ == "__main__":
    # Whatever prints in here must not end up among the events.
    events = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    serve(int(sys.argv[1]), int(sys.argv[2]), sys.stdin.buffer, events)
