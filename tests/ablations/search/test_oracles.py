"""Keras Tuner's oracles behind our door: each of their traps, and that it is worked round."""

import math
from collections import Counter
from itertools import pairwise
from typing import Any

import pytest
from needs import package

from ablations.search.oracles import Oracle, Suggestion
from ablations.study.ranges import Range
from ablations.study.tune import TuneSpec

package("keras_tuner")

AXES: dict[str, Any] = {"latent_dim": (2, 256), "learning_rate": (1e-4, 1e-1), "model": ("dense", "conv")}
RANGES = {"latent_dim": Range(2, 256, log=True), "learning_rate": Range(1e-4, 1e-1, log=True)}


def oracle(tuner: str, *, axes: dict[str, Any] | None = None, epochs: int = 9, **settings: Any) -> Oracle:
    spec = TuneSpec.parse({"tuner": tuner, **settings}, "tune")
    return Oracle(spec, axes or AXES, {} if axes else RANGES, epochs)


def error(values: Suggestion) -> float:
    return abs(math.log(values["latent_dim"] / 16)) + abs(math.log10(values["learning_rate"]) + 2)


def first(of: Oracle, number: int) -> list[Suggestion]:
    return [found for k in range(number) if (found := of.ask(k)) is not None]


@pytest.mark.parametrize("tuner", ["random", "bayesian", "hyperband"])
def test_a_seed_of_zero_is_a_seed(tuner: str) -> None:
    assert first(oracle(tuner, seed=0), 5) == first(oracle(tuner, seed=0), 5)
    assert first(oracle(tuner, seed=0), 5) != first(oracle(tuner, seed=1), 5)


def test_neighbouring_seeds_draw_from_streams_of_their_own() -> None:
    # Each value is drawn from the seed and its place, so that seeds 1 and 2 would share all but one of the draws.
    drawn = [
        {found["learning_rate"] for found in first(oracle("random", axes=None, seed=seed), 20)} for seed in range(5)
    ]
    for one, other in pairwise(drawn):
        assert not one & other


def test_values_lie_in_their_ranges_and_are_of_their_types() -> None:
    found = first(oracle("random"), 60)
    assert all(isinstance(one["latent_dim"], int) and 2 <= one["latent_dim"] <= 256 for one in found)
    assert all(1e-4 <= one["learning_rate"] <= 1e-1 for one in found)
    assert {one["model"] for one in found} == {"dense", "conv"}
    halves = [sum(one["latent_dim"] < math.sqrt(2 * 256) for one in found), 30]
    assert abs(halves[0] - halves[1]) < 15  # as many below the geometric mean as above: it is logarithmic


@pytest.mark.parametrize("tuner", ["random", "bayesian"])
def test_an_integer_on_a_logarithmic_scale_stays_below_its_end(tuner: str) -> None:
    spec = TuneSpec.parse({"tuner": tuner}, "tune")
    of = Oracle(
        spec,
        {"latent_dim": (2, 64), "rate": (0.0, 1.0)},
        {"latent_dim": Range(2, 64, log=True), "rate": Range(0.0, 1.0)},
        9,
    )
    drawn = []
    for number in range(25):
        found = of.ask(number)
        assert found is not None
        drawn.append(found["latent_dim"])
        of.tell(number, -float(found["latent_dim"]))  # the larger, the better: the tuner is drawn to the end
    assert all(isinstance(size, int) and 2 <= size <= 64 for size in drawn), drawn


def test_values_of_any_kind_come_back_as_they_were() -> None:
    axes = {"hidden_units": ([8], [16, 8]), "flag": (True, False), "mixed": (1, 0.5), "clip_norm": (1.0, None)}
    space = oracle("grid", axes=axes)
    found = first(space, 99)
    assert len(found) == 16
    seen = {axis: {repr(one[axis]) for one in found} for axis in axes}
    assert seen == {axis: {repr(value) for value in values} for axis, values in axes.items()}


def grid_of(told: int, total: int = 12) -> list[tuple[int, str]]:
    """Ask a grid four at a time, of which the last batch before `told` is asked and never told of."""
    space = oracle("grid", axes={"latent_dim": (2, 4, 8, 16), "model": ("dense", "conv", "other")})
    found: list[tuple[int, str]] = []
    while len(found) < total:
        batch = first_from(space, len(found), 4)
        if not batch:
            break
        found += [(one["latent_dim"], one["model"]) for one in batch]
        if len(found) > told:
            return found
        for number in range(len(found) - len(batch), len(found)):
            space.tell(number, 1.0)
    return found


