"""What counts as slower, and which benchmarks are looked at."""

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from typing import Any

from bench.cases import CASES
from bench.gate._fleet import Worker
from bench.gate._revision import Trees

__all__ = ["Limits", "chosen", "describe"]


@dataclass(frozen=True)
class Limits:
    """What counts.

    Attributes:
        threshold: relative changes below it are ignored, however sure.
        resolution: a benchmark is called unchanged only if a change of this size would have been seen.
        confirm: rounds of the confirming run.
    """

    threshold: float = 0.03
    resolution: float = 0.10
    confirm: int = 3


def describe(trees: Trees, threads: int) -> dict[str, Any]:
    """Return the machine and the versions that the head runs with."""
    worker = Worker(trees, "head", threads)
    try:
        machine: dict[str, Any] = worker.ask("describe", threads=threads)
    finally:
        worker.stop()
    return machine


def chosen(only: Sequence[str]) -> list[str]:
    """Return the benchmarks that patterns such as `step-*` name; without one, those of the gate.

    Raises:
        VaebenchError: a pattern fits none.
    """
    if not only:
        return [name for name, case in CASES.items() if case.gate]
    names: list[str] = []
    for pattern in only:
        found = [name for name in CASES if fnmatch(name, pattern)]
        if not found:
            CASES[pattern]  # raises, naming the nearest
        names += found
    return list(dict.fromkeys(names))
