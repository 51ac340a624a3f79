"""Shares of variance: the classical sums in balanced grids, least squares in others, nothing where nothing is known."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
from scipy import stats

from ablations.statistics.variance import Share, variance_shares
from bench.measure import coverage

GRID = [(a, b) for a in "xyz" for b in "pq"]


def factors(grid: Sequence[tuple[str, str]] = GRID) -> dict[str, list[str | None]]:
    return {"a": [row[0] for row in grid], "b": [row[1] for row in grid]}


def named(shares: Sequence[Share]) -> dict[tuple[str, ...], Share]:
    return {one.names or (one.kind,): one for one in shares}


def test_one_axis_is_the_one_way_analysis() -> None:
    groups = [[1.0, 1.2, 0.9], [1.4, 1.5, 1.7], [1.1, 1.0, 1.2]]
    found = named(variance_shares({"a": ["x", "y", "z"]}, groups))
    reference = stats.f_oneway(*groups)
    assert found["a",].p == pytest.approx(reference.pvalue)
    assert (found["a",].freedom, found["seed",].freedom) == (2, 6)
    assert found["a",].share + found["seed",].share == pytest.approx(1.0)


def test_balanced_grid_adds_up_to_the_classical_sums() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=(3, 2, 4)) + np.arange(3)[:, None, None] + np.array([0.0, 0.5])[None, :, None]
    found = named(variance_shares(factors(), values.reshape(6, 4).tolist()))
    grand, total = values.mean(), ((values - values.mean()) ** 2).sum()
    cells, rows, columns = values.mean(axis=2), values.mean(axis=(1, 2)), values.mean(axis=(0, 2))
    assert found["a",].share == pytest.approx(8 * ((rows - grand) ** 2).sum() / total)
    assert found["b",].share == pytest.approx(12 * ((columns - grand) ** 2).sum() / total)
    meeting = 4 * ((cells - rows[:, None] - columns[None] + grand) ** 2).sum() / total
    assert found["a", "b"].share == pytest.approx(meeting)
    assert found["seed",].share == pytest.approx(((values - cells[..., None]) ** 2).sum() / total)
    assert found["shared",].share == pytest.approx(0.0, abs=1e-12)
    assert sum(one.share for one in found.values()) == pytest.approx(1.0)
    mean_square = meeting * total / 2 / (((values - cells[..., None]) ** 2).sum() / 18)
    assert found["a", "b"].p == pytest.approx(stats.f.sf(mean_square, 2, 18))


def test_unbalanced_grid_is_least_squares_trial_by_trial() -> None:
    rng = np.random.default_rng(3)
    groups = [rng.normal(place, 1.0, size).tolist() for place, size in enumerate((2, 5, 1, 3, 4, 2))]
    found = named(variance_shares(factors(), groups))
    values = np.concatenate(groups)
    row = np.repeat(np.arange(6) // 2, [len(group) for group in groups])
    column = np.repeat(np.arange(6) % 2, [len(group) for group in groups])

    def residual(*parts: np.ndarray) -> float:
        design = np.column_stack([np.ones(len(values)), *parts])
        return float(((values - design @ np.linalg.lstsq(design, values, rcond=None)[0]) ** 2).sum())

    a, b = np.eye(3)[row], np.eye(2)[column]
    cells = np.eye(6)[2 * row + column]
    total = ((values - values.mean()) ** 2).sum()
    assert found["a",].share == pytest.approx((residual(b) - residual(a, b)) / total)
    assert found["b",].share == pytest.approx((residual(a) - residual(a, b)) / total)
    assert found["a", "b"].share == pytest.approx((residual(a, b) - residual(cells)) / total)
    assert sum(one.share for one in found.values()) == pytest.approx(1.0)
    assert abs(found["shared",].share) > 1e-3


def test_one_seed_knows_nothing_of_the_seed() -> None:
    found = named(variance_shares(factors(), [[1.0], [2.0], [1.5], [2.6], [3.0], [4.2]]))
    assert math.isnan(found["seed",].share)
    assert found["seed",].freedom == 0
    assert all(math.isnan(one.p) for one in found.values()), "two axes and their interaction leave no error"
    assert sum(found[key].share for key in (("a",), ("b",), ("a", "b"))) == pytest.approx(1.0)


def test_one_seed_is_held_against_higher_interactions() -> None:
    grid = [(a, b, c) for a in "xy" for b in "pq" for c in "mn"]
    noise = (0.0, 0.03, 0.01, 0.02, 0.05, 0.04, 0.07, 0.01)
    values = [[float(a == "x") + own] for (a, *_), own in zip(grid, noise, strict=True)]
    found = named(variance_shares({name: [row[i] for row in grid] for i, name in enumerate("abc")}, values))
    assert found["higher",].freedom == 1
    assert math.isnan(found["higher",].p)
    assert 0 < found["a",].p < 0.2


def test_a_setting_that_applies_to_one_model_leaves_the_models_difference_to_the_model() -> None:
    grid: list[tuple[str, str | None]] = [("dense", None), ("conv", "low"), ("conv", "high")]
    both = {"model": [row[0] for row in grid], "weight": [row[1] for row in grid]}
    found = named(variance_shares(both, [[3.0, 3.1], [1.0, 1.1], [1.2, 1.3]]))
    assert found["model",].share > 0.9
    assert 0 < found["weight",].share < 0.05
    assert found["weight",].freedom == 1


def test_axes_that_vary_together_are_not_told_apart() -> None:
    together = {"a": ["x", "y", "z"], "b": ["p", "q", "r"]}
    found = named(variance_shares(together, [[1.0, 1.1], [2.0, 2.1], [4.0, 4.1]]))
    assert math.isnan(found["a",].share)
    assert math.isnan(found["b",].share)
    assert found["shared",].share > 0.9


@pytest.mark.parametrize(
    ("levels", "groups"),
    [
        ([], []),
        (["x"], [[1.0, 2.0]]),
        (["x", "y"], [[1.0, 2.0], []]),
        (["x", "y"], [[1.0, 1.0], [1.0, 1.0]]),
        (["x", "y"], [[0.1 + 0.2], [0.3]]),
    ],
)
def test_nothing_is_said_where_nothing_varies(levels: list[str | None], groups: list[list[float]]) -> None:
    assert variance_shares({"a": levels}, groups) == []


def test_a_single_level_is_no_source() -> None:
    found = named(variance_shares({"a": ["x", "x"], "b": ["p", "q"]}, [[1.0, 1.1], [2.0, 2.2]]))
    assert ("a",) not in found
    assert ("b",) in found


def test_an_axis_without_effect_is_seldom_given_one() -> None:
    assert 0.02 <= coverage.false_sources(3, 400) <= 0.09