def first_from(of: Oracle, start: int, number: int) -> list[Suggestion]:
    return [found for k in range(start, start + number) if (found := of.ask(k)) is not None]


def test_a_grid_that_is_asked_anew_after_any_batch_loses_none_and_repeats_none() -> None:
    whole = grid_of(99)
    assert Counter(whole) == {(size, model): 1 for size in (2, 4, 8, 16) for model in ("dense", "conv", "other")}
    for told in (0, 4, 8):  # killed with four under way: the next process asks the same questions
        assert grid_of(told) == whole[: told + 4]


@pytest.mark.parametrize("tuner", ["random", "bayesian", "grid", "hyperband"])
def test_failures_are_told_and_stop_nobody(tuner: str) -> None:
    axes = {"latent_dim": (2, 4, 8, 16, 32), "learning_rate": (1e-4, 1e-3, 1e-2, 1e-1)}
    space = oracle(tuner, axes=axes, epochs=4, factor=2)
    for number in range(10):
        found = space.ask(number)
        assert found is not None
        space.tell(
            number, None
        )  # a score that is no number would end the trial without a word, four of them the search


def test_a_model_of_the_scores_learns_to_keep_away_from_what_fails() -> None:
    space = oracle("bayesian", seed=3)
    failures = []
    for number in range(15):
        found = space.ask(number)
        assert found is not None
        failed = found["learning_rate"] > 1e-2
        failures.append(failed)
        space.tell(number, None if failed else -math.log10(found["learning_rate"]))  # the best lie where it fails
    assert any(failures)
    assert not all(failures[9:])  # told of nothing, it would ask for the same again and again


def rungs(space: Oracle, total: int, *, fails: int = 0) -> list[Suggestion]:
    """Run hyperband four at a time; of the first proposals, so many fail."""
    found: list[Suggestion] = []
    while len(found) < total:
        batch = first_from(space, len(found), 4)
        if not batch:
            break
        for one in batch:
            number = len(found)
            found.append(one)
            parent = one.get("tuner/trial_id")
            lost = number < fails or (parent is not None and found[parent]["lost"])
            space.tell(number, None if lost else error(one) + 1 / one["tuner/epochs"])
            found[number]["lost"] = lost
    return found


def test_hyperband_promotes_the_best_and_names_its_bracket() -> None:
    found = rungs(oracle("hyperband"), 200)
    assert {one["tuner/epochs"] for one in found} == {1, 3, 9}
    for one in found:
        if (parent := one.get("tuner/trial_id")) is not None:
            before = found[parent]
            # Keras Tuner names the bracket that it is filling at the time.
            assert one["tuner/bracket"] == before["tuner/bracket"]
            assert one["tuner/round"] == before["tuner/round"] + 1
            assert {axis: one[axis] for axis in AXES} == {axis: before[axis] for axis in AXES}
    start = [one for one in found if (one["tuner/bracket"], one["tuner/round"]) == (2, 0)]
    promoted = {one["tuner/trial_id"] for one in found if (one["tuner/bracket"], one["tuner/round"]) == (2, 1)}
    assert {error(found[number]) for number in promoted} == set(sorted(map(error, start))[: len(promoted)])


def test_hyperband_goes_on_when_most_of_a_bracket_failed() -> None:
    # It would wait for ever for as many finished trials as it throws away.
    found = rungs(oracle("hyperband"), 200, fails=8)
    assert any(one["tuner/round"] == 1 and one["tuner/bracket"] == 2 and not one["lost"] for one in found)
    assert {one["tuner/epochs"] for one in found} == {1, 3, 9}


def test_the_log_has_the_last_word() -> None:
    space = oracle("bayesian")
    space.ask(0)
    space.force(0, {"latent_dim": 17, "learning_rate": 0.02, "model": "conv"})
    space.tell(0, 1.0)
    trial = space._oracle.trials[space._ids[0]]
    assert trial.hyperparameters.values["latent_dim"] == 17
