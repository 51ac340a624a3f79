"""What the report says in words, checked against numbers made for the purpose."""

import math

import pytest

from ablations.analysis.grid import Grid
from ablations.analysis.pairs import contrasts
from ablations.records.record import Record
from ablations.report.findings import Answer, answer, seeds_note
from ablations.statistics.intervals import Spread
from ablations.text.numbers import Formats, clean, percent, shorten, value_text


def trial(mse: float, *, ssim: float = 0.9, pca: float = 0.05, **axes: object) -> Record:
    axes = {"model": "conv", "latent_dim": 8} | axes
    metrics = {"mse": mse, "ssim": ssim, "pca_mse": pca}
    return Record(
        "-".join(map(str, axes.values())),
        "",
        axes,
        "done",
        data={"name": "digits"},
        metrics=metrics,
        timings={"train_seconds": 2.0},
    )


def said(records: list[Record], lead: str, **baseline: object) -> str:
    (one,) = answer(Grid.of(records), baseline)
    assert isinstance(one, Answer)
    return next(item.text for item in one.statements if item.lead == lead).replace("\xa0", " ")


def pair(model: str, *values: float, **axes: object) -> list[Record]:
    return [trial(value, model=model, seed=seed, **axes) for seed, value in enumerate(values)]


def test_a_clear_difference_from_the_baseline_is_said_with_its_size() -> None:
    text = said(pair("dense", 0.0400, 0.0402) + pair("conv", 0.0300, 0.0302), "Lowest MSE per pixel", model="dense")
    assert text.startswith("conv: 0.03010 ± 0.00014, 2 seeds.")
    assert "−0.01000 (−25 %), 95 % interval −0.01000 to −0.01000, rough with two seeds: resolved" in text  # noqa: RUF001
    assert "40 % below the floor, better than a linear PCA with 8 components (0.05000)" in text
    assert "It is told from the one other configuration." in text


def test_a_small_difference_is_not_called_one() -> None:
    text = said(pair("dense", 0.0400, 0.0300) + pair("conv", 0.0390, 0.0300), "Lowest MSE per pixel", model="dense")
    assert "not resolved (p = 0.5)" in text
    assert ": resolved" not in text
    assert "Its seeds do not tell it from the one other configuration (smallest p = 0.5)." in text


def test_one_seed_claims_no_spread() -> None:
    records = pair("dense", 0.04) + pair("conv", 0.03)
    text = said(records, "Lowest MSE per pixel", model="dense")
    assert "with an interval that one seed cannot show" in text
    assert "resolved" not in text
    assert "40 % below the floor, better, in this one trial, than a linear PCA" in text
    assert "no difference can be told from chance" in seeds_note(Grid.of(records))


@pytest.mark.parametrize(
    ("mse", "verdict"), [(0.06, "20 % above the floor, worse than"), (0.03, "below the floor, better than")]
)
def test_the_floor_is_named(mse: float, verdict: str) -> None:
    assert verdict in said(pair("conv", mse, mse + 1e-5), "Lowest MSE per pixel")


def test_baseline_that_wins_is_said_to() -> None:
    text = said(pair("dense", 0.02, 0.021) + pair("conv", 0.03, 0.031), "Lowest MSE per pixel", model="dense")
    assert "It belongs to the baseline; the best of the others, conv, differs by +0.01000" in text


def test_baseline_is_compared_at_the_nearest_settings() -> None:
    records = pair("dense", 0.05, 0.051, latent_dim=2) + pair("dense", 0.04, 0.041, latent_dim=8)
    records += pair("conv", 0.045, 0.046, latent_dim=2) + pair("conv", 0.03, 0.031, latent_dim=8)
    assert "nearest settings (dense, latent size 8:" in said(records, "Lowest MSE per pixel", model="dense")


