"""Figures: drawn from records alone, the same bytes twice, left out with a reason where there is nothing to see."""

import re
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ablations.configurations import Grid
from ablations.figures import (
    Drawn,
    LeftOut,
    Loaders,
    against_latent,
    draw,
    error_against_time,
    interpolations,
    latent_maps,
    rate_distortion,
    reconstructions,
    samples,
    training_curves,
)
from ablations.figures.maps import embedded
from ablations.figures.pictures import best_by_latent
from ablations.figures.tradeoffs import front


def loaders(demo: object) -> Loaders:
    source = demo.source()
    return Loaders(source.history, source.arrays)


@pytest.fixture(scope="module")
def demo(study: ModuleType) -> object:
    return study.demo(models=("dense", "conv"), weights=(1e-4, 1e-2), ssim_weights=(0.0,))


@pytest.fixture(scope="module")
def grid(demo: object) -> Grid:
    return Grid.of(demo.records)


def test_every_family_is_drawn_with_its_words(demo: object, grid: Grid) -> None:
    drawn = list(draw(grid, loaders(demo), embedding="pca"))
    assert [one.key for one in drawn] == [
        "mse-latent-digits",
        "ssim-latent-digits",
        "knn_accuracy-latent-digits",
        "rate-distortion-digits",
        "time-digits",
        "reconstructions-digits",
        "interpolations-digits",
        "samples-digits",
        "latent-digits",
        "curves-digits",
    ]
    for one in drawn:
        assert one.caption.endswith(".")
        assert re.search(r"\d", one.alt), one.key


def test_drawing_leaves_matplotlib_as_it_was(grid: Grid) -> None:
    before = dict(mpl.rcParams)
    against_latent(grid, "digits", "mse").save("svg")
    assert dict(mpl.rcParams) == before


@pytest.mark.parametrize("suffix", ["svg", "png", "pdf"])
def test_the_same_records_give_the_same_bytes(grid: Grid, suffix: str) -> None:
    first, second = (against_latent(grid, "digits", "mse").save(suffix) for _ in range(2))
    assert first == second


def test_lines_go_through_the_means_and_points_are_seeds(grid: Grid) -> None:
    figure = against_latent(grid, "digits", "mse").figure
    conv = next(axes for axes in figure.axes if axes.get_title(loc="left") == "conv")
    mean = [one.mean("mse") for one in grid.configurations if one.model == "conv" and one.axes["kl_weight"] == 1e-4]
    assert any(np.allclose(line.get_ydata(), mean) for line in conv.lines if len(line.get_ydata()) == 3)
    floor = sorted({one.mean("pca_mse") for one in grid.configurations}, reverse=True)
    assert any(np.allclose(line.get_ydata(), floor) for line in conv.lines if len(line.get_ydata()) == 3)
    seeds = grid.configurations[-1].values("mse")
    assert any(np.allclose(line.get_ydata(), seeds) for line in conv.lines if len(line.get_ydata()) == len(seeds))


def test_alt_text_has_the_numbers_of_the_table(grid: Grid) -> None:
    best = min(
        (one for one in grid.configurations if one.latent_dim == 16 and one.trials), key=lambda one: one.mean("mse")
    )
    assert grid.formats.spread("mse", best.spread("mse")) in against_latent(grid, "digits", "mse").alt


def test_one_latent_size_leaves_the_curve_out_with_a_reason(study: ModuleType) -> None:
    grid = Grid.of(study.demo(latents=(8,), models=("conv",)).records)
    left_out = against_latent(grid, "digits", "mse")
    assert isinstance(left_out, LeftOut)
    assert "one latent size only (8)" in left_out.reason


def test_interpolations_go_the_way_that_the_study_asks_for(study: ModuleType) -> None:
    made = study.demo(models=("conv",))
    grid = Grid.of(made.records)
    straight = interpolations(grid, "digits", loaders(made))
    round_ = interpolations(grid, "digits", loaders(made), "spherical")
    assert isinstance(straight, Drawn)
    assert isinstance(round_, Drawn)
    assert "great circle" in round_.caption
    assert "great circle" not in straight.caption


def test_without_a_vae_what_needs_one_is_left_out(study: ModuleType) -> None:
    made = study.demo(models=("dense",))
    grid = Grid.of(made.records)
    reasons = [
        rate_distortion(grid, "digits"),
        interpolations(grid, "digits", loaders(made)),
        samples(grid, "digits", loaders(made)),
        latent_maps(grid, "digits", loaders(made)),
    ]
    assert all(isinstance(one, LeftOut) and "KL term" in one.reason for one in reasons)
    assert isinstance(reconstructions(grid, "digits", loaders(made)), Drawn)


def test_lost_files_leave_figures_out_and_break_nothing(demo: object, grid: Grid) -> None:
    empty = Loaders(lambda _: pd.DataFrame(), lambda _: {})
    drawn = list(draw(grid, empty))
    left = [one.title for one in drawn if isinstance(one, LeftOut)]
    assert [title.split(":")[0] for title in left] == [
        "Reconstructions",
        "Interpolations",
        "Samples from the prior",
        "Latent maps",
        "Training curves",
    ]


