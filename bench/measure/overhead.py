"""What safety costs: training with checkpoints, ledger and progress against training without, as a ratio.

Both are timed in one process, in blocks of A B B A, so that a machine that slows down or speeds up does so for both.
Since even so such a ratio of seconds is good to a few percent only, the calls that safety consists of are timed by
themselves as well: whole / (whole - their time), which a machine's moods move little.
"""

import argparse
import json
import math
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

from ablations.records.store import Store
from vae.datasets import Data, load
from vae.environment import configure
from vae.spec import RunSpec

__all__ = ["Block", "main", "measure"]

TRIAL = "trial"


class Block(NamedTuple):
    """Two trainings with and two without.

    Attributes:
        timed: time with / time without.
        counted: time with / the same less the calls that write checkpoints, ledger and progress.
    """

    timed: float
    counted: float


def measure(spec: RunSpec, blocks: int) -> list[Block]:
    """Return what safety costs, a block at a time.

    The time is that of the whole training, validation and tracing included; with, there is also what the runner writes:
    the attempt's two lines of the ledger, and the progress after each epoch.

    Args:
        spec: the run.
        blocks: of two trainings with and two without each.
    """
    data = load(spec.data)
    _seconds(spec, data, safe=True)  # the first of a process pays for imports and caches
    found = []
    for _ in range(blocks):
        (first, one), (second, _), (third, _), (fourth, two) = (
            _seconds(spec, data, safe=safe) for safe in (True, False, False, True)
        )
        whole = first + fourth
        found.append(Block(whole / (second + third), whole / (whole - one - two)))
    return found


def _seconds(spec: RunSpec, data: Data, *, safe: bool) -> tuple[float, float]:
    """Return the seconds of a training, and those of them that went into safety."""
    import keras

    from vae import training

    keras.backend.clear_session()
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:  # on the disk that results would go to
        store = Store(Path(folder))
        store.create()
        progress = {TRIAL: {"epoch": 0.0, "began": time.time()}}
        spent = [0.0]

        def counted(function: Callable[..., Any]) -> Callable[..., Any]:
            def call(*arguments: Any) -> Any:
                began = time.perf_counter()
                result = function(*arguments)
                spent[0] += time.perf_counter() - began
                return result

            return call

        write_progress = counted(store.write_progress)

        def on_epoch(epoch: int, _: object) -> None:
            progress[TRIAL]["epoch"] = epoch
            write_progress(progress)

        began = time.perf_counter()
        if safe:
            save = training._Monitor._save  # noqa: SLF001 - copies the variables, then writes them
            with patch.object(training._Monitor, "_save", counted(save)):  # noqa: SLF001
                counted(store.ledger.start)(TRIAL)
                training.train(spec, data, on_epoch, store.workspace(TRIAL))
                counted(store.ledger.end)(TRIAL, "done", None)
                counted(store.clear_workspace)(TRIAL)
        else:
            training.train(spec, data)
        return time.perf_counter() - began, spent[0]


def main(arguments: list[str] | None = None) -> int:
    """Measure, print a line of JSON, and return 0."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.measure.overhead", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--dataset", default="fashion_mnist")
    parser.add_argument("--images", type=int, default=6000, help="training images (default: 6000)")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--blocks", type=int, default=4)
    options = parser.parse_args(arguments)
    configure()
    settings = {
        "data": {"name": options.dataset, "limit": options.images, "test_limit": 1000},
        "model": {"name": "conv", "latent_dim": 16},
        "train": {"epochs": options.epochs},
    }
    blocks = measure(RunSpec.parse(settings, "overhead"), options.blocks)
    told: dict[str, object] = {name: _mean([getattr(block, name) for block in blocks]) for name in Block._fields}
    told |= {f"{name}_blocks": [round(getattr(block, name), 4) for block in blocks] for name in Block._fields}
    told |= vars(options)
    sys.stdout.write(f"{json.dumps(told, ensure_ascii=False)}\n")
    return 0


def _mean(ratios: list[float]) -> str:
    """Return the geometric mean and its standard error as text."""
    logarithms = [math.log(ratio) for ratio in ratios]
    error = statistics.stdev(logarithms) / math.sqrt(len(ratios)) if len(ratios) > 1 else math.nan
    return f"{math.exp(statistics.mean(logarithms)):.4f} ± {error:.4f}"


if __name__ == "__main__":
    sys.exit(main())