def ssim_study(gain: float, noise: float = 0.0) -> list[Record]:
    records = []
    for latent in (2, 4, 8, 16):
        for seed in (0, 1):
            wobble = noise * (-1) ** (latent // 2 + seed)
            base = 0.8 + latent / 200
            records += [
                trial(0.03, ssim=base, latent_dim=latent, ssim_weight=0.0, seed=seed),
                trial(0.03, ssim=base + gain + wobble, latent_dim=latent, ssim_weight=1.0, seed=seed),
            ]
    return records


def test_ssim_term_that_helps_is_said_to() -> None:
    text = said(ssim_study(0.02, 0.001), "SSIM term")
    assert "SSIM +0.0200" in text
    assert "higher in 8 of 8 pairs" in text
    assert "It improved SSIM; no cost in the others is resolved." in text


def test_ssim_term_without_effect_is_not_praised() -> None:
    text = said(ssim_study(0.0, 0.02), "SSIM term")
    assert "not resolved" in text
    assert "Neither a gain nor a cost" in text


def test_ssim_term_that_harms_is_said_to() -> None:
    assert "It cost SSIM; no gain is resolved." in said(ssim_study(-0.02, 0.001), "SSIM term")


def test_pairs_need_the_same_settings_and_seed() -> None:
    records = [trial(0.03, ssim_weight=0.0, seed=0), trial(0.02, ssim_weight=1.0, seed=1)]
    grid = Grid.of(records)
    assert contrasts(grid.configurations, "ssim_weight", 0.0, 1.0, ["mse"])["mse"].pairs == 0
    both = Grid.of([*records, trial(0.025, ssim_weight=1.0, seed=0)])
    effect = contrasts(both.configurations, "ssim_weight", 0.0, 1.0, ["mse"])["mse"]
    assert (effect.pairs, effect.change.estimate) == (1, pytest.approx(-0.005))
    assert not effect.resolved, "one pair has no interval"


def test_interval_over_configurations_does_not_count_seeds_twice() -> None:
    records = []
    for latent, gain in ((2, 0.01), (4, 0.03)):
        for seed in range(10):
            records += [
                trial(0.1, latent_dim=latent, ssim_weight=0.0, seed=seed),
                trial(0.1 + gain, latent_dim=latent, ssim_weight=1.0, seed=seed),
            ]
    effect = contrasts(Grid.of(records).configurations, "ssim_weight", 0.0, 1.0, ["mse"])["mse"]
    half = effect.change.high - effect.change.estimate
    assert half == pytest.approx(12.706 * math.sqrt(2 * 0.01**2) / math.sqrt(2), rel=1e-3)


def test_latent_sizes_end_with_a_warning_at_the_edge() -> None:
    records = pair("conv", 0.05, 0.051, latent_dim=2) + pair("conv", 0.03, 0.031, latent_dim=8)
    assert "larger one may do better" in said(records, "Latent size")
    records = pair("conv", 0.03, 0.031, latent_dim=2) + pair("conv", 0.05, 0.051, latent_dim=8)
    assert "larger one" not in said(records, "Latent size")


def test_stale_trials_are_not_mixed_in() -> None:
    records = pair("conv", 0.03, 0.9)
    grid = Grid.of(records, {records[1].trial})
    assert grid.configurations[0].values("mse") == [0.03]
    assert grid.configurations[0].stale == 1


def test_numbers_line_up_and_keep_their_digits() -> None:
    formats = Formats.fit({"mse": [0.0123, 0.0456, 0.5], "kl": [12.3, 150.0], "parameters": [211_000.0]})
    assert formats.number("mse", 0.0123) == "0.01230"
    assert formats.number("kl", -2.0) == "−2"  # noqa: RUF001
    assert formats.number("parameters", 211_000.0) == "211,000"
    assert formats.number("mse", None) == "–"  # noqa: RUF001
    assert formats.number("mse", math.nan) == "NaN"
    assert formats.spread("mse", Spread(0.5, math.nan, 1)) == "0.50000"


def test_values_in_words() -> None:
    assert [value_text(value) for value in (None, 1e-4, 0.1 + 0.2, True, [1, 2], "x")] == [
        "–",  # noqa: RUF001
        "0.0001",
        "0.30000000000000004",
        "yes",
        "[1, 2]",
        "x",
    ]
    assert percent(1.0, 0.0) == ""
    assert percent(110.0, 100.0) == "+10\xa0%"
    assert clean("a\n\tb\0\u202ec") == "a b[U+0000][U+202E]c"
    assert shorten("abcdef", 4) == "abc…"


@pytest.mark.parametrize(("part", "whole"), [(0.1, 0.0), (0.0, 0.0), (0.1, 1e-9), (-0.1, 1e-6), (math.nan, 1.0)])
def test_a_share_of_nothing_is_no_percent(part: float, whole: float) -> None:
    assert percent(part, whole) == ""


def test_a_share_may_be_large() -> None:
    assert percent(50.0, 0.01) == "+499,900\xa0%"
