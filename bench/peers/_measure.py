"""One command, measured from outside: wall time from its start, and the peak memory of all its processes together."""

import os
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

__all__ = ["Measured", "measure"]

SAMPLE_SECONDS = 0.2
LAST_LINES = 5


@dataclass(frozen=True)
class Measured:
    """What a command took.

    Attributes:
        began: seconds since 1970.
        seconds: from its start to its end.
        peak_rss_mb: the largest sum, seen five times a second, of the resident memory of the process and its children.
        failure: why it came to nothing; empty where it ended well.
    """

    began: float
    seconds: float
    peak_rss_mb: float
    failure: str = ""


def measure(command: Sequence[str], log: Path, environment: Mapping[str, str]) -> Measured:
    """Run `command` to its end; what it prints goes to `log`."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as file:
        began, start = time.time(), time.perf_counter()
        process = subprocess.Popen(  # noqa: S603 - our own modules
            list(command), stdout=file, stderr=subprocess.STDOUT, env={**os.environ, **environment}
        )
        peak = [0.0]
        done = threading.Event()
        watcher = threading.Thread(target=_watch, args=(process.pid, peak, done), daemon=True)
        watcher.start()
        code = process.wait()
        seconds = time.perf_counter() - start
    done.set()
    watcher.join()
    failure = ""
    if code:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
        failure = f"exit code {code}: {' / '.join(lines[-LAST_LINES:])}"
    return Measured(began, seconds, peak[0], failure)


def _watch(pid: int, peak: list[float], done: threading.Event) -> None:
    with suppress(psutil.Error):
        root = psutil.Process(pid)
        while not done.wait(SAMPLE_SECONDS):
            total = 0
            for process in (root, *root.children(recursive=True)):
                with suppress(psutil.Error):  # it ended just now
                    total += process.memory_info().rss
            peak[0] = max(peak[0], total / 1e6)
