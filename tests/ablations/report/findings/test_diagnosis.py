"""Every rule speaks on records made for it, with its numbers, and is silent otherwise."""

import math
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import pytest

from ablations.analysis.grid import Grid
from ablations.records.record import Record
from ablations.report.findings import answer

WOBBLE = (0.0, 0.0002, -0.0001)


def trial(mse: float, seed: int = 0, **changes: object) -> Record:
    """Make a record; what is no axis is a metric."""
    metrics = {"mse": mse, "pca_mse": 0.05, "ssim": 0.9, "parameters": 1000.0}
    axes: dict[str, object] = {"model": "conv", "latent_dim": 8}
    seconds = float(changes.pop("seconds", 2.0))  # type: ignore[arg-type]
    for name, value in changes.items():
        if name in {"model", "latent_dim", "kl_weight", "ssim_weight", "learning_rate"}:
            axes[name] = value
        else:
            metrics[name] = float(value)  # type: ignore[arg-type]
    if axes.get("kl_weight"):
        metrics = {"kl": 12.0, "sigma": math.sqrt(float(str(axes["kl_weight"])) / 2), "active_units": 8.0} | metrics
    axes["seed"] = seed
    name = "-".join(map(str, axes.values()))
    return Record(name, "", axes, "done", data={"name": "digits"}, metrics=metrics, timings={"train_seconds": seconds})


def trials(mse: float, n: int = 3, **changes: object) -> list[Record]:
    return [trial(mse + WOBBLE[seed], seed, **changes) for seed in range(n)]


def said(
    records: Sequence[Record], lead: str, history: Callable[[Record], pd.DataFrame] | None = None, **baseline: object
) -> str:
    grid = Grid.of(records)
    (one,) = answer(grid, baseline, history)
    assert len({said.lead for said in one.statements}) == len(one.statements)
    found = [said.text for said in one.statements if said.lead == lead]
    return found[0].replace("\N{NO-BREAK SPACE}", " ") if found else ""


COLLAPSE = "Posterior collapse"


def test_collapse_names_the_weight_at_which_it_sets_in() -> None:
    records = []
    for weight, active in ((0.001, 8.0), (0.01, 8.0), (0.1, 2.0), (1.0, 0.0)):
        records += trials(0.03, kl_weight=weight, active_units=active)
    text = said(records, COLLAPSE)
    assert text.startswith("conv: it sets in at KL weight 0.1, where 1 of 1 configuration")
    assert "none at 0.01 or below" in text
    assert "the fewest are 2.00 (2.00 to 2.00) of 8 (KL weight 0.1)" in text


@pytest.mark.parametrize(("active", "speaks"), [(4.0, False), (3.0, True), (8.0, False)])
def test_half_of_the_units_is_no_collapse(active: float, *, speaks: bool) -> None:
    assert bool(said(trials(0.03, kl_weight=0.01, active_units=active), COLLAPSE)) is speaks


def test_collapse_that_the_seeds_do_not_settle_is_not_claimed() -> None:
    records = [trial(0.03, seed, kl_weight=0.1, active_units=units) for seed, units in enumerate((1.0, 6.0))]
    text = said(records, COLLAPSE)
    assert "sets in" not in text
    assert "below half of the latent dimensions, which their seeds do not settle" in text
    text = said([trial(0.03, kl_weight=0.1, active_units=1.0)], COLLAPSE)
    assert "which one trial each does not settle" in text


def test_collapse_without_a_weight_as_axis() -> None:
    records = trials(0.03, kl=1.0, active_units=1.0)
    assert said(records, COLLAPSE).startswith("conv: it sets in at the study's KL weight, where 1 of 1 configuration")


def test_a_deterministic_model_does_not_collapse() -> None:
    assert said(trials(0.03, active_units=0.0), COLLAPSE) == ""


WEIGHT = "KL weight"


def test_weight_is_held_against_the_optimum_of_the_noise_that_is_left() -> None:
    text = said([trial(0.02, seed, kl_weight=0.001) for seed in range(3)], WEIGHT)
    assert "weight 0.001 implies 0.0224 where the best model with it leaves 0.1414 (root MSE)" in text
    assert "so that 0.04 (95 % interval 0.04 to 0.04) would be best, 40 times the weight." in text


@pytest.mark.parametrize(
    ("mse", "verdict"),
    [
        ((0.004, 0.005, 0.006), "from which the weight is not told"),
        ((0.0010, 0.0011, 0.0012), "the weight is 4.5 times as large"),
        ((0.02,), "4 times the weight"),
    ],
)
def test_weight_at_above_and_below_the_optimum(mse: tuple[float, ...], verdict: str) -> None:
    records = [trial(value, seed, kl_weight=0.01) for seed, value in enumerate(mse)]
    text = said(records, WEIGHT)
    assert verdict in text
    assert ("interval" in text) == (len(mse) > 1)


