"""What a search and early stopping give for the same budget: `nox -s search [-- --dataset fashion_mnist]`.

Random search, Keras Tuner's Bayesian search and hyperband get the same number of epochs; the best error that each has
found is compared, seed by seed. Then a grid is trained whole and with rungs: what share of the epochs the rungs took,
and whether the winner is the same.
"""

import argparse
import math
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from scipy import stats

from ablations.analysis.grid import Grid, best
from ablations.runner.collect import Collected
from ablations.runner.crew import Crew
from ablations.runner.run import run
from ablations.search.found import Search, read_search
from ablations.search.tune import tune
from ablations.study.study import Study
from vae.files import write_atomically

__all__ = ["Halved", "best_within", "compare_grids", "compare_tuners", "interval", "main", "page"]

TUNERS = ("random", "bayesian", "hyperband")
CONFIDENCE = 0.95
EPOCHS = 9
STOPS: dict[str, dict[str, Any]] = {
    "after 1 and 3, a third goes on": {"rungs": [1, 3], "eta": 3},
    "after 1 and 3, half go on": {"rungs": [1, 3], "keep": 0.5},
    "after 3, a third goes on": {"rungs": [3], "eta": 3},
}
SPACE: dict[str, Any] = {
    "learning_rate": {"min": 1e-4, "max": 1e-1, "log": True},
    "kl_weight": {"min": 1e-5, "max": 1.0, "log": True},
}
GRID: dict[str, Any] = {"learning_rate": [1e-4, 1e-3, 1e-2], "kl_weight": [1e-4, 1e-2, 1.0], "seed": [0, 1]}


class Halved:
    """A grid trained whole and with rungs.

    Attributes:
        share: epochs with rungs over epochs without.
        winner: the configuration with the lowest error of the whole grid, and `found` with rungs.
        loss: the error of the one found over the lowest, less 1.
    """

    def __init__(self, whole: Collected, halved: Collected) -> None:
        """Compare the two."""
        grids = [Grid.of(outcome.records) for outcome in (whole, halved)]
        winner, found = (best(grid.configurations, "sse") for grid in grids)
        if winner is None or found is None:
            raise RuntimeError("no configuration of the grid is done: nothing can be compared")
        self.winner, self.found = grids[0].label(winner), grids[0].label(found)
        self.loss = found.mean("sse") / winner.mean("sse") - 1
        self.share = _epochs(halved) / _epochs(whole)


def _epochs(outcome: Collected) -> int:
    """Return the epochs that an outcome's trials were trained, by their curves."""
    return sum(len(outcome.store.history(record)) for record in outcome.records)


def _settings(dataset: str, images: int) -> dict[str, Any]:
    """Return what all trials have in common."""
    return {
        "dataset": dataset,
        "model": "dense_vae",
        "hidden_units": [64],
        "latent_dim": 8,
        "data.limit": images,
        "data.test_limit": images // 2,
        "train.epochs": EPOCHS,
    }


def compare_tuners(
    fixed: dict[str, Any], folder: Path, *, budget: int, seeds: int, search: Callable[..., Collected] = tune
) -> dict[str, list[float]]:
    """Return tuner -> the lowest error found within the budget, a seed of the search each.

    Args:
        fixed: settings of all trials.
        folder: for results.
        budget: epochs of each search.
        seeds: searches of each tuner.
        search: what performs one.
    """
    found: dict[str, list[float]] = {tuner: [] for tuner in TUNERS}
    for seed in range(seeds):
        for tuner in TUNERS:
            # More than the budget holds: a hyperband's proposals are of one epoch to begin with.
            trials = budget // (EPOCHS if tuner != "hyperband" else 3) + 1
            spec = {"tuner": tuner, "trials": trials, "seed": seed, "objective": "sse", "parallel": 2}
            study = Study.from_dict({"name": f"{tuner}-{seed}", "fixed": fixed, "axes": SPACE, "tune": spec})
            made = read_search(study, search(study, folder, crew=Crew(executor="inline")).store)
            if made is not None:
                found[tuner].append(best_within(made, budget))
    return found


