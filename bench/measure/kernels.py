"""What each kernel of `vae.kernels` gives: training steps with Keras' own classes, with one of ours, with all, in turn.

Usage: python -m bench.measure.kernels [--shape fashion_mnist] [--rounds 6]
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any
from unittest.mock import patch

from bench.cases.training import BATCH, SHAPES, batch, build_model, operations
from vae.environment import configure

__all__ = ["main", "measure"]

PLAIN, ALL = "Keras' own", "all"
SECONDS = 0.7  # of steps, a turn


def measure(kind: str, shape: tuple[int, int, int], rounds: int) -> dict[str, float]:
    """Return the images per second of each variant: the median over the rounds, in which all take turns.

    Args:
        kind: of `bench.cases.training.NETWORKS_TIMED`.
        shape: (height, width, channels) of an image.
        rounds: turns of each variant.
    """
    from vae import kernels

    known = dict(kernels.FAST)
    variants: dict[str, dict[type[Any], type[Any]]] = {PLAIN: {}}
    variants |= {fast.__name__: {plain: fast} for plain, fast in known.items()}
    variants[ALL] = known
    images = batch(BATCH, shape)
    steps: dict[str, Callable[[], Any]] = {}
    for name, chosen in variants.items():
        with patch.dict(kernels.FAST, chosen, clear=True):
            model = build_model(kind, shape)
            model.train_on_batch(images)  # traced with these
        steps[name] = partial(model.train_on_batch, images)
    times: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(rounds):
        for name, step in steps.items():
            times[name].append(_seconds(step))
    return {name: BATCH / statistics.median(found) for name, found in times.items()}


def _seconds(step: Callable[[], Any]) -> float:
    """Return the time of one step, from as many as fill a turn."""
    began, steps = time.perf_counter(), 0
    while time.perf_counter() - began < SECONDS:
        step()
        steps += 1
    return (time.perf_counter() - began) / steps


def main(arguments: list[str] | None = None) -> int:
    """Measure, print a table in Markdown, and return 0."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.measure.kernels", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--shape", choices=SHAPES, default="fashion_mnist")
    parser.add_argument("--rounds", type=int, default=6)
    options = parser.parse_args(arguments)
    configure()
    shape = SHAPES[options.shape]
    sys.stdout.write("| network | kernels | images/s | ratio | GFLOP/s |\n|---|---|---|---|---|\n")
    for kind in ("conv", "conv-paper"):
        flops = 3 * operations(kind, shape)
        rates = measure(kind, shape, options.rounds)
        for name, rate in rates.items():
            row = f"| {kind} | {name} | {rate:,.0f} | {rate / rates[PLAIN]:.2f} | {rate * flops / 1e9:.0f} |\n"
            sys.stdout.write(row)
    return 0


if __name__ == "__main__":
    sys.exit(main())
