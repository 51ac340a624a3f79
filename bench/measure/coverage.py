"""What the statistics of `ablations` keep of what they promise: intervals, verdicts and forecasts on simulated seeds.

Usage: python -m bench.measure.coverage [--repeats 20000]
"""

import argparse
import math
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from ablations.statistics.intervals import CONFIDENCE, corrected, mean_interval, paired_effect
from ablations.statistics.ranking import rank_stability, seeds_needed
from ablations.statistics.variance import variance_shares

__all__ = [
    "DISTRIBUTIONS",
    "Distribution",
    "bootstrap_coverage",
    "false_claims",
    "false_sources",
    "main",
    "mean_coverage",
    "paired_coverage",
    "power_reached",
    "stability",
]

Array = NDArray[np.float64]
Draw = Callable[[np.random.Generator, tuple[int, ...]], Array]

_SKEW = 0.3  # sigma of the lognormal
_TAIL = 5  # degrees of freedom of the t distribution
_RESAMPLES = 999
_TOGETHER = 200  # simulated studies that one call of the bootstrap resamples
_SLOW = 10  # a bootstrap costs so much more that it is simulated this many times less often
_SIZES = (2, 3, 5, 10, 20)
_EFFECT, _BETWEEN, _WITHIN = 0.05, 0.02, 0.03  # of the simulated pairs
_ABSENT = "\N{EN DASH}"


@dataclass(frozen=True)
class Distribution:
    """What a metric's values over seeds may be spread like, with its true mean."""

    draw: Draw
    mean: float


DISTRIBUTIONS: Mapping[str, Distribution] = {
    "normal": Distribution(lambda rng, shape: rng.standard_normal(shape), 0.0),
    "lognormal, sigma 0.3": Distribution(lambda rng, shape: rng.lognormal(0.0, _SKEW, shape), math.exp(_SKEW**2 / 2)),
    "t, 5 degrees of freedom": Distribution(lambda rng, shape: rng.standard_t(_TAIL, shape), 0.0),
}
"""Near-normal, moderately skewed and heavy-tailed values."""


def mean_coverage(kind: str, n: int, repeats: int, seed: int = 0) -> float:
    """Return how often `mean_interval` of n values holds their true mean."""
    of = DISTRIBUTIONS[kind]
    values = of.draw(np.random.default_rng(seed), (repeats, n))
    intervals = (mean_interval(row) for row in values)
    return sum(found.low <= of.mean <= found.high for found in intervals) / repeats


def bootstrap_coverage(kind: str, n: int, method: str, repeats: int, seed: int = 0) -> float:
    """Return the same of a bootstrap interval: `percentile` or `BCa` (by SciPy), or `studentised`."""
    of = DISTRIBUTIONS[kind]
    rng = np.random.default_rng(seed)
    held = 0
    for start in range(0, repeats, _TOGETHER):
        values = of.draw(rng, (min(_TOGETHER, repeats - start), n))
        low, high = _studentised(values, rng) if method == "studentised" else _resampled(values, method, rng)
        held += int(((low <= of.mean) & (of.mean <= high)).sum())
    return held / repeats


def _resampled(values: Array, method: str, rng: np.random.Generator) -> tuple[Array, Array]:
    found: Any = stats.bootstrap(
        (values,),
        np.mean,
        axis=-1,
        n_resamples=_RESAMPLES,
        confidence_level=CONFIDENCE,
        method=cast("Literal['percentile', 'BCa']", method),
        random_state=rng,
    ).confidence_interval
    return np.asarray(found.low), np.asarray(found.high)


def _studentised(values: Array, rng: np.random.Generator) -> tuple[Array, Array]:
    """Return bootstrap-t intervals (Efron and Tibshirani, 1993, section 12.5) of each row."""
    n = values.shape[1]
    picked = np.take_along_axis(values[:, None, :], rng.integers(0, n, (len(values), _RESAMPLES, n)), axis=2)
    mean, error = values.mean(axis=1), values.std(axis=1, ddof=1) / math.sqrt(n)
    spread = picked.std(axis=2, ddof=1) / math.sqrt(n)
    with np.errstate(divide="ignore", invalid="ignore"):
        t = (picked.mean(axis=2) - mean[:, None]) / spread
    t[spread == 0] = np.nan  # a resample of one value, many times: it has no t
    tail = (1 - CONFIDENCE) / 2
    low, high = np.nanquantile(t, [tail, 1 - tail], axis=1)
    return mean - high * error, mean - low * error


def paired_coverage(configurations: int, seeds: int, repeats: int, seed: int = 0) -> float:
    """Return how often the interval of a paired effect holds the true one.

    A setting changes each configuration by 0.05 ± 0.02 (over configurations), and each trial is off by 0.03; the two
    trials of a pair share half of their variance.
    """
    rng = np.random.default_rng(seed)
    held = 0
    for _ in range(repeats):
        effects = _EFFECT + _BETWEEN * rng.standard_normal(configurations) * (configurations > 1)
        luck = rng.standard_normal((configurations, seeds, 1)) * math.sqrt(0.5)
        own = rng.standard_normal((configurations, seeds, 2)) * math.sqrt(0.5)
        values = _WITHIN * (luck + own)
        values[..., 1] += effects[:, None]
        change = paired_effect(list(values)).change
        held += change.low <= _EFFECT <= change.high
    return held / repeats


