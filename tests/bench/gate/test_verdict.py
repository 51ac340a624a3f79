"""The gate's statistics on synthetic times: how often it cries wolf, how often it finds what is there."""

import numpy as np
import pytest

from bench.gate._fleet import Effort
from bench.gate.limits import Limits
from bench.gate.verdict import Change, Judged, compare, confirming_level, exact, judge, suspicious

EFFORT, LIMITS = Effort(), Limits()
BENCHMARKS = 15


def synthetic(
    rng: np.random.Generator, rounds: int = EFFORT.rounds, *, slower: float = 0.0, noise: float = 1.0
) -> np.ndarray:
    """Return times (rounds, blocks, 3): processes of their own speed, noisy timings, outliers, a drifting machine."""
    speed = rng.normal(0, 0.02 * noise, (rounds, 1, 1, 3))
    timings = rng.normal(0, 0.06 * noise, (rounds, EFFORT.blocks, 2, 3))
    outliers = (rng.random(timings.shape) < 0.02) * rng.exponential(0.3, timings.shape)
    order = np.array([[0, 1, 2], [2, 1, 0]])  # A B C C B A
    steps = rng.normal(0, 0.005, rounds * EFFORT.blocks * 6).cumsum().reshape(rounds, EFFORT.blocks, 2, 3)
    drift = np.take_along_axis(steps, np.broadcast_to(order, steps.shape), axis=-1)
    logs = speed + timings + outliers + drift
    logs[..., 0] += np.log1p(slower)
    return 0.03 * np.exp(logs.mean(axis=2))


def gate(rng: np.random.Generator, slower: float, noise: float = 1.0) -> Judged:
    """Do as the gate does, confirming run and all."""
    first = compare(synthetic(rng, slower=slower, noise=noise))
    confirmation = None
    if suspicious(first, LIMITS.threshold):
        times = synthetic(rng, LIMITS.confirm, slower=slower, noise=noise)
        confirmation = compare(times, confidence=confirming_level(BENCHMARKS), earlier=first)
    return judge(first, confirmation, threshold=LIMITS.threshold, resolution=LIMITS.resolution)


def test_false_alarms_are_rare() -> None:
    rng = np.random.default_rng(1)
    judged = [gate(rng, slower=0.0) for _ in range(1500)]
    outside = np.mean([not one.change.low <= 0 <= one.change.high for one in judged])
    assert 0.003 < outside < 0.02, "a 99 % interval leaves the truth out in 1 of 100"
    assert sum(one.outcome in {"regressed", "improved"} for one in judged) <= 1


def test_false_alarms_stay_rare_where_the_machine_is_noisy() -> None:
    rng = np.random.default_rng(2)
    outcomes = [gate(rng, slower=0.0, noise=4.0).outcome for _ in range(500)]
    assert sum(outcome in {"regressed", "improved"} for outcome in outcomes) <= 1
    assert outcomes.count("inconclusive") > 450, "it could not have seen 10 %, and says so"


@pytest.mark.parametrize(("slower", "outcome"), [(0.10, "regressed"), (-0.10, "improved")])
def test_a_tenth_is_found(slower: float, outcome: str) -> None:
    rng = np.random.default_rng(3)
    outcomes = [gate(rng, slower=slower).outcome for _ in range(400)]
    assert outcomes.count(outcome) / len(outcomes) >= 0.95


def test_what_nobody_cares_for_is_no_regression_however_sure() -> None:
    rng = np.random.default_rng(4)
    judged = gate(rng, slower=0.02, noise=0.1)
    assert judged.change.low > 0
    assert judged.outcome == "unchanged"


def test_the_smallest_effect_that_could_have_been_seen_is_seen() -> None:
    rng = np.random.default_rng(5)
    smallest = np.expm1(np.median([compare(synthetic(rng)).smallest for _ in range(100)]))
    found = [suspicious(compare(synthetic(rng, slower=smallest)), 0.0) for _ in range(300)]
    assert 0.85 < found.count("regressed") / 300 < 0.99


def test_outliers_and_drift_move_nothing() -> None:
    times = np.full((5, 6, 3), 0.03)
    times *= np.linspace(1, 2, 30).reshape(5, 6, 1)  # the machine slows down by half meanwhile
    times[2, 3, 0] *= 20
    change = compare(times)
    assert change.estimate == pytest.approx(0, abs=1e-12)


def test_an_interval_has_its_estimate_in_the_middle_of_zero_noise() -> None:
    times = np.full((5, 6, 3), 0.02)
    times[..., 0] *= 1.25
    change = compare(times)
    assert np.exp([change.low, change.estimate, change.high]) == pytest.approx(1.25)
    assert change.control == pytest.approx(0)


def change(estimate: float, width: float, control: float = 0.0) -> Change:
    return Change(estimate, estimate - width, estimate + width, width / 3, control, (width,), 9)


@pytest.mark.parametrize(
    ("first", "second", "outcome"),
    [
        (change(0.10, 0.04), change(0.09, 0.05), "regressed"),
        (change(0.10, 0.04), change(0.02, 0.04), "unchanged"),  # not confirmed
        (change(0.10, 0.04), change(-0.09, 0.04), "unchanged"),
        (change(0.10, 0.04), change(0.05, 0.20), "inconclusive"),  # the second could not see
        (change(0.10, 0.04), None, "inconclusive"),
        (change(-0.10, 0.04), change(-0.10, 0.04), "improved"),
        (change(0.01, 0.03), None, "unchanged"),
        (change(0.01, 0.20), None, "inconclusive"),
        (change(0.06, 0.02, control=0.07), None, "unchanged"),  # base against base came to more
    ],
)
def test_verdicts(first: Change, second: Change | None, outcome: str) -> None:
    assert judge(first, second, threshold=0.03, resolution=0.10).outcome == outcome


@pytest.mark.parametrize("benchmarks", [1, 15, 40, 41, 1000])
def test_all_benchmarks_together_keep_within_one_in_a_hundred(benchmarks: int) -> None:
    first, second = 0.01 / 2, (1 - confirming_level(benchmarks)) / 2
    assert 2 * benchmarks * first * second <= 0.01 + 1e-12
    assert confirming_level(benchmarks) >= 0.95


def test_counters_are_compared_exactly() -> None:
    rows = exact({"a": 2, "b": 1, "c": 5, "d": 0}, {"a": 2, "b": 2, "c": 4, "e": 1})
    assert {name: verdict for name, _, _, verdict in rows} == {
        "a": "unchanged",
        "b": "improved",
        "c": "regressed",
        "d": "new",
        "e": "gone",
    }


@pytest.mark.parametrize(
    "times",
    [np.ones((1, 6, 3)), np.ones((5, 3)), np.ones((5, 6, 2)), np.zeros((5, 6, 3)), np.full((5, 6, 3), np.nan)],
)
def test_times_that_are_none_are_refused(times: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"expected|positive"):
        compare(times)