@pytest.mark.parametrize(("shape", "labels"), [((40, 24, 3), True), ((8, 64, 1), False), ((64, 64, 3), False)])
def test_any_image_shape_is_laid_out(study: ModuleType, shape: tuple[int, int, int], labels: bool) -> None:
    made = study.demo(models=("conv",), latents=(2, 8), weights=(1e-4,), ssim_weights=(0.0,), seeds=(0,))
    rng = np.random.default_rng(0)
    for arrays in made.arrays.values():
        for name, lead in {
            "examples": (10,),
            "reconstructions": (10,),
            "interpolations": (3, 9),
            "samples": (32,),
        }.items():
            arrays[name] = rng.integers(0, 255, (*lead, *shape), dtype=np.uint8)
        if not labels:
            for name in ("example_labels", "interpolation_labels", "z_labels"):
                del arrays[name]
    grid = Grid.of(made.records)
    for draw_one in (reconstructions, interpolations, samples):
        drawn = draw_one(grid, "digits", loaders(made))
        picture = drawn.figure.axes[0].images[0]
        ratio = picture.get_array().shape[0] / picture.get_array().shape[1]
        box = drawn.figure.axes[0].get_window_extent()
        assert box.height / box.width == pytest.approx(ratio, rel=0.02), "pixels are square"
        assert drawn.save("png").startswith(b"\x89PNG")
    assert isinstance(latent_maps(grid, "digits", loaders(made), "pca"), Drawn)


def test_names_that_are_code_are_drawn_as_text(study: ModuleType) -> None:
    few = {"latents": (2, 8), "weights": (1e-4,), "ssim_weights": (0.0,), "seeds": (0,)}
    made = study.demo(models=("dense", study.HOSTILE[1]), class_names=study.HOSTILE, broken=False, **few)
    for one in draw(Grid.of(made.records), loaders(made), embedding="pca"):
        assert isinstance(one, Drawn), one
        assert one.save("svg")


def test_curves_mean_the_seeds_and_bound_them(demo: object, grid: Grid) -> None:
    figure = training_curves(grid, "digits", loaders(demo)).figure
    one = min((item for item in grid.within("digits") if item.model == "conv"), key=lambda item: item.mean("mse"))
    curves = np.stack([demo.histories[trial.trial]["val_reconstruction"] for trial in one.trials])
    lines = [np.asarray(line.get_ydata()) for line in figure.axes[0].lines]
    assert any(line.shape == (12,) and np.allclose(line, curves.mean(axis=0)) for line in lines)
    bands = [band.get_paths()[0].vertices for band in figure.axes[0].collections]
    assert any(np.isclose(band[:, 1].max(), curves.max()) for band in bands)


def test_embedding_is_computed_once_and_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def embed(z: np.ndarray, method: str = "tsne", seed: int = 0) -> np.ndarray:
        calls.append(method)
        return z[:, :2] * 2

    monkeypatch.setattr("ablations.figures.maps.embed", embed)
    points = np.random.default_rng(0).standard_normal((20, 5)).astype(np.float32)
    first = embedded(points, "tsne", tmp_path)
    assert np.array_equal(embedded(points.copy(), "tsne", tmp_path), first)
    assert calls == ["tsne"]
    embedded(points, "pca", tmp_path)
    embedded(points + 1, "tsne", tmp_path)
    assert calls == ["tsne", "pca", "tsne"]
    for file in tmp_path.iterdir():
        file.write_bytes(b"damaged")
    assert np.array_equal(embedded(points, "tsne", tmp_path), first)


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0, 100)), min_size=1, max_size=30))
def test_front_holds_exactly_what_nothing_beats(points: list[tuple[float, float]]) -> None:
    kept = front(points)
    for place, point in enumerate(points):
        beaten = any(o[0] <= point[0] and o[1] <= point[1] and o != point for o in points)
        if place in kept:
            assert not beaten
        elif not beaten:
            assert point in [points[i] for i in kept], "only a twin of a kept point is left out"


def test_failed_trials_are_in_no_figure(demo: object) -> None:
    failed = [replace(one, status="failed", reason="x", metrics={}, timings={}) for one in demo.records]
    grid = Grid.of(failed)
    assert all(isinstance(one, LeftOut) for one in draw(grid, loaders(demo)))
    assert isinstance(error_against_time(grid, "digits"), LeftOut)


def test_many_latent_sizes_take_no_more_room(study: ModuleType) -> None:
    demo = study.demo(models=("conv",), latents=range(2, 26), weights=(1e-4,), ssim_weights=(0.0,), seeds=(0,))
    grid = Grid.of(demo.records)
    found = [one.latent_dim for one in best_by_latent(grid, "digits")]
    assert (len(found), found[0], found[-1]) == (9, 2, 25)
    assert found == sorted(set(found))
    maps = latent_maps(grid, "digits", loaders(demo), "pca").figure
    assert len(maps.axes) == 9
    (axes,) = against_latent(grid, "digits", "mse").figure.axes
    assert len(axes.get_xticks()) == 10
    assert [label.get_text() for label in axes.get_xticklabels()][:: len(axes.get_xticks()) - 1] == ["2", "25"]
