"""Trials that differ in one thing alone: what a paired comparison takes from the records."""

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ablations.analysis.grid import Configuration, ranked
from ablations.records.record import SEED, measured
from ablations.statistics.intervals import Effect, paired_effect
from ablations.text.numbers import ABSENT, value_text

__all__ = ["by_seed", "contrasts", "counterpart", "is_baseline", "levels", "paired", "seed_matrix"]

Numbers = Mapping[str, Mapping[str, float]]


def by_seed(one: Configuration, name: str) -> dict[str, float]:
    """Return seed -> number of one column, finite ones only."""
    return {
        seed: numbers[name] for seed, numbers in _numbers(one).items() if math.isfinite(numbers.get(name, math.nan))
    }


def _numbers(one: Configuration) -> dict[str, dict[str, float]]:
    return {value_text(trial.axes.get(SEED)): measured(trial) for trial in one.trials}


def paired(before: Configuration, after: Configuration, name: str) -> NDArray[np.float64]:
    """Return one column of two configurations at the seeds that both have, (pairs, 2)."""
    first, second = by_seed(before, name), by_seed(after, name)
    return np.array([(first[seed], second[seed]) for seed in first if seed in second], float).reshape(-1, 2)


def seed_matrix(known: Sequence[Configuration], name: str) -> NDArray[np.float64]:
    """Return one column of several configurations, (configurations, seeds); NaN where one lacks a seed."""
    rows = [by_seed(one, name) for one in known]
    seeds = list(dict.fromkeys(seed for row in rows for seed in row))
    return np.array([[row.get(seed, math.nan) for seed in seeds] for row in rows], float).reshape(len(rows), -1)


def levels(known: Iterable[Configuration], axis: str) -> list[object]:
    """Return an axis' values as they first come, numbers by size; those that do not apply are left out."""
    found = {value_text(one.axes[axis]): one.axes[axis] for one in known if axis in one.axes}
    values = [value for text, value in found.items() if text != ABSENT]
    if all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in values):
        return sorted(values)
    return values


def contrasts(
    known: Iterable[Configuration], axis: str, low: object, high: object, names: Sequence[str]
) -> dict[str, Effect]:
    """Return the effect of `axis` going from `low` to `high` on each metric, paired by seed and all other settings.

    Where a setting applies to one level only (a KL weight, to one model of two), that level's number is the mean over
    it. The p-values are not corrected for the number of effects.
    """
    sides = [[one for one in known if value_text(one.axes.get(axis)) == value_text(level)] for level in (low, high)]
    # One pass over each side, not one for each configuration: a grid may have thousands.
    absent = [
        {other for other in side[0].axes if all(_absent(one, other) for one in side)} if side else set()
        for side in sides
    ]
    apart = absent[0] ^ absent[1]
    grouped = [_grouped(side, {axis, *apart}) for side in sides]
    shared = [key for key in grouped[0] if key in grouped[1]]
    return {
        name: paired_effect([_seed_means(grouped[0][key], grouped[1][key], name) for key in shared]) for name in names
    }


def _absent(one: Configuration, axis: str) -> bool:
    return value_text(one.axes.get(axis)) == ABSENT


def _grouped(
    side: Iterable[Configuration], without: set[str]
) -> dict[tuple[str, ...], list[dict[str, dict[str, float]]]]:
    groups: dict[tuple[str, ...], list[dict[str, dict[str, float]]]] = {}
    for one in side:
        rest = (f"{axis}={value_text(value)}" for axis, value in one.axes.items() if axis not in without)
        groups.setdefault((one.dataset, *rest), []).append(_numbers(one))
    return groups


def _seed_means(before: Sequence[Numbers], after: Sequence[Numbers], name: str) -> NDArray[np.float64]:
    first, second = (
        {
            seed: math.fsum(found) / len(found)
            for seed in dict.fromkeys(seed for numbers in side for seed in numbers)
            if (found := [numbers[seed][name] for numbers in side if name in numbers.get(seed, {})])
        }
        for side in (before, after)
    )
    return np.array([(first[seed], second[seed]) for seed in first if seed in second], float).reshape(-1, 2)


def is_baseline(one: Configuration, baseline: Mapping[str, object]) -> bool:
    """Say whether a configuration has all of the baseline's settings."""
    named = {"dataset": one.dataset, "model": one.model, "latent_dim": one.latent_dim, **one.axes}
    return all(value_text(named.get(axis)) == value_text(value) for axis, value in baseline.items())


def counterpart(
    known: Iterable[Configuration],
    one: Configuration,
    baseline: Mapping[str, object],
    *,
    name: str,
    strict: bool = False,
) -> Configuration | None:
    """Return the baseline configuration that shares the most settings with `one`; of equals the best.

    Args:
        known: where to look.
        one: what is held against it.
        baseline: the settings that make a configuration one of the baseline.
        name: the metric that the best is the best in.
        strict: let nothing differ but the baseline's own settings, and those that do not apply to one of the two.
    """
    matching = [other for other in known if is_baseline(other, baseline)]

    def shared(other: Configuration) -> int:
        return sum(value_text(other.axes.get(axis)) == value_text(value) for axis, value in one.axes.items())

    def differs(other: Configuration) -> bool:
        pairs = (
            (value_text(other.axes.get(axis)), value_text(one.axes[axis])) for axis in one.axes.keys() - baseline.keys()
        )
        return any(ABSENT not in pair and pair[0] != pair[1] for pair in pairs)

    if strict:
        matching = [other for other in matching if not differs(other)]
    return max(ranked(matching, name), key=shared, default=None)