def false_claims(comparisons: int, seeds: int, repeats: int, seed: int = 0, *, correct: bool = True) -> float:
    """Return how often a table of comparisons claims anything where nothing differs."""
    rng = np.random.default_rng(seed)
    wrong = 0
    for _ in range(repeats):
        baseline = rng.standard_normal(seeds)
        rows = rng.standard_normal((comparisons, seeds))
        effects = [paired_effect([np.column_stack([baseline, row])]) for row in rows]
        wrong += any(effect.resolved for effect in (corrected(effects) if correct else effects))
    return wrong / repeats


def false_sources(seeds: int, repeats: int, seed: int = 0) -> float:
    """Return how often the analysis of variance gives an axis without any effect a p-value below 5 %.

    The grid is unbalanced: 3 x 2 x 2 settings, of which two are missing; another axis has a true effect.
    """
    rng = np.random.default_rng(seed)
    grid = [(a, b, c) for a in range(3) for b in range(2) for c in range(2)][:-2]
    factors = {name: [str(row[place]) for row in grid] for place, name in enumerate("abc")}
    wrong = 0
    for _ in range(repeats):
        groups = [(row[0] + 0.5 * rng.standard_normal(seeds)).tolist() for row in grid]
        wrong += next(one.p for one in variance_shares(factors, groups) if one.names == ("b",)) < 1 - CONFIDENCE
    return wrong / repeats


def stability(rows: int, seeds: int, gap: float, repeats: int, seed: int = 0) -> tuple[float, float]:
    """Return what `rank_stability` says on average, and how often another set of seeds really names the same best.

    Args:
        rows: configurations; their true means are `gap` apart, in standard deviations over seeds.
        seeds: of either set.
        gap: between neighbours.
        repeats: pairs of sets.
        seed: of the simulation.
    """
    rng = np.random.default_rng(seed)
    truth = gap * np.arange(rows)[:, None]
    said = same = 0.0
    for _ in range(repeats):
        first, second = truth + rng.standard_normal((2, rows, seeds))
        found = rank_stability(first, draws=200, seed=int(rng.integers(2**31)))
        said += found.stays
        same += int(second.mean(axis=1).argmin()) == found.winner
    return said / repeats, same / repeats


def power_reached(size: float, repeats: int, seed: int = 0) -> tuple[int | None, float]:
    """Return how many seeds `seeds_needed` asks for an effect of `size` deviations, and how often these settle it."""
    deviates = np.array([-1.0, 1.0]) / math.sqrt(2)  # their standard deviation is 1
    n = seeds_needed(size + deviates)
    rng = np.random.default_rng(seed)
    values = size + rng.standard_normal((repeats, n or 2))
    settled = sum(paired_effect([np.column_stack([np.zeros_like(row), row])]).resolved for row in values)
    return n, settled / repeats


def _lines(repeats: int) -> Iterator[str]:
    few = max(repeats // _SLOW, 1)
    yield f"Coverage of 95 % intervals of a mean, in percent (sets of seeds: {repeats:,}; bootstraps: {few:,}):\n"
    yield "| values | seeds | Student's t (used) | percentile | BCa | studentised |"
    yield "|---|---|---|---|---|---|"
    for kind in DISTRIBUTIONS:
        for n in _SIZES:
            cells = [mean_coverage(kind, n, repeats)]
            if n > 2:  # noqa: PLR2004 - two values have three resamples
                cells += [bootstrap_coverage(kind, n, method, few) for method in ("percentile", "BCa", "studentised")]
            texts = [f"{100 * cell:.1f}" for cell in cells] + [_ABSENT] * (4 - len(cells))
            yield f"| {kind} | {n} | {' | '.join(texts)} |"
    yield "\n| what is promised | where | promised | found |"
    yield "|---|---|---|---|"
    yield from _promises(few)


def _promises(repeats: int) -> Iterator[str]:
    for configurations, seeds in ((1, 5), (1, 10), (6, 2), (12, 3)):
        where = f"{configurations} configuration{'s' * (configurations > 1)}, {seeds} seeds"
        held = paired_coverage(configurations, seeds, repeats)
        yield f"| a paired effect's interval holds it | {where} | 95 % | {100 * held:.1f} % |"
    for correct in (True, False):
        wrong = false_claims(20, 5, repeats, correct=correct)
        how, most = ("Holm", "at most 5 %") if correct else ("not corrected", "nothing")
        yield f"| any false claim | 20 comparisons, 5 seeds, {how} | {most} | {100 * wrong:.1f} % |"
    wrong = false_sources(3, repeats)
    yield f"| an axis without effect has p < 0.05 | unbalanced grid, 3 seeds | 5 % | {100 * wrong:.1f} % |"
    for seeds in (3, 5, 10):
        for gap in (0.0, 0.5, 1.5):
            said, real = stability(4, seeds, gap, repeats)
            where = f"4 configurations {gap} deviations apart, {seeds} seeds"
            yield f"| another set of seeds names the same best | {where} | {100 * said:.0f} % | {100 * real:.0f} % |"
    for size in (0.5, 1.0, 2.0):
        n, power = power_reached(size, repeats)
        yield f"| seeds needed settle it | effect of {size} deviations: {n} seeds | 80 % | {100 * power:.1f} % |"


def main(arguments: list[str] | None = None) -> int:
    """Simulate, print tables in Markdown, and return 0."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.measure.coverage", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--repeats", type=int, default=20_000)
    options = parser.parse_args(arguments)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # BCa of three values has resamples without an acceleration
        for line in _lines(options.repeats):
            sys.stdout.write(line + "\n")
            sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
