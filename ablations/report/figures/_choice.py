"""Which configurations a figure shows: few enough to be seen, by a rule that its caption states."""

import math
from collections.abc import Iterable, Sequence
from typing import TypeVar

from ablations.analysis.grid import Configuration, Grid, best, ranked
from ablations.report.drawn import LeftOut
from ablations.report.figures._base import Shown
from ablations.report.loaders import Arrays
from ablations.statistics.intervals import mean_interval
from ablations.text.columns import quantity
from ablations.text.numbers import ABSENT, value_text

__all__ = [
    "MOST",
    "NO_VAE",
    "best_by_latent",
    "best_by_model",
    "best_mean",
    "error_bar",
    "few",
    "having",
    "left_out",
    "median_seed",
    "named_levels",
    "of_models",
    "reached",
]

MOST = 6
"""Configurations in a figure of pictures, at most."""

NO_VAE = "no model with a latent distribution (a KL term) finished"

T = TypeVar("T")

_FEWEST = 3  # seeds that an interval is drawn of: from two it would be as wide as the figure


def best_by_latent(grid: Grid, dataset: str, most: int = MOST) -> list[Configuration]:
    """Return, of the best model with a KL term, the best configuration at each latent size, `most` sizes at most."""
    candidates = [one for one in grid.within(dataset) if one.is_vae]
    winner = best(candidates, grid.main)
    if winner is None:
        return []
    own = [one for one in candidates if one.model == winner.model and one.latent_dim is not None]
    sizes = sorted({one.latent_dim for one in own if one.latent_dim is not None})
    found = [best((one for one in own if one.latent_dim == size), grid.main) for size in few(sizes, most)]
    return [one for one in found if one is not None]


def best_by_model(grid: Grid, dataset: str, *, vae: bool = False, most: int = MOST) -> list[Configuration]:
    """Return each model's best configuration, in the study's order; of more than `most` models the best ones'."""
    choices = [one for one in grid.within(dataset) if one.is_vae or not vae]
    found = [
        one
        for model in grid.models(dataset, vae=vae)
        if (one := best((item for item in choices if item.model == model), grid.main))
    ]
    kept = {id(one) for one in ranked(found, grid.main)[:most]}
    return [one for one in found if id(one) in kept]


def of_models(grid: Grid, dataset: str, chosen: Sequence[Configuration], *, vae: bool = False) -> str:
    """Return the sentence that says which models `best_by_model` left out; "" where it left out none."""
    whole, main = len(grid.models(dataset, vae=vae)), quantity(grid.main)
    if len(chosen) == whole:
        return ""
    return f" Shown are the {len(chosen)} of {whole} models with the {main.best} {main.word}."


def left_out(shown: Shown, title: str, reason: str) -> LeftOut:
    """Return a figure of the best configurations left out: for `reason`, or because nothing could be the best."""
    finished, main = shown.grid.within(shown.dataset), shown.grid.main
    if finished and best(finished, main) is None:
        reason = f"no finished trial has the metric that the best is chosen by, {quantity(main).word}"
    return LeftOut(title, reason)


def having(shown: Shown, choices: Iterable[Configuration], *names: str) -> list[tuple[Configuration, Arrays]]:
    """Return the configurations whose representative trial kept all these arrays, with them."""
    found = [(one, shown.loaders.arrays(one.representative(shown.grid.main))) for one in choices]
    return [(one, arrays) for one, arrays in found if all(name in arrays for name in names)]


def best_mean(grid: Grid) -> str:
    """Return what a chosen configuration has, such as "lowest mean MSE"."""
    main = quantity(grid.main)
    return f"{main.best} mean {main.word}"


def median_seed(grid: Grid) -> str:
    """Return which of a configuration's seeds pictures are of, such as "seed with the median MSE"."""
    return f"seed with the median {quantity(grid.main).word}"


def reached(grid: Grid, one: Configuration) -> str:
    """Return what a configuration reaches by the main metric, such as "MSE 0.0123"."""
    return f"{quantity(grid.main).word} {grid.formats.spread(grid.main, one.spread(grid.main))}"


def few(items: Sequence[T], most: int) -> list[T]:
    """Return at most so many of the items, evenly spaced, the first and the last among them.

    >>> few([2, 8, 16, 32, 64], 3)
    [2, 16, 64]
    """
    if len(items) <= most:
        return list(items)
    return [items[round(place * (len(items) - 1) / (most - 1))] for place in range(most)]


def error_bar(values: Sequence[float]) -> float:
    """Return half the width of the 95 % interval of a mean over seeds; NaN for fewer than three seeds."""
    found = mean_interval(values)
    return (found.high - found.low) / 2 if found.n >= _FEWEST else math.nan


def named_levels(choices: Sequence[Configuration], axis: str) -> dict[str, object]:
    """Return an axis' values by their text, numbers in order, others as they come; what does not apply is none."""
    found = {value_text(one.axes.get(axis)): one.axes.get(axis) for one in choices}
    found.pop(ABSENT, None)
    numbers = {text: float(value) for text, value in found.items() if isinstance(value, (int, float))}
    if len(numbers) == len(found):
        return {text: found[text] for text in sorted(numbers, key=lambda text: numbers[text])}
    return found