def test_weight_of_symmetric_images_is_in_units_of_their_loss() -> None:
    # Pixels in [-1, 1] make the squared error four times as large: sigma is told on the scale of [0, 1].
    records = [trial(0.02, kl_weight=0.004, sigma=math.sqrt(0.001 / 2))]
    assert "so that 0.16 would be best, 40 times the weight" in said(records, WEIGHT)


def test_a_weight_that_is_no_axis_is_printed_as_it_was_set() -> None:
    records = [trial(0.03, seed, kl=12.0, sigma=math.sqrt(5e-4 / 2), active_units=8.0) for seed in range(3)]
    assert "weight 0.0005 implies" in said(records, "KL weight")


def test_weights_are_compared_level_by_level() -> None:
    records = []
    for latent in (2, 4, 8):
        records += trials(0.02 + latent / 1000, kl_weight=0.001, latent_dim=latent)
        records += trials(0.03 + latent / 900, kl_weight=0.1, latent_dim=latent, kl=2.0)
    text = said(records, WEIGHT)
    assert text.startswith("From 0.001 to 0.1, all else equal: MSE per pixel +0.01")
    assert "The lowest MSE of a model with a KL term has weight 0.001" in text
    assert text.count(" would be best, ") == 2


def test_no_kl_no_word_on_its_weight() -> None:
    assert said(trials(0.03), WEIGHT) == ""


PCA = "No better than PCA"


def test_a_model_above_the_floor_is_named() -> None:
    text = said([*trials(0.06), *trials(0.03, latent_dim=2)], PCA)
    assert text == (
        "conv: 1 of 2 configurations no better than a linear PCA of the same size (1 of these resolved as "
        "worse), the furthest 20 % "
        "above it (latent size 8: 0.06003 against 0.05000)."
    )


def test_models_below_the_floor_are_not() -> None:
    assert said(trials(0.03), PCA) == ""
    assert said([trial(0.03)], PCA) == "", "one seed shows no spread, and it is below"


def test_the_floor_itself_is_no_better() -> None:
    assert "1 of 1 configuration no better than a linear PCA of the same size (0 of these resolved as worse)" in said(
        [trial(0.05)], PCA
    )


def test_above_a_floor_of_zero_there_is_no_percent() -> None:
    records = [*trials(0.02, pca_mse=0.0), *trials(0.08, latent_dim=2), *trials(0.03, latent_dim=4, pca_mse=0.0)]
    assert said(records, "No better than PCA") == (
        "conv: 3 of 3 configurations no better than a linear PCA of the same size (3 of these resolved as worse), the "
        "furthest above it (latent size 4: 0.03003 against 0.00000)."
    )


def test_at_a_floor_of_zero_nothing_is_above_it() -> None:
    records = [trial(0.0, seed, pca_mse=0.0) for seed in range(3)]
    assert "the furthest above it (conv: 0 against 0)" in said(records, "No better than PCA")
    assert "At the floor" in said(records, "Lowest MSE per pixel")


def test_below_the_floor_by_luck_is_said_to_be() -> None:
    records = [trial(value, seed) for seed, value in enumerate((0.03, 0.06, 0.04))]
    assert said(records, PCA) == "conv: 1 of 1 configuration below it by less than seeds can tell."


TRAINING = "Length of training"


def curves(held_out: float, trained: float, *, epochs: int = 12, **columns: object) -> Callable[[Record], pd.DataFrame]:
    """Return losses that change by so much from one epoch to the next, a little differently in each trial."""

    def history(record: Record) -> pd.DataFrame:
        epoch = np.arange(epochs)
        own = 1 + 0.02 * int(record.axes["seed"])
        frame = {"val_loss": 8 * (1 + held_out * own) ** epoch, "loss": 9 * (1 + trained * own) ** epoch}
        return pd.DataFrame({"epoch": epoch + 1} | frame | {"kl_weight": np.ones(epochs)} | columns)

    return history


def test_under_trained_models_are_named() -> None:
    text = said(trials(0.03), TRAINING, curves(-0.02, -0.02))
    assert text.startswith("conv: under-trained; the validation loss still fell by 6.0 %")
    assert "over the last 4 epochs" in text
    assert "3 trials)" in text


def test_over_trained_models_are_named() -> None:
    text = said(trials(0.03), TRAINING, curves(0.02, -0.01))
    assert text.startswith("conv: over-trained; the validation loss rose by 6.")
    assert "while the training loss fell by 3.0 %" in text


@pytest.mark.parametrize(
    ("held_out", "trained"),
    [(-0.001, -0.02), (0.001, -0.02), (0.02, 0.02)],
    ids=["still", "flat", "diverging, which is no over-training"],
)
def test_settled_curves_are_not(held_out: float, trained: float) -> None:
    assert said(trials(0.03), TRAINING, curves(held_out, trained)) == ""


