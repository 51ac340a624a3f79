"""What searches and rungs give, counted by hand; the searches themselves are tested where they live."""

import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from scipy import stats

from bench import synthetic
from bench.measure import search


def test_an_interval_is_students() -> None:
    values = [3.0, 4.0, 8.0, 5.0]
    mean, half = search.interval(values)
    low, high = stats.t.interval(0.95, 3, loc=mean, scale=stats.sem(values))
    assert (mean - half, mean + half) == pytest.approx((low, high))
    assert math.isnan(search.interval([3.0])[1])


def test_the_best_counts_what_the_budget_pays_for() -> None:
    entries = [
        SimpleNamespace(trained=trained, result=SimpleNamespace(score=score))
        for trained, score in [(9, 5.0), (9, None), (9, 4.0), (9, 1.0)]
    ]
    made: Any = SimpleNamespace(entries=entries)
    assert [search.best_within(made, budget) for budget in (9, 26, 27, 36)] == [5.0, 5.0, 4.0, 1.0]
    assert search.best_within(made, 8) == math.inf


def outcome(drop: int, epochs: dict[int, int]) -> Any:
    made = synthetic.demo(models=("conv",), latents=(2, 8), weights=(1e-4,), ssim_weights=(0.0,), broken=False)
    records = [one for one in made.records if one.axes["latent_dim"] != drop]
    curves = {one.trial: pd.DataFrame({"epoch": range(epochs[one.axes["latent_dim"]])}) for one in made.records}
    return SimpleNamespace(records=records, store=SimpleNamespace(history=lambda one: curves[one.trial]))


def test_a_halved_grid_is_held_against_the_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, same, other = (
        outcome(0, {2: 9, 8: 9}),
        outcome(2, {2: 1, 8: 9}),
        outcome(8, {2: 9, 8: 1}),
    )
    right = search.Halved(whole, same)
    assert (right.winner, right.loss) == (right.found, 0.0) == ("latent size 8", 0.0)
    assert right.share == pytest.approx(9 * 2 / (18 * 2))
    wrong = search.Halved(whole, other)
    assert wrong.winner != wrong.found
    assert wrong.loss > 0

    found = {"random": [4.0, 5.0], "bayesian": [3.6, 4.5], "hyperband": [4.0, 5.0]}
    monkeypatch.setattr(search, "compare_tuners", lambda *_, **__: found)
    monkeypatch.setattr(search, "compare_grids", lambda *_, **__: {"gently": right, "harshly": wrong})
    file = tmp_path / "search.md"
    assert search.main(["--output", str(file), "--seeds", "2"]) == 0
    text = file.read_text()
    assert "| bayesian | 4.050 ± " in text
    assert "| 0.900 (0.900 to 0.900) |" in text
    assert "| 1.000 (1.000 to 1.000) |" in text
    assert "whole grid's winner: latent size 8." in text
    assert "| gently | 50 % | the same | 0.00 % |" in text
    assert "| harshly | 50 % | latent size 2 |" in text