def best_within(search: Search, budget: int) -> float:
    """Return the lowest score among the first proposals that so many epochs pay for."""
    spent, lowest = 0, math.inf
    for entry in search.entries:
        spent += entry.trained
        if spent > budget:
            break
        if entry.result.score is not None:
            lowest = min(lowest, entry.result.score)
    return lowest


def compare_grids(fixed: dict[str, Any], folder: Path, *, train: Callable[..., Collected] = run) -> dict[str, Halved]:
    """Train a grid whole and with each kind of rungs, and return them by `STOPS`."""
    table = {"fixed": fixed, "axes": GRID}
    whole = train(Study.from_dict({"name": "whole", **table}), folder, crew=Crew(executor="inline"))
    found = {}
    for number, (name, stop) in enumerate(STOPS.items()):
        study = Study.from_dict({"name": f"halved-{number}", **table, "stop": stop})
        found[name] = Halved(whole, train(study, folder, crew=Crew(executor="inline")))
    return found


def interval(values: Sequence[float]) -> tuple[float, float]:
    """Return mean and half the width of its 95 % interval, Student's t; NaN for one value."""
    mean = statistics.fmean(values)
    if len(values) < 2:  # noqa: PLR2004 - one value has no spread
        return mean, math.nan
    width = float(stats.t.ppf((1 + CONFIDENCE) / 2, len(values) - 1))
    return mean, width * statistics.stdev(values) / math.sqrt(len(values))


def page(found: dict[str, list[float]], halved: dict[str, Halved], facts: dict[str, Any]) -> str:
    """Return what was measured as Markdown."""
    random = found["random"]
    rows = []
    for tuner, values in found.items():
        mean, half = interval(values)
        gap, around = interval([math.log(one / other) for one, other in zip(values, random, strict=True)])
        low, middle, high = (math.exp(gap + side * around) for side in (-1, 0, 1))
        ratio = "" if tuner == "random" else f"{middle:.3f} ({low:.3f} to {high:.3f})"
        rows.append(f"| {tuner} | {mean:.3f} ± {half:.3f} | {ratio} |")
    how = (
        f"Measured by `nox -s search -- --dataset {facts['dataset']}`: {facts['images']:,} images, {facts['budget']} "
        f"epochs a search, {facts['seeds']} searches of each tuner; the lowest squared error per image found."
    )
    winner = next(iter(halved.values())).winner
    grid = (
        f"A grid of {math.prod(map(len, GRID.values()))} trials of {EPOCHS} epochs, two seeds each, trained whole and "
        f"with rungs (`[stop]`). The whole grid's winner: {winner}."
    )
    stops = ["| rungs after epochs | share of the epochs | winner | its error above the lowest |", "|---|---|---|---|"]
    for name, one in halved.items():
        same = "the same" if one.winner == one.found else one.found
        stops.append(f"| {name} | {100 * one.share:.0f} % | {same} | {100 * one.loss:.2f} % |")
    head = "| tuner | lowest error, mean and 95 % interval | ratio to random search of the same seed, 95 % interval |"
    lines = ["# Search and early stopping", "", how, "", head, "|---|---|---|", *rows, "", grid, "", *stops, ""]
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    """Measure, write the page, print it, and return 0."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.measure.search", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--dataset", default="digits")
    parser.add_argument("--images", type=int, default=600, help="training images (default: 600)")
    parser.add_argument("--budget", type=int, default=144, help="epochs of each search (default: 144)")
    parser.add_argument("--seeds", type=int, default=5, help="searches of each tuner (default: 5)")
    parser.add_argument("--output", type=Path, help="default: results/reference/search-DATASET.md")
    options = parser.parse_args(arguments)
    fixed = _settings(options.dataset, options.images)
    with tempfile.TemporaryDirectory() as folder:
        found = compare_tuners(fixed, Path(folder), budget=options.budget, seeds=options.seeds)
        halved = compare_grids(fixed, Path(folder))
    text = page(found, halved, vars(options))
    write_atomically(options.output or Path(f"results/reference/search-{options.dataset}.md"), text.encode())
    sys.stdout.write(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