@pytest.mark.parametrize(
    "history",
    [
        curves(-0.02, -0.02, epochs=7),
        curves(-0.02, -0.02, kl_weight=np.linspace(0, 1, 12)),
        curves(-0.02, -0.02, val_loss=np.full(12, -1.0)),
        curves(-0.02, -0.02, loss=np.full(12, math.nan)),
        lambda record: pd.DataFrame(),
    ],
    ids=["few epochs", "a moving weight", "no logarithm", "not finite", "no curve"],
)
def test_curves_that_tell_nothing_are_left_out(history: Callable[[Record], pd.DataFrame]) -> None:
    assert said(trials(0.03), TRAINING, history) == ""


def test_one_trial_is_no_verdict_on_training() -> None:
    assert said([trial(0.03)], TRAINING, curves(-0.02, -0.02)) == ""


def test_trials_that_disagree_are_no_verdict_on_training() -> None:
    def history(record: Record) -> pd.DataFrame:
        return curves(-0.05 if record.axes["seed"] else 0.05, -0.01)(record)

    assert said(trials(0.03), TRAINING, history) == ""


def test_few_curves_of_many_trials_are_read() -> None:
    read: list[str] = []

    def history(record: Record) -> pd.DataFrame:
        read.append(record.trial)
        return curves(-0.02, -0.02)(record)

    records = [record for rate in range(50) for record in trials(0.03, learning_rate=rate / 1000)]
    assert "under-trained" in said(records, TRAINING, history)
    assert 20 <= len(read) <= 40


COST = "Cost"


def test_the_fastest_within_one_interval_of_the_best_is_named() -> None:
    records = [trial(value, seed, seconds=20.0) for seed, value in enumerate((0.030, 0.031, 0.032))]
    records += [trial(value, seed, latent_dim=4, seconds=5.0) for seed, value in enumerate((0.031, 0.032, 0.033))]
    records += [trial(value, seed, latent_dim=2, seconds=1.0) for seed, value in enumerate((0.040, 0.041, 0.042))]
    text = said(records, COST)
    assert text.startswith("The configuration with the lowest MSE trained in 20.0")
    assert "is latent size 4: 5.0" in text
    assert "0.25 times as long" in text
    assert "(up to 0.0335)" in text


def test_no_faster_one_within_the_interval() -> None:
    records = [*trials(0.030, seconds=20.0), *trials(0.040, latent_dim=2, seconds=1.0)]
    assert "trained faster" in said(records, COST)


def test_one_seed_has_a_cost_and_no_interval_to_be_within() -> None:
    text = said([trial(0.03, seconds=20.0), trial(0.0301, latent_dim=2, seconds=1.0)], COST)
    assert "trained in 20.0" in text
    assert "interval" not in text


def test_two_seeds_are_called_rough() -> None:
    records = [trial(value, seed, seconds=20.0) for seed, value in enumerate((0.030, 0.031))]
    assert "rough with two seeds" in said(records, COST)


def test_cost_against_the_baseline() -> None:
    records = [*trials(0.03, seconds=20.0), *trials(0.04, model="dense", seconds=2.0)]
    assert "That is 10 times the 2.0 ± 0.0 s of the baseline" in said(records, COST, model="dense")


def test_no_time_at_all_is_no_share() -> None:
    records = [*trials(0.030, seconds=0.0), *trials(0.0301, latent_dim=4, seconds=-1.0)]
    text = said(records, COST)
    assert "is latent size 4: " in text
    assert "times as long" not in text


def test_a_best_without_a_time_is_its_own_fastest() -> None:
    records = [*trials(0.030, seconds=math.inf), *trials(0.040, latent_dim=2, seconds=1.0)]
    assert "No configuration with a mean MSE within" in said(records, COST)


def test_no_time_no_cost() -> None:
    records = [Record(**vars(record) | {"timings": {}}) for record in trials(0.03)]
    assert said(records, COST) == ""


def ssim_study(gain: float, cost: float) -> list[Record]:
    records = []
    for latent in (2, 4, 8, 16):
        base, own = 0.8 + latent / 200, 1 + latent / 100
        records += trials(0.03, latent_dim=latent, ssim_weight=0.0, ssim=base)
        records += trials(0.03 + cost * own, latent_dim=latent, ssim_weight=1.0, ssim=base + gain * own)
    return records


@pytest.mark.parametrize(
    ("gain", "cost", "verdict"),
    [
        (0.02, 0.001, "It improved SSIM and cost MSE per pixel."),
        (0.02, 0.0, "It improved SSIM; no cost in the others is resolved."),
        (0.0, 0.001, "It cost MSE per pixel; no gain is resolved."),
        (0.0, 0.0, "Neither a gain nor a cost is resolved by these pairs."),
    ],
)
def test_ssim_is_traded_against_mse(gain: float, cost: float, verdict: str) -> None:
    assert said(ssim_study(gain, cost), "SSIM term").endswith(verdict)


def test_one_ssim_weight_is_no_trade() -> None:
    assert said(trials(0.03, ssim_weight=1.0), "SSIM term") == ""
