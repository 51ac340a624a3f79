"""The command `vaebench`, also as `python -m vaebench`."""

import atexit
import os
import signal
import sys
from types import FrameType

__all__ = ["main"]

SIGNALLED = 128  # an exit code above it tells the signal that ended the command
_STOPS = (signal.SIGINT, signal.SIGTERM)


def main() -> int:
    """Run the command, and return its exit code, which a signal that comes afterwards doesn't change.

    It is not run where the packages behind it are somebody else's.
    """
    ended: list[int] = []

    def leave(number: int, _: FrameType | None) -> None:
        if not ended:
            os.write(2, b"vaebench: stopped\n")
        os._exit(ended[0] if ended else 128 + number)

    # Before anything else is imported, and until the interpreter is gone: in between, the command listens by itself.
    for number in _STOPS:
        if signal.getsignal(number) != signal.SIG_IGN:  # as whoever started us wants it
            signal.signal(number, leave)
    atexit.register(_end)  # registered first, it is run last
    from vaebench._own import check

    try:
        check()
    except ImportError as error:
        sys.stderr.write(f"vaebench: {error}\n")
        return 2
    from ablations.cli import main as command

    ended.append(command())
    if ended[0] > SIGNALLED:
        # A training that was cut off still computes in a thread, which the interpreter's own end would abort.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(ended[0])
    return ended[0]


def _end() -> None:
    for number in _STOPS:
        signal.signal(number, signal.SIG_IGN)  # else the interpreter's own end has the system's way with them


if __name__ == "__main__":
    sys.exit(main())
