"""Run the study with every contestant and report: `nox -s peers`, or `python -m bench.peers`."""

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from bench.measure import peak as peaks
from bench.peers import report
from bench.peers._contract import Task
from bench.peers._environments import Environment, prepare
from bench.peers._runs import CONTESTANTS, Run, perform, schedule
from vae.code import git_commit
from vae.datasets import DataSpec, load
from vae.environment import describe

__all__ = ["main"]

ALL = [contestant.name for contestant in CONTESTANTS]
SMOKE_WORK = 2e9


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the command line asks for; returns 1 where a contestant came to nothing."""
    options = _options(arguments)
    spec = DataSpec(name=options.dataset, limit=options.images, test_limit=options.test_images)
    work = Path(tempfile.mkdtemp(prefix="vaebench-peers-")) if options.work is None else options.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    try:
        task, facts = _task(options, spec, work)
        pythae = Environment(None, "it was not asked for")
        if "pythae" in options.only:
            _say("pythae: looking at its environment; made anew it takes minutes")
            pythae = prepare(options.environments.resolve() / "pythae")
        runs = _run_all(options, task, spec, work, pythae)
    finally:
        if options.work is None:
            shutil.rmtree(work, ignore_errors=True)
    peak = None
    if options.peak:
        _say("share of the matrix-product peak")
        peak = peaks.measure_peak(peaks.CASES[:1], work=SMOKE_WORK) if options.smoke else peaks.measure_peak()
    given = dict.fromkeys(task.latent_dims, options.level) if options.level else None
    level, strict = given or report.levels(runs), given or report.settled(runs)
    summary = {
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": git_commit(),
        "machine": {name: value for name, value in describe().items() if name != "host"},
        "study": facts,
        "levels": level,
        "settled": strict,
        "contestants": report.rows(runs, level, strict),
        "aims": report.aims(runs, level, strict),
        "peak": peak,
    }
    paths = report.write(summary, runs, options.out)
    sys.stdout.write(report.as_markdown(summary))
    _say(f"written: {', '.join(map(str, paths))}")
    failed = sorted({run.name for run in runs if run.failure})
    if failed:
        _say(f"came to nothing, and why is in the table: {', '.join(failed)}")
    return 1 if failed else 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="nox -s peers --", description="The same study by us and by our peers.")
    add = parser.add_argument
    add("--images", type=int, help="training images (default: 6000; 64 with --smoke)")
    add("--test-images", type=int, help="test images (default: 2000; 32 with --smoke)")
    add("--epochs", type=int, help="of each trial (default: 3; 1 with --smoke)")
    add("--latent-dims", type=int, nargs="+", default=[8, 16], metavar="N", help="default: 8 16")
    add("--seeds", type=int, nargs="+", default=[0, 1], metavar="N", help="default: 0 1")
    add("--dataset", help="default: fashion_mnist; digits with --smoke")
    add("--repeats", type=int, default=1, help="blocks there and back, one after the other (default: 1)")
    add("--only", nargs="+", choices=ALL, default=ALL, metavar="NAME", help=f"of {', '.join(ALL)} (default: all)")
    add("--level", type=float, help="test error to be reached (default: where the slowest to converge ends)")
    add("--no-peak", dest="peak", action="store_false", help="leave out the share of the matrix-product peak")
    add("--smoke", action="store_true", help="shrink it to a try of a minute or two; the times then say nothing")
    add("--out", type=Path, default=Path("results/reference"), help="default: results/reference")
    add("--work", type=Path, help="keep what the contestants leave here")
    add("--environments", type=Path, default=Path(".nox/peers"), help="where pythae's environment is made")
    options = parser.parse_args(arguments)
    full, small = (6000, 2000, 3, "fashion_mnist"), (64, 32, 1, "digits")
    for name, value in zip(
        ("images", "test_images", "epochs", "dataset"), small if options.smoke else full, strict=True
    ):
        if getattr(options, name) is None:
            setattr(options, name, value)
    return options


def _task(options: argparse.Namespace, spec: DataSpec, work: Path) -> tuple[Task, dict[str, Any]]:
    """Write the images once for all, and return the task with what is to be said of it."""
    data = load(spec)
    path = work / "images.npz"
    np.savez(path, allow_pickle=False, train=data.train.images, test=data.test.images, checksum=data.checksum)
    task = Task(path, work, tuple(options.latent_dims), tuple(options.seeds), options.epochs)
    facts = {
        "dataset": data.name,
        "checksum": data.checksum,
        "train_images": len(data.train.images),
        "test_images": len(data.test.images),
        "latent_dims": list(task.latent_dims),
        "seeds": list(task.seeds),
        "epochs": task.epochs,
        "batch_size": task.batch_size,
        "learning_rate": task.learning_rate,
        "kl_weight": task.kl_weight,
        "repeats": options.repeats,
        "order": [name for _, name in schedule([name for name in ALL if name in options.only], options.repeats)],
    }
    return task, facts


def _run_all(options: argparse.Namespace, task: Task, spec: DataSpec, work: Path, pythae: Environment) -> list[Run]:
    contestants = {contestant.name: contestant for contestant in CONTESTANTS}
    order = schedule([name for name in ALL if name in options.only], options.repeats)
    runs = []
    for number, (block, name) in enumerate(order):
        began = time.perf_counter()
        out = work / f"{number:02}-{name}"
        run = perform(contestants[name], block, replace(task, out=out), spec, pythae)
        said = run.failure or f"{run.seconds:.1f} s, {run.images_per_second:,.0f} images/s, {run.peak_rss_mb:,.0f} MB"
        _say(f"{number + 1}/{len(order)} {name}: {said} ({time.perf_counter() - began:.0f} s in all)")
        runs.append(run)
        for pictures in out.glob("*.npy"):  # read already, and large
            pictures.unlink()
    return runs


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
