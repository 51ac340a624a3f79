"""What a study file may say of a search and of early stopping, and what is said where it may not."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ablations.study.ranges import Range, split_ranges
from ablations.study.stop import StopSpec
from ablations.study.study import Study
from ablations.study.tune import TuneSpec
from vae.errors import SpecError

TABLE: dict[str, Any] = {"name": "s", "fixed": {"dataset": "digits", "model": "dense_vae"}}
WEIGHTS = {"kl_weight": [1e-4, 1e-2]}
LATENT = {"latent_dim": {"min": 2, "max": 256, "log": True}}


def study(**tables: Any) -> Study:
    return Study.from_dict(TABLE | tables)


def test_ranges_are_taken_apart_from_lists_wherever_they_stand() -> None:
    axes, ranges = split_ranges({"model": ["dense"], "loss": {"kl": {"weight": {"min": 0.1, "max": 1}}}} | LATENT, "f")
    assert axes == {"model": ["dense"], "loss": {"kl": {"weight": [0.1, 1]}}, "latent_dim": [2, 256]}
    assert ranges == {"loss.kl.weight": Range(0.1, 1), "latent_dim": Range(2, 256, log=True)}
    assert ranges["latent_dim"].whole
    assert not ranges["loss.kl.weight"].whole


@given(st.floats(1e-6, 1e6), st.floats(1.001, 1e6), st.floats(0, 1), st.booleans())
def test_a_number_has_few_digits_and_stays_where_it_was(low: float, factor: float, share: float, log: bool) -> None:
    of = Range(low, low * factor, log=log)
    value = min(low * factor**share if log else low + share * (of.high - low), of.high)
    tidied = of.tidy(value)
    assert of.low <= tidied <= of.high
    assert of.tidy(tidied) == tidied
    width = value * math.log(factor) if log else of.high - low
    assert abs(tidied - value) <= 1.001e-4 * width


def test_four_digits_do_for_a_wide_range_and_steps_are_left_alone() -> None:
    assert Range(1e-4, 1e-1, log=True).tidy(0.018553612598827974) == 0.01855
    assert Range(0.5000001, 0.5000002).tidy(0.500000123456) == 0.50000012346
    assert Range(0.1, 0.7, 0.1).tidy(0.30000000000000004) == 0.30000000000000004
    assert Range(2, 64).tidy(17) == 17
    assert Range(2, 64, log=True).tidy(65) == 64


@pytest.mark.parametrize(
    ("of", "choices"),
    [
        (Range(2, 8, 2), [2, 4, 6, 8]),
        (Range(2, 9, 3), [2, 5, 8]),
        (Range(2, 32, 2, log=True), [2, 4, 8, 16, 32]),
        (Range(0.0, 0.3, 0.1), [0.0, 0.1, 0.2, 0.3]),
        (Range(1e-4, 1e-1, 10.0, log=True), [1e-4, 1e-3, 1e-2, 1e-1]),
        (Range(3, 6), [3, 4, 5, 6]),
    ],
)
def test_a_step_gives_every_value_both_ends_included(of: Range, choices: list[float]) -> None:
    assert of.choices() == pytest.approx(choices)
    assert of.size == len(choices)


def test_a_range_without_a_step_gives_as_many_as_are_asked_for() -> None:
    assert Range(1e-4, 1e-2, log=True).choices(3) == pytest.approx([1e-4, 1e-3, 1e-2])
    assert Range(2, 256, log=True).choices(8) == [2, 4, 8, 16, 32, 64, 128, 256]
    assert Range(0.0, 1.0).size == Range(2, 256, log=True).size == 0


@pytest.mark.parametrize(
    ("axis", "said"),
    [
        ({"min": 2}, "axes.latent_dim: a range needs min and max"),
        ({"min": 2, "max": 8, "stpe": 2}, "unknown part of a range 'stpe': did you mean 'step'?"),
        ({"min": 8, "max": 2}, "got min = 8 and max = 2, expected min below max"),
        ({"min": 2, "max": "8"}, "axes.latent_dim.max: got '8', expected a number"),
        ({"min": 2, "max": True}, "axes.latent_dim.max: got True, expected a number"),
        ({"min": 0, "max": 8, "log": True}, "axes.latent_dim.min: got 0, expected a number above 0"),
        ({"min": 2, "max": 8, "log": 1}, "axes.latent_dim.log: got 1, expected true or false"),
        ({"min": 2, "max": 8, "step": 0}, "axes.latent_dim.step: got 0, expected a step above 0"),
        ({"min": 2, "max": 8, "step": 1, "log": True}, "axes.latent_dim.step: got 1, expected a factor above 1"),
        ({"min": 2, "max": 8, "step": 0.5}, "axes.latent_dim.step: got 0.5, expected an integer"),
        ({"min": 0.0, "max": 1.0, "step": 1e-6}, "got 1,000,001 values, expected at most 10,000"),
        ({"min": 0, "max": 8}, "axes.latent_dim = 0: "),  # the ends are checked like any value
    ],
)
def test_a_range_that_is_none_is_one_error(axis: dict[str, Any], said: str) -> None:
    with pytest.raises(SpecError, match=r"^study[:.]") as error:
        study(axes={"latent_dim": axis})
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("tables", "said"),
    [
        ({"tune": {"tuner": "randm"}}, "tune.tuner: got 'randm', but it should be 'random'"),
        ({"tune": {"trails": 3}}, "tune.trails: unknown setting 'trails': did you mean 'trials'?"),
        ({"tune": {"objective": "sze"}}, "tune.objective: unknown metric 'sze': did you mean 'sse'?"),
        ({"tune": {"objective": "kl"}}, "kl is neither better low nor high. Give it a weight"),
        ({"tune": {"objective": ["sse", "kl", "ssim"]}}, "expected a metric, two of them, or a table"),
        ({"tune": {"objective": {"sse": 0.0}}}, "got no weight other than 0"),
        ({"tune": {"tuner": "grid"}, "axes": LATENT}, "a grid needs a list, or a range with a step"),
        ({"tune": {"tuner": "hyperband"}, "axes": LATENT | {"epochs": [1, 2]}}, "hyperband chooses the epochs itself"),
        ({"stop": {"rungs": []}}, "stop.rungs"),
        ({"stop": {"rungs": [3, 1]}}, "stop.rungs: got [3, 1], expected rising epochs of at least 1"),
        ({"stop": {"rungs": [0, 1]}}, "stop.rungs: got [0, 1], expected rising epochs of at least 1"),
        ({"stop": {"rungs": [1], "keep": 0.5, "eta": 2}}, "say the same: keep one of the two"),
        ({"stop": {"rungs": [1], "keep": 1.5}}, "stop.keep: got 1.5"),
        ({"stop": {"rungs": [1], "objective": "psnr"}}, "stop.objective: unknown curve 'psnr'"),
        ({"stop": {"rungs": [1], "by": ["modle"]}}, "stop.by: unknown axis 'modle': did you mean 'model'?"),
        ({"stop": {"rungs": [1], "objective": "kl"}, "axes": WEIGHTS}, "the KL is lowest where kl_weight is highest"),
        ({"stop": {"rungs": [1], "objective": "loss"}, "axes": WEIGHTS}, "each value of kl_weight makes the loss"),
        (
            {"stop": {"rungs": [1], "objective": "loss"}, "axes": {"ssim_weight": [0.0, 1.0]}},
            "each value of ssim_weight makes the loss another sum",
        ),
        ({"tune": {"objective": {"kl": 1.0, "sse": 0.0}}, "axes": WEIGHTS}, "the KL is lowest where kl_weight"),
    ],
)
def test_what_cannot_be_searched_or_stopped_is_one_error(tables: dict[str, Any], said: str) -> None:
    with pytest.raises(SpecError, match=r"^study[:.]") as error:
        study(**{"axes": {"model": ["dense_vae"], "latent_dim": [2, 3]}} | tables)
    assert said in str(error.value)


def test_what_a_weight_turns_up_may_be_asked_for_among_equal_weights() -> None:
    study(axes=WEIGHTS, stop={"rungs": [1], "objective": "loss", "by": ["kl_weight"]})
    study(axes={"loss.kl.weight": [1e-4], "latent_dim": [2, 3]}, stop={"rungs": [1], "objective": "kl"})
    study(axes=WEIGHTS, tune={"objective": {"sse": 1.0, "kl": 0.01}})


def test_what_the_settings_mean() -> None:
    assert TuneSpec(objective={"sse": 1.0, "kl": 0.01}).names == ("sse", "kl")
    assert TuneSpec(objective=("sse", "kl")).pareto
    assert (TuneSpec(tuner="random").most, TuneSpec(tuner="grid").most, TuneSpec(trials=7).most) == (20, None, 7)
    stop = StopSpec(rungs=(1, 3))
    assert (stop.column, stop.share) == ("val_reconstruction", pytest.approx(1 / 3))
    assert StopSpec(rungs=(1,), keep=0.25, objective="kl").share == 0.25
    assert StopSpec(rungs=(1,), objective="kl").column == "val_kl"


def test_a_smoke_run_searches_little() -> None:
    small = Study.from_dict(TABLE | {"axes": LATENT, "tune": {"trials": 100}}, smoke=True)
    assert small.tune is not None
    assert (small.tune.trials, small.tune.parallel) == (4, 2)
    assert small.ranges == {"latent_dim": Range(2, 256, log=True)}
