"""The command `vaebench`, also as `python -m vaebench`."""

import os
import signal
import sys
from types import FrameType

__all__ = ["main"]


def main() -> int:
    """Run the command, and return its exit code."""
    # Before anything else is imported, and until the interpreter is gone: in between, the command listens by itself.
    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _leave)
    from ablations.cli import main as command

    return command()


def _leave(number: int, _: FrameType | None) -> None:
    os.write(2, b"vaebench: stopped\n")
    os._exit(128 + number)


if __name__ == "__main__":
    sys.exit(main())
