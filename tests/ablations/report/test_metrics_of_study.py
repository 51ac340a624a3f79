"""`[report] metrics`: what "best" means, which numbers answer the question, and in which direction."""

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from ablations.analysis.grid import Grid
from ablations.cli import main
from ablations.report.figures import FIGURES, Drawn, LeftOut, Shown, draw
from ablations.report.findings import answer
from ablations.report.headlines import headlines
from ablations.report.loaders import Loaders
from ablations.report.parts import trial_parts
from ablations.report.report import render
from ablations.report.tables.effects import analysis_tables
from ablations.report.tables.summary import summary_tables
from ablations.runner.executors import Executor
from ablations.text.numbers import value_text

BY_SSIM = ("ssim", "mse")


@pytest.fixture(scope="module")
def demo(study: ModuleType) -> object:
    """The SSIM term gains SSIM and costs MSE: the best by the one is not the best by the other."""
    return study.demo(models=("conv", "conv-paper"), weights=(1e-4, 1e-2), broken=False)


@pytest.fixture(scope="module")
def grid(demo: object) -> Grid:
    return Grid.of(demo.records, metrics=BY_SSIM)


def loaders(demo: object) -> Loaders:
    source = demo.source()
    return Loaders(source.history, source.arrays)


def top(grid: Grid) -> str:
    """Return the label of the configuration with the highest mean SSIM, which has not the lowest MSE."""
    found = max(grid.configurations, key=lambda one: one.mean("ssim"))
    assert found is not min(grid.configurations, key=lambda one: one.mean("mse"))
    return grid.label(found)


def test_the_answer_is_of_the_study_s_first_metric(grid: Grid) -> None:
    answers = answer(grid, {"model": "conv-paper"})
    (head,) = headlines(answers)
    assert head.lead == "The best"
    told = {one.lead: one.text for one in answers[0].statements}
    assert list(told)[1:3] == ["Highest SSIM", "Lowest MSE per pixel"], "and then of the others"
    assert told["Highest SSIM"].startswith(f"{top(grid)}: ")
    assert not any("accuracy" in text for text in told.values()), "what was not asked for is not told"
    assert told["Latent size"].startswith("The highest mean SSIM at latent size 2: 0.")
    assert "against PCA" not in told["Latent size"], "the floor is one of the error"
    assert told["Cost"].startswith("The configuration with the highest SSIM trained in")
    assert "The highest SSIM of a model with a KL term has weight" in told["KL weight"]
    assert "(root MSE)" in told["KL weight"], "what a weight implies is about the error as such"


def test_the_cheapest_is_looked_for_on_the_worse_side_of_the_best(study: ModuleType) -> None:
    few = {"models": ("conv",), "latents": (2, 8), "weights": (1e-4,), "ssim_weights": (0.0,), "broken": False}
    made = study.demo(seeds=(0, 1, 2), **few)
    for record in made.records:
        small, seed = record.axes["latent_dim"] == 2, record.axes["seed"]
        record.metrics["ssim"] = (0.89 if small else 0.9) + 0.01 * seed
        record.timings["train_seconds"] = 1.0 if small else 9.0
    (found,) = answer(Grid.of(made.records, metrics=("ssim",)), {})
    cost = next(one.text for one in found.statements if one.lead == "Cost").replace("\xa0", " ")
    # Means 0.90 and 0.91; t(0.975, 2) 0.01 / sqrt(3) = 0.0248 below the best is 0.8852.
    assert "The fastest with a mean SSIM within its 95 % interval (down to 0.885" in cost
    assert "is latent size 2" in cost


def test_captions_name_the_metric_and_its_direction(demo: object, grid: Grid) -> None:
    drawn = [one for one in draw(grid, loaders(demo), embedding="pca") if isinstance(one, Drawn)]
    assert [one.key for one in drawn[:2]] == ["ssim-latent-digits", "mse-latent-digits"]
    said = {one.key.removesuffix("-digits"): one for one in drawn}
    for one in drawn:
        assert "lowest mean MSE" not in one.caption, one.key
        assert "median MSE" not in one.caption, one.key
    for key in (
        "reconstructions",
        "extremes",
        "classes",
        "samples",
        "traversals",
        "interpolations",
        "curves",
        "latent",
    ):
        assert "highest mean SSIM" in said[key].caption, key
    assert "seed with the median SSIM" in said["extremes"].caption
    assert top(grid) in said["reconstructions"].caption
    assert "(SSIM 0." in said["reconstructions"].caption
    assert said["time"].title == "SSIM against training time: digits"


