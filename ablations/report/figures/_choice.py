"""Which configurations a figure shows: few enough to be seen, by a rule that its caption states."""

import math
from collections.abc import Sequence
from typing import TypeVar

from ablations.analysis.grid import Configuration, Grid, best, ranked
from ablations.statistics.intervals import mean_interval
from ablations.text.numbers import ABSENT, value_text

__all__ = ["MOST", "best_by_latent", "best_by_model", "few", "half_width", "levels_of", "of_models"]

MOST = 6
"""Configurations in a figure of pictures, at most."""

T = TypeVar("T")

_FEWEST = 3  # seeds that an interval is drawn of: from two it would be as wide as the figure


def best_by_latent(grid: Grid, dataset: str, most: int = MOST) -> list[Configuration]:
    """Return, of the best model with a KL term, the best configuration at each latent size, `most` sizes at most."""
    candidates = [one for one in grid.within(dataset) if one.is_vae]
    winner = best(candidates)
    if winner is None:
        return []
    own = [one for one in candidates if one.model == winner.model and one.latent_dim is not None]
    sizes = sorted({one.latent_dim for one in own if one.latent_dim is not None})
    found = [best(one for one in own if one.latent_dim == size) for size in few(sizes, most)]
    return [one for one in found if one is not None]


def best_by_model(grid: Grid, dataset: str, *, vae: bool = False, most: int = MOST) -> list[Configuration]:
    """Return each model's best configuration, in the study's order; of more than `most` models the best ones'."""
    found = [
        one
        for model in grid.models(dataset, vae=vae)
        if (one := best(item for item in grid.within(dataset) if item.model == model and (item.is_vae or not vae)))
    ]
    kept = {id(one) for one in ranked(found)[:most]}
    return [one for one in found if id(one) in kept]


def of_models(grid: Grid, dataset: str, shown: Sequence[Configuration], *, vae: bool = False) -> str:
    """Return the sentence that says which models `best_by_model` left out; "" where it left out none."""
    whole = len(grid.models(dataset, vae=vae))
    return f" Shown are the {len(shown)} of {whole} models with the lowest MSE." if len(shown) < whole else ""


def few(items: Sequence[T], most: int) -> list[T]:
    """Return at most so many of the items, evenly spaced, the first and the last among them.

    >>> few([2, 8, 16, 32, 64], 3)
    [2, 16, 64]
    """
    if len(items) <= most:
        return list(items)
    return [items[round(place * (len(items) - 1) / (most - 1))] for place in range(most)]


def half_width(values: Sequence[float]) -> float:
    """Return half the width of the 95 % interval of a mean over seeds; NaN for fewer than three seeds."""
    found = mean_interval(values)
    return (found.high - found.low) / 2 if found.n >= _FEWEST else math.nan


def levels_of(choices: Sequence[Configuration], axis: str) -> dict[str, object]:
    """Return an axis' values by their text, numbers in order, others as they come; what does not apply is none."""
    found = {value_text(one.axes.get(axis)): one.axes.get(axis) for one in choices}
    found.pop(ABSENT, None)
    numbers = {text: float(value) for text, value in found.items() if isinstance(value, (int, float))}
    if len(numbers) == len(found):
        return {text: found[text] for text in sorted(numbers, key=lambda text: numbers[text])}
    return found
