"""How much memory there is for trials, and whether the kernel killed for want of it."""

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import psutil

from ablations.records.record import Record

__all__ = ["available", "budget", "oom_kills"]

WORKER_BYTES = 2e9  # that a worker is given before anything is known: TensorFlow, a data set, a model of ordinary size
HEADROOM = 1.25  # above the largest peak seen: other seeds and machines need a little more
MEGABYTE = 1e6


def available(cgroups: Path = Path("/sys/fs/cgroup")) -> float:
    """Return the bytes that may still be taken: the machine's, or what the container's limit leaves of them."""
    free = float(psutil.virtual_memory().available)
    with suppress(OSError, ValueError):  # "max" is no number: there is no limit
        limit, used = (int((cgroups / name).read_text()) for name in ("memory.max", "memory.current"))
        free = min(free, max(limit - used, 0))
    return free


def budget(records: Iterable[Record]) -> float:
    """Return the bytes to plan for a worker: what the largest finished trial took and a quarter more, or 2 GB."""
    peaks = [record.timings.get("peak_rss_mb", 0.0) * MEGABYTE for record in records]
    return max([WORKER_BYTES, *(HEADROOM * peak for peak in peaks)])


def oom_kills(vmstat: Path = Path("/proc/vmstat")) -> int:
    """Return how many processes the kernel has killed for want of memory since it started; 0 where it does not tell."""
    with suppress(OSError, ValueError):
        counters = dict(line.split() for line in vmstat.read_text().splitlines())
        return int(counters.get("oom_kill", 0))
    return 0
