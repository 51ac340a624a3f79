"""What ends a command of the gate from outside."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import current_thread, main_thread

__all__ = ["stoppable"]


@contextmanager
def stoppable() -> Iterator[None]:
    """Have `kill` and batch systems stop the block as Ctrl-C does, so that what it made is removed."""
    if current_thread() is not main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
