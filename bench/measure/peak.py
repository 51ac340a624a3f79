"""How near training comes to the machine's peak: `python -m bench.measure.peak`.

A forward pass takes `vae.cost.cost(network, shape).flops_per_image` operations, a step three times as many. The peak is
the fastest of several float32 matrix products by TensorFlow with all cores, in the same run.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vae.cost import cost
from vae.errors import VaebenchError
from vae.networks import NETWORKS, Network

__all__ = ["CASES", "Case", "Share", "as_markdown", "main", "measure_peak"]

SIZES = (512, 1024, 2048, 3072)
MATMUL_SECONDS = 1.0
WORK = 200e9  # operations of each process, about: seconds on one core
LEAST_BATCHES = 6
BATCH = 128
LAST_LINES = 5  # of a dead process' output
STEP = 3  # a training step costs three forward passes
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Case:
    """A network and a shape to train on."""

    name: str
    shape: tuple[int, int, int]
    latent_dim: int
    decoder: str = "mirrored"

    @property
    def network(self) -> Network:
        """The network; statistics are left alone, since training alone is timed."""
        extra = {"statistics": "moving"} if self.decoder == "paper" else {}
        settings = {"name": "conv", "decoder": self.decoder, "latent_dim": self.latent_dim, **extra}
        return NETWORKS["conv"].parse(settings, "model")

    @property
    def flops(self) -> int:
        """Operations of one image in a training step."""
        return STEP * (cost(self.network, self.shape).flops_per_image or 0)


CASES = (
    Case("Fashion-MNIST, mirrored", (28, 28, 1), 16),
    Case("Fashion-MNIST, paper", (28, 28, 1), 16, "paper"),
    Case("CIFAR, mirrored", (32, 32, 3), 128),
    Case("CelebA, mirrored", (64, 64, 3), 256),
)


@dataclass(frozen=True)
class Share:
    """A training rate and what it comes to.

    Attributes:
        case: the network and shape.
        workers: processes at a time, with `threads` each.
        threads: of each process.
        images_per_second: of all workers together.
        gflops: billions of operations a second.
        share: of the peak.
    """

    case: str
    workers: int
    threads: int
    images_per_second: float
    gflops: float
    share: float


def measure_peak(cases: Sequence[Case] = CASES, *, work: float = WORK) -> dict[str, Any]:
    """Return the peak (`peak_gflops`, `matmul_gflops` by size) and the `shares`.

    Each case is trained by one process with all cores, and by one process a core, as studies do.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    (matmul,) = _together([["matmul"]])
    peak = max(matmul.values())
    shares = []
    for case in cases:
        for workers, threads in dict.fromkeys(((1, cores), (cores, 1))):
            order = ["train", json.dumps(asdict(case)), str(threads), str(work)]
            rate = sum(answer["images_per_second"] for answer in _together([order] * workers))
            gflops = rate * case.flops / 1e9
            shares.append(Share(case.name, workers, threads, rate, gflops, gflops / peak))
    return {"peak_gflops": peak, "matmul_gflops": matmul, "shares": [asdict(share) for share in shares]}


def _together(orders: Sequence[Sequence[str]]) -> list[dict[str, float]]:
    """Start a process an order, let all begin at once when each has imported what it needs, and return the answers."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as log:
        crew = [
            subprocess.Popen(  # noqa: S603 - our own module
                [sys.executable, "-P", "-m", "bench.measure.peak", "--child", *order],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=environment,
            )
            for order in orders
        ]
        with suppress(BrokenPipeError):  # one died; its exit code tells
            for process in crew:
                process.stdout.readline()  # type: ignore[union-attr]
            for process in crew:
                process.stdin.write("go\n")  # type: ignore[union-attr]
                process.stdin.flush()  # type: ignore[union-attr]
        answers = [process.communicate()[0] for process in crew]
        if any(process.returncode for process in crew):
            log.seek(0)
            said = " / ".join(log.read().splitlines()[-LAST_LINES:])
            raise VaebenchError(f"a process that was to be measured ({orders[0][0]}) died: {said}")
    return [json.loads(answer) for answer in answers]


def _child(order: Sequence[str]) -> dict[str, float]:
    if order[0] == "matmul":
        return _matmul()
    settings = json.loads(order[1])
    case = Case(settings["name"], tuple(settings["shape"]), settings["latent_dim"], settings["decoder"])
    return _train(case, int(order[2]), float(order[3]))


def _ready() -> None:
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()


def _matmul() -> dict[str, float]:
    import tensorflow as tf

    _ready()
    found = {}
    for size in SIZES:
        a = tf.random.normal((size, size))
        tf.matmul(a, a).numpy()
        best, began = np.inf, time.perf_counter()
        while time.perf_counter() - began < MATMUL_SECONDS:
            start = time.perf_counter()
            tf.matmul(a, a).numpy()
            best = min(best, time.perf_counter() - start)
        found[str(size)] = 2 * size**3 / best / 1e9
    return found


def _train(case: Case, threads: int, work: float) -> dict[str, float]:
    from vae.environment import configure

    configure(threads)
    from vae.datasets import Data, Split
    from vae.spec import RunSpec
    from vae.training import train

    count = BATCH * max(round(work / case.flops / BATCH), LEAST_BATCHES)
    images = np.random.default_rng(0).integers(0, 256, (count, *case.shape), np.uint8)
    data = Data("noise", Split(images), Split(images[:2]), (), "", "none", "drawn")
    settings = {"model": case.network.settings(), "train": {"epochs": 1, "batch_size": BATCH}}
    spec = RunSpec.parse(settings, "peak")
    _ready()
    return {"images_per_second": train(spec, data).timings["images_per_second"]}


def as_markdown(peak: dict[str, Any]) -> str:
    """Return the shares as a table."""
    by_size = ", ".join(f"{size}: {value:.1f}" for size, value in peak["matmul_gflops"].items())
    lines = [
        f"Peak: {peak['peak_gflops']:.1f} GFLOP/s, the fastest float32 matrix product of all cores ({by_size}).",
        "",
        "| network and shape | processes x threads | images/s | GFLOP/s | share of the peak |",
        "|---|---|---|---|---|",
    ]
    lines += [
        " | ".join(
            (
                f"| {share['case']}",
                f"{share['workers']} x {share['threads']}",
                f"{share['images_per_second']:,.0f}",
                f"{share['gflops']:.1f}",
                f"{share['share']:.0%} |",
            )
        )
        for share in peak["shares"]
    ]
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the shares, or answer as one of the processes that are measured."""
    parser = argparse.ArgumentParser(description="Measure how near training comes to the machine's peak.")
    parser.add_argument("--child", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.child:
        sys.stdout.write(json.dumps(_child(options.child)) + "\n")
    else:
        sys.stdout.write(as_markdown(measure_peak()))


if __name__ == "__main__":
    main()
