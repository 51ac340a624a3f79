"""What safety costs: training with checkpoints, ledger and progress against training without, as a ratio.

Both are timed in one process, in blocks of A B B A, so that a machine that slows down or speeds up does so for both.
"""

import argparse
import json
import math
import statistics
import sys
import tempfile
import time
from pathlib import Path

from ablations.store import Store
from vae.datasets import Data, load
from vae.environment import configure
from vae.spec import RunSpec

__all__ = ["main", "measure"]

TRIAL = "trial"


def measure(spec: RunSpec, blocks: int) -> list[float]:
    """Return the logarithm of time with / time without, one a block.

    The time is that of the whole training, validation and tracing included; with, there is also what the runner writes:
    the attempt's two lines of the ledger, and the progress after each epoch.

    Args:
        spec: the run.
        blocks: of two trainings with and two without each.
    """
    data = load(spec.data)
    _seconds(spec, data, safe=True)  # the first of a process pays for imports and caches
    ratios = []
    for _ in range(blocks):
        first, second, third, fourth = (_seconds(spec, data, safe=safe) for safe in (True, False, False, True))
        ratios.append(math.log((first + fourth) / (second + third)))
    return ratios


def _seconds(spec: RunSpec, data: Data, *, safe: bool) -> float:
    import keras

    from vae.training import train

    keras.backend.clear_session()
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:  # on the disk that results would go to
        store = Store(Path(folder))
        store.create()
        progress = {TRIAL: {"epoch": 0.0, "began": time.time()}}

        def on_epoch(epoch: int, _: object) -> None:
            progress[TRIAL]["epoch"] = epoch
            store.write_progress(progress)

        began = time.perf_counter()
        if safe:
            store.ledger.start(TRIAL)
            train(spec, data, on_epoch, store.workspace(TRIAL))
            store.ledger.end(TRIAL, "done", None)
            store.clear_workspace(TRIAL)
        else:
            train(spec, data)
        return time.perf_counter() - began


def main(arguments: list[str] | None = None) -> int:
    """Measure, print a line of JSON, and return 0."""
    parser = argparse.ArgumentParser(prog="python -m bench.overhead", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--dataset", default="fashion_mnist")
    parser.add_argument("--images", type=int, default=10_000, help="training images (default: 10,000)")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--blocks", type=int, default=4)
    options = parser.parse_args(arguments)
    configure()
    settings = {
        "data": {"name": options.dataset, "limit": options.images, "test_limit": 1000},
        "model": {"name": "conv", "latent_dim": 16},
        "train": {"epochs": options.epochs},
    }
    ratios = measure(RunSpec.parse(settings, "overhead"), options.blocks)
    error = statistics.stdev(ratios) / math.sqrt(len(ratios)) if len(ratios) > 1 else math.nan
    told = {
        "ratio": round(math.exp(statistics.mean(ratios)), 4),
        "standard_error": round(error, 4),
        "ratios": [round(math.exp(ratio), 4) for ratio in ratios],
        **vars(options),
    }
    sys.stdout.write(f"{json.dumps(told)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