def test_cells_of_a_heat_map_hold_the_highest_mean_and_the_lightest_is_best(grid: Grid) -> None:
    (drawn,) = FIGURES["heat_map"].draw(Shown(grid, "digits", Loaders(None, None)))
    axes = next(axes for axes in drawn.figure.axes if axes.get_title(loc="left") == "conv")
    highest = max(one.mean("ssim") for one in grid.configurations if one.model == "conv")
    table = np.asarray(axes.images[0].get_array())
    assert table.max() == pytest.approx(highest)
    (frame,) = axes.patches
    line, column = np.unravel_index(table.argmax(), table.shape)
    assert (round(frame.get_x() + 0.47), round(frame.get_y() + 0.44)) == (column, line)
    low, high = (sum(axes.images[0].cmap(value)[:3]) for value in (0.0, 1.0))
    assert low < high
    assert "higher (lighter) is better" in drawn.caption


def test_fronts_and_tables_take_the_metric_the_right_way_up(grid: Grid) -> None:
    tables = {view.name: view for view in analysis_tables(grid, {})}
    fronts = tables["fronts-1"]
    titles = [column.label for column in fronts.columns]
    assert {"SSIM and training time", "SSIM and parameters"} <= set(titles)
    labels = [", ".join(cell.text for cell in row[: len(grid.varying)]) for row in fronts.rows]
    at = titles.index("SSIM and parameters")
    best = max(grid.configurations, key=lambda one: one.mean("ssim"))
    own = ", ".join(value_text(best.axes[axis]) for axis in grid.varying)
    assert fronts.rows[labels.index(own)][at].text == "yes"
    assert [row[0].text for row in tables["ranks-1"].rows] == ["SSIM", "MSE per pixel"]
    assert "SSIM, share" in [column.label for column in tables["variance-1"].columns]
    (summary,) = summary_tables(grid)
    first = min((column for column in summary.columns if column.rank), key=lambda column: column.rank)
    assert first.key == "ssim", "on narrow paper it goes last"


def test_no_error_no_word_on_its_logarithm_or_floor(demo: object) -> None:
    grid = Grid.of(demo.records, metrics=("ssim",))
    variance = next(view for view in analysis_tables(grid, {}) if view.name == "variance-1")
    assert "logarithm" not in variance.note
    assert "P is of the F test" in variance.note
    drawn = FIGURES["against_axis"].draw(Shown(grid, "digits", Loaders(None, None)))
    assert not any("floor" in one.caption for one in drawn)


def test_trials_show_the_metric_and_the_median_seed_by_it(demo: object, grid: Grid) -> None:
    parts = trial_parts(grid, demo.records, loaders(demo), "results/digits")
    assert all(part.headline.startswith("SSIM 0.") for part in parts.items)
    three = grid.configurations[0]
    seeds = sorted(three.trials, key=lambda trial: -trial.metrics["ssim"])
    assert three.representative("ssim") is seeds[(len(seeds) - 1) // 2]


def test_a_metric_that_no_trial_has_is_given_as_the_reason(demo: object) -> None:
    records = [replace(one, metrics={**one.metrics, "psnr": math.nan}) for one in demo.records]
    found = [one for one in draw(Grid.of(records, metrics=("psnr",)), loaders(demo)) if isinstance(one, LeftOut)]
    reasons = {one.title.partition(":")[0]: one.reason for one in found}
    for title in ("Reconstructions", "Interpolations", "Samples from the prior", "Training curves"):
        assert reasons[title] == "no finished trial has the metric that the best is chosen by, PSNR"


def test_the_figure_at_the_head_is_of_the_first_metric(
    demo: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def by_latent_size(*rest: object, **options: object) -> Iterator[object]:
        """Keep the figures that may stand at the head; to save all takes the most of a report's time."""
        return (one for one in draw(*rest, **options) if not isinstance(one, Drawn) or "-latent-" in one.key)

    monkeypatch.setattr("ablations.report.report.draw", by_latent_size)
    page = render(demo.source(metrics=BY_SSIM), tmp_path, latex=False, embedding="pca").html.read_text("utf-8")
    head, _ = page.split("<main>")
    assert "SSIM against latent size" in head
    assert "MSE per pixel against latent size" not in head


def test_a_study_s_file_says_so(tmp_path: Path, echo: type[Executor], capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(
        '[fixed]\nmodel = "dense_vae"\ndata.limit = 64\n[axes]\nlatent_dim = [2, 4]\n'
        '[report]\nmetrics = ["ssim", "sse"]\n'
    )
    words = [str(file), "--results", str(tmp_path), "--executor", "echo", "--no-pdf"]
    assert main(["run", *words]) == 0
    page = (tmp_path / "mine" / "report" / "index.html").read_text("utf-8")
    for said in ("Highest SSIM", "Lowest squared error per image", "SSIM against latent size"):
        assert said in page
    assert "Lowest MSE" not in page
    folder = str(tmp_path / "mine")
    capsys.readouterr()
    assert main(["compare", folder, folder]) == 0
    assert "of SSIM, squared error per image:" in capsys.readouterr().out, "and so they are what changes are told of"
