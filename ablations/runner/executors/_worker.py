"""A worker process: performs the jobs that come in by standard input until it ends, tells events by standard output.

A job comes as the bytes of its pickle, themselves pickled: one that can't be read, because it is of a class that only
the runner knows, spoils nothing that comes after it.
"""

import gc
import os
import pickle
import sys
import traceback
from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module
from queue import SimpleQueue
from threading import Event as Flag
from threading import Thread
from typing import BinaryIO

from ablations.runner.job import Event, Job, Unread
from ablations.runner.trial import perform
from vae.environment import configure

__all__ = ["serve", "warm"]

ORPHANED = 3  # exit code of a worker that lost whoever it works for
UNFIT = 4  # exit code of a worker that could not start; why is the last that it printed


def serve(number: int, threads: int, inward: BinaryIO, outward: BinaryIO) -> None:
    """Perform jobs until the input ends; where it ends in the middle of a job, end at once, for nobody waits for it."""
    jobs: SimpleQueue[bytes | None] = SimpleQueue()
    busy, alone = Flag(), Flag()

    def listen() -> None:
        try:
            while True:
                jobs.put(pickle.load(inward))  # noqa: S301 - from the process that started this one
        except Exception:  # noqa: BLE001 - however the input ends, be it torn, it has ended
            alone.set()
            if busy.is_set():
                os._exit(ORPHANED)
            jobs.put(None)

    def tell(word: Event | Unread) -> None:
        try:
            pickle.dump(word, outward)
            outward.flush()
        except OSError:
            # Nobody listens. Raised from here it would pass for the trial's own failure, and cost its checkpoints.
            os._exit(ORPHANED)

    Thread(target=listen, daemon=True).start()
    try:
        warm(threads)
    except BaseException:  # noqa: BLE001 - whatever it is, it is told by the last words
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(UNFIT)  # at once: the thread that listens would disturb an orderly end
    while (sent := jobs.get()) is not None:
        busy.set()
        if alone.is_set():  # since before `busy` could say that somebody would have to be told
            os._exit(ORPHANED)
        word = _perform(sent, number, threads, tell)
        busy.clear()
        tell(word)


def _perform(sent: bytes, number: int, threads: int, tell: Callable[[Event], None]) -> Event | Unread:
    """Perform a job, and return what is to be told of its end."""
    try:
        job: Job = pickle.loads(sent)  # noqa: S301 - from the process that started this one
    except (Exception, SystemExit) as error:  # noqa: BLE001 - it imports modules, which may raise anything
        return Unread(f"{type(error).__name__}: {error}")
    tell(Event("started", job.name, worker=number))

    def on_epoch(epoch: int, values: Mapping[str, float]) -> None:
        tell(Event("epoch", job.name, epoch, values, worker=number))

    return Event("finished", job.name, record=perform(job, threads, on_epoch), worker=number)


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
