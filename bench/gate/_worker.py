"""A worker process of the regression gate: prepares benchmarks, then times what it is told to, one line of JSON each.

The package `bench` is that of the revision under way, whatever else PYTHONPATH finds: both sides are timed by one code.
"""

import gc
import importlib
import json
import os
import pkgutil
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, TextIO

from bench import cases
from bench._case import CASES, Work

__all__ = ["serve", "spent"]

WARM_CALLS = 2  # beyond the first: TensorFlow's allocator and the caches of the processor settle
CALIBRATION_CALLS = 3
MOST_CALLS = 10_000


def spent(call: Callable[[], object], calls: int, slow: float = 0.0) -> float:
    """Return the median seconds of so many calls; each is followed by a share `slow` of its time, spent busily.

    One call before them is not timed: other processes had the caches in the meantime.
    """
    clock = time.perf_counter
    seconds = []
    gc.collect()
    gc.disable()
    try:
        call()
        for _ in range(calls):
            began = clock()
            call()
            ended = clock()
            if slow:
                until = ended + slow * (ended - began)
                while (ended := clock()) < until:
                    pass
            seconds.append(ended - began)
    finally:
        gc.enable()
    return statistics.median(seconds)


class _Bench:
    """The prepared benchmarks of this process."""

    def __init__(self) -> None:
        self._works: dict[str, Work] = {}

    def prepare(self, names: list[str]) -> dict[str, str]:
        """Prepare benchmarks and return why some can't be, by name."""
        lacking = _import_cases()
        for name in names:
            try:
                work = CASES[name].prepare(small=True)
                for _ in range(1 + WARM_CALLS):
                    work.call()
            except Exception as error:  # noqa: BLE001 - an older revision may lack anything; the parent judges
                lacking[name] = f"{type(error).__name__}: {error}"
            else:
                self._works[name] = work
        gc.collect()
        gc.freeze()
        return {name: reason for name, reason in lacking.items() if name in names}

    def calibrate(self, name: str, seconds: float) -> int:
        """Return how many calls fill so many seconds."""
        return min(max(1, round(seconds / spent(self._works[name].call, CALIBRATION_CALLS))), MOST_CALLS)

    def time(self, name: str, calls: int, slow: float = 0.0) -> float:
        """Return the median seconds of a call."""
        return spent(self._works[name].call, calls, slow)

    def count(self, fault: str = "") -> dict[str, int]:
        """Return the exact counters, with a planted fault where one is named."""
        from bench.gate import counters

        return counters.planted(fault) if fault else counters.count()

    def peak(self) -> float | None:
        """Return the peak resident memory in MB."""
        with suppress(ImportError):
            from vae.environment import peak_rss_mb

            return peak_rss_mb()
        return None

    def describe(self, threads: int) -> dict[str, Any]:
        """Return the machine and the versions."""
        from vae.environment import describe

        return describe(threads)

    def origin(self) -> str:
        """Return the folder that the code under test was imported from."""
        import vae

        return os.path.dirname(os.path.dirname(os.path.realpath(vae.__file__)))  # noqa: PTH120 - no more imports


def _import_cases() -> dict[str, str]:
    """Import every file of cases; one that this revision can't import costs its own benchmarks alone."""
    lacking = {}
    for module in pkgutil.iter_modules(cases.__path__):
        try:
            importlib.import_module(f"bench.cases.{module.name}")
        except ImportError as error:
            lacking[module.name] = str(error)
    return lacking


def serve(inward: TextIO, outward: TextIO) -> None:
    """Obey lines such as {"do": "time", "name": "plan", "calls": 3} until the input ends; answer each with a line."""
    bench = _Bench()
    allowed: Mapping[str, Callable[..., Any]] = {
        name: getattr(bench, name) for name in ("prepare", "calibrate", "time", "count", "peak", "describe", "origin")
    }
    for line in inward:
        wanted = json.loads(line)
        try:
            answer = {"answer": allowed[wanted.pop("do")](**wanted)}
        except Exception as error:  # noqa: BLE001 - told to the parent, which knows what it means
            answer = {"error": f"{type(error).__name__}: {error}"}
        outward.write(json.dumps(answer) + "\n")
        outward.flush()


if __name__ == "__main__":
    # Whatever prints in here must not end up among the answers.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    serve(sys.stdin, answers)
