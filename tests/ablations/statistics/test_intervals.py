"""Statistics: equal to SciPy's where SciPy has them, true to their word on simulated seeds where it has not."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from ablations.statistics.intervals import corrected, holm, mean_interval, paired_effect, pareto_front
from ablations.statistics.ranking import rank_stability, seeds_needed
from bench.measure import coverage


def test_interval_of_a_mean_is_students() -> None:
    values = [0.31, 0.28, 0.35, 0.30, 0.29]
    found = mean_interval(values)
    low, high = stats.t.interval(0.95, 4, loc=np.mean(values), scale=stats.sem(values))
    assert (found.estimate, found.low, found.high) == pytest.approx((np.mean(values), low, high))
    assert (found.n, found.known, found.rough) == (5, True, False)


@pytest.mark.parametrize("values", [[], [1.0], [1.0, math.nan], [1.0, math.inf]])
def test_what_shows_no_spread_has_no_interval(values: list[float]) -> None:
    found = mean_interval(values)
    assert found.n == len(values)
    assert not found.known
    assert math.isnan(found.estimate) == (values != [1.0])


def test_two_values_have_a_rough_interval() -> None:
    found = mean_interval([1.0, 2.0])
    assert found.rough
    assert found.high - found.estimate == pytest.approx(12.7062 * 0.5, rel=1e-4)


@pytest.mark.parametrize("kind", list(coverage.DISTRIBUTIONS))
@pytest.mark.parametrize("n", [5, 10])
def test_intervals_hold_the_mean_as_often_as_they_say(kind: str, n: int) -> None:
    assert 0.93 <= coverage.mean_coverage(kind, n, 4000) <= 0.97


def test_the_percentile_bootstrap_would_not() -> None:
    assert coverage.bootstrap_coverage("normal", 5, "percentile", 600) < 0.91


@pytest.mark.parametrize(("configurations", "seeds"), [(1, 5), (6, 2)])
def test_paired_intervals_hold_the_effect_as_often_as_they_say(configurations: int, seeds: int) -> None:
    assert 0.93 <= coverage.paired_coverage(configurations, seeds, 3000) <= 0.97


def test_paired_effect_is_the_paired_t_test() -> None:
    rng = np.random.default_rng(1)
    pairs = rng.normal(1.0, 0.1, (7, 2))
    found = paired_effect([pairs])
    reference = stats.ttest_rel(pairs[:, 1], pairs[:, 0])
    interval = reference.confidence_interval(0.95)
    assert found.p == pytest.approx(reference.pvalue)
    assert (found.change.low, found.change.high) == pytest.approx((interval.low, interval.high))
    assert (found.pairs, found.before, found.after) == (7, *map(pytest.approx, pairs.mean(axis=0)))
    assert found.higher == int((pairs[:, 1] > pairs[:, 0]).sum())


def test_each_configuration_counts_once() -> None:
    found = paired_effect([[(1.0, 1.1)] * 9, [(1.0, 1.3)]])
    assert found.change.estimate == pytest.approx(0.2)
    assert (found.pairs, found.change.n) == (10, 2)


def test_pairs_without_a_number_are_left_out() -> None:
    found = paired_effect([[(1.0, 2.0), (math.nan, 2.0), (1.0, math.inf)]])
    assert (found.pairs, found.change.known, found.resolved) == (1, False, False)
    assert paired_effect([]).pairs == paired_effect([[]]).pairs == 0


def test_rounding_is_no_effect_and_a_constant_change_is() -> None:
    same = paired_effect([[(0.1 + 0.2, 0.3), (0.3, 0.1 + 0.2), (0.7, 0.7)]])
    assert not same.resolved
    assert not paired_effect([[(0.3, 0.3)] * 3]).resolved
    assert paired_effect([[(0.3, 0.4)] * 3]).direction("higher") == "better"
    assert paired_effect([[(0.3, 0.4)] * 3]).direction("lower") == "worse"
    assert paired_effect([[(0.3, 0.4)] * 3]).direction("neither") == "neither"


def test_holm_as_in_the_textbook() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, 0.9]).tolist() == [1.0, 1.0]
    with_none = holm([0.02, math.nan, 0.04])
    assert with_none[[0, 2]] == pytest.approx([0.04, 0.04])
    assert math.isnan(with_none[1])
    assert holm([]).size == 0


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_holm_keeps_order_and_is_between_nothing_and_bonferroni(p: list[float]) -> None:
    adjusted = holm(p)
    assert (adjusted >= p).all()
    assert (adjusted <= np.minimum(np.array(p) * len(p), 1) + 1e-15).all()
    order = np.argsort(p, kind="stable")
    assert (np.diff(adjusted[order]) >= 0).all()


def test_corrected_tables_seldom_claim_what_is_not() -> None:
    assert coverage.false_claims(20, 5, 400) <= 0.08
    assert coverage.false_claims(20, 5, 100, correct=False) > 0.25
    effects = [paired_effect([[(0.0, 1.0), (0.0, 1.1), (0.0, 1.3)]])] * 3
    assert [effect.adjusted for effect in corrected(effects)] == pytest.approx([3 * effects[0].p] * 3)


POINTS = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=30)


@given(POINTS, st.tuples(st.booleans(), st.booleans()))
def test_pareto_front_is_what_nothing_beats(points: list[tuple[int, int]], maximize: tuple[bool, bool]) -> None:
    sign = np.where(maximize, -1, 1)
    costs = np.array(points) * sign
    beaten = [any((other <= one).all() and (other < one).any() for other in costs) for one in costs]
    assert pareto_front(points, maximize).tolist() == [not value for value in beaten]


def test_pareto_front_leaves_out_what_is_not_finite() -> None:
    assert pareto_front([(1, math.nan), (2, 1), (math.inf, 0)]).tolist() == [False, True, False]
    assert pareto_front(np.empty((0, 2))).tolist() == []
    assert pareto_front([(math.nan, 1)]).tolist() == [False]


@pytest.mark.parametrize(("seeds", "gap"), [(5, 0.0), (5, 0.5), (10, 1.0)])
def test_rank_stability_says_how_often_another_set_agrees(seeds: int, gap: float) -> None:
    said, real = coverage.stability(4, seeds, gap, 500)
    assert said == pytest.approx(real, abs=0.17)


def test_rank_stability_pairs_by_seed() -> None:
    luck = np.random.default_rng(0).normal(0, 1.0, 6)
    together = np.array([luck, luck + 0.01])
    assert rank_stability(together).stays == 1.0
    apart = np.array([luck, luck[::-1] + 0.01])
    assert rank_stability(apart).stays < 0.9


def test_rank_stability_turns_with_the_metric_and_copes_with_lost_seeds() -> None:
    values = np.array([[0.9, 0.91, math.nan], [0.7, 0.72, 0.71], [0.8, math.nan, 0.81]])
    assert rank_stability(values).winner == 1
    found = rank_stability(values, maximize=True)
    assert found.winner == 0
    assert found.chances.sum() == pytest.approx(1.0)
    with pytest.raises(ValueError, match="1 finite values, expected at least 2"):
        rank_stability([[1.0, math.nan], [1.0, 2.0]])
    with pytest.raises(ValueError, match="0 finite values"):
        rank_stability(np.empty((0, 0)))


@pytest.mark.parametrize(("size", "expected"), [(0.5, 34), (1.0, 10), (2.0, 5)])
def test_seeds_needed_are_those_of_the_tables(size: float, expected: int) -> None:
    n, power = coverage.power_reached(size, 2000)
    assert n == expected, "as Cohen's tables and G*Power have it"
    assert power >= 0.78


def test_seeds_needed_is_the_noncentral_t_test() -> None:
    differences = np.array([0.1, 0.5, 0.9, 0.2])
    n = seeds_needed(differences)
    assert n is not None

    def power(count: int) -> float:
        critical, noncentral = stats.t.ppf(0.975, count - 1), differences.mean() / differences.std(ddof=1) * count**0.5
        return float(stats.nct.sf(critical, count - 1, noncentral) + stats.nct.cdf(-critical, count - 1, noncentral))

    assert power(n - 1) < 0.8 <= power(n)


@pytest.mark.parametrize("differences", [[], [0.3], [0.0, 0.0], [0.1, -0.1], [math.nan, 1.0], [1e-5 - 1, 1.0]])
def test_seeds_needed_does_not_guess(differences: list[float]) -> None:
    assert seeds_needed(differences) is None


def test_a_difference_without_spread_needs_two_seeds() -> None:
    assert seeds_needed([0.5, 0.5]) == 2
    assert seeds_needed([0.5, 0.5 + 1e-4]) == 2
