"""Figures: drawn from records alone, the same bytes twice, left out with a reason where there is nothing to see."""

import re
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from types import ModuleType

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.axes import Axes
from PIL import Image
from scipy import stats

from ablations.analysis.grid import Grid
from ablations.records.record import Record
from ablations.report.figures import FIGURES, Drawn, LeftOut, Shown, draw
from ablations.report.figures._choice import best_by_latent
from ablations.report.figures.latent_maps import embedded
from ablations.report.loaders import Loaders
from ablations.statistics.intervals import pareto_front


def loaders(demo: object) -> Loaders:
    source = demo.source()
    return Loaders(source.history, source.arrays)


NOTHING = Loaders(lambda _: pd.DataFrame(), lambda _: {})


def every(name: str, grid: Grid, demo: object = None, **changes: object) -> list[Drawn | LeftOut]:
    shown = Shown(grid, "digits", loaders(demo) if demo else NOTHING, "pca", **changes)
    return list(FIGURES[name].draw(shown))


def only(name: str, grid: Grid, demo: object = None, **changes: object) -> Drawn | LeftOut:
    (found,) = every(name, grid, demo, **changes)
    return found


def against_latent(grid: Grid, name: str = "mse") -> Drawn | LeftOut:
    return only("against_latent", replace(grid, metrics=(name,)))


def against_axis(grid: Grid, axis: str) -> Drawn:
    return next(found for found in every("against_axis", grid) if found.key == f"axis-{axis}-digits")


@pytest.fixture(scope="module")
def demo(study: ModuleType) -> object:
    return study.demo(models=("dense", "conv"), weights=(1e-4, 1e-2), ssim_weights=(0.0,))


@pytest.fixture(scope="module")
def grid(demo: object) -> Grid:
    return Grid.of(demo.records)


def test_every_figure_is_drawn_with_its_words(demo: object, grid: Grid) -> None:
    for name, found in FIGURES.items():
        drawn = every(name, grid, demo)
        assert bool(drawn) is not found.whole, "no search, no figure of it"
        for one in drawn:
            assert isinstance(one, Drawn), name
            assert one.key.endswith("-digits")
            assert one.caption.endswith(".")
            assert re.search(r"\d", one.alt), one.key


def test_figures_stand_in_the_order_of_their_numbers_data_set_by_data_set(study: ModuleType) -> None:
    few = {"models": ("conv",), "weights": (1e-4, 1e-2), "ssim_weights": (0.0,), "broken": False}
    made = study.joined(study.demo(**few), study.demo(dataset="faces", **few))
    grid = Grid.of(made.records)
    found = sorted(FIGURES.values(), key=lambda one: one.order)
    expected = [
        one.title
        for dataset in ("digits", "faces")
        for entry in found
        for one in entry.draw(Shown(grid, dataset, NOTHING))
    ]
    assert len({(one.whole, one.order) for one in found}) == len(found), "none leaves its place to chance"
    assert [one.title for one in draw(grid, NOTHING)] == expected
    assert len(set(expected)) == len(expected)


def test_drawing_leaves_matplotlib_as_it_was(grid: Grid) -> None:
    before = dict(mpl.rcParams)
    against_latent(grid).save("svg")
    assert dict(mpl.rcParams) == before


@pytest.mark.parametrize("suffix", ["svg", "png", "pdf"])
def test_the_same_records_give_the_same_bytes(grid: Grid, suffix: str) -> None:
    first, second = (against_latent(grid).save(suffix) for _ in range(2))
    assert first == second


def test_lines_go_through_the_means_and_points_are_seeds(grid: Grid) -> None:
    figure = against_latent(grid).figure
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
    assert grid.formats.spread("mse", best.spread("mse")) in against_latent(grid).alt


def test_one_latent_size_leaves_the_curve_out_with_a_reason(study: ModuleType) -> None:
    grid = Grid.of(study.demo(latents=(8,), models=("conv",)).records)
    left_out = against_latent(grid)
    assert isinstance(left_out, LeftOut)
    assert "one latent size only (8)" in left_out.reason


def test_interpolations_go_the_way_that_the_study_asks_for(study: ModuleType) -> None:
    made = study.demo(models=("conv",))
    grid = Grid.of(made.records)
    straight = only("interpolations", grid, made)
    round_ = only("interpolations", grid, made, path="spherical")
    assert isinstance(straight, Drawn)
    assert isinstance(round_, Drawn)
    assert "great circle" in round_.caption
    assert "great circle" not in straight.caption


def test_without_a_vae_what_needs_one_is_left_out(study: ModuleType) -> None:
    made = study.demo(models=("dense",))
    grid = Grid.of(made.records)
    reasons = [
        only("rate_distortion", grid),
        only("interpolations", grid, made),
        only("samples", grid, made),
        only("latent_maps", grid, made),
        only("latent_plane", grid, made),
        only("kl_by_dimension", grid, made),
        only("nearest_training_images", grid, made),
    ]
    assert all(isinstance(one, LeftOut) and "KL term" in one.reason for one in reasons)
    for name in ("reconstructions", "extremes", "error_by_class"):
        assert isinstance(only(name, grid, made), Drawn)
    moved = only("traversals", grid, made)
    assert isinstance(moved, Drawn)
    assert "variance of z_mean" in moved.caption
    assert "nats" not in moved.alt


def test_lost_files_leave_figures_out_and_break_nothing(demo: object, grid: Grid) -> None:
    drawn = list(draw(grid, NOTHING))
    left = [one.title for one in drawn if isinstance(one, LeftOut)]
    assert [title.split(":")[0] for title in left] == [
        "Reconstructions",
        "Worst and best reconstructions",
        "Error by class",
        "Interpolations",
        "Traversals of latent dimensions",
        "The decoded plane",
        "Latent maps",
        "KL by latent dimension",
        "Samples from the prior",
        "Samples by KL weight",
        "Samples and their nearest training images",
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
            "extreme_examples": (2, 8),
            "extreme_reconstructions": (2, 8),
            "traversals": (8, 9),
            "nearest": (32,),
        }.items():
            arrays[name] = rng.integers(0, 255, (*lead, *shape), dtype=np.uint8)
        if not labels:
            for name in ("example_labels", "interpolation_labels", "z_labels"):
                del arrays[name]
    grid = Grid.of(made.records)
    names = ("reconstructions", "interpolations", "samples", "extremes", "traversals", "nearest_training_images")
    for name in names:
        drawn = only(name, grid, made)
        picture = drawn.figure.axes[0].images[0]
        ratio = picture.get_array().shape[0] / picture.get_array().shape[1]
        box = drawn.figure.axes[0].get_window_extent()
        assert box.height / box.width == pytest.approx(ratio, rel=0.02), "pixels are square"
    assert drawn.save("png").startswith(b"\x89PNG")
    assert isinstance(only("latent_maps", grid, made), Drawn)


def test_names_that_are_code_are_drawn_as_text(study: ModuleType) -> None:
    few = {"latents": (2, 8), "weights": (1e-4,), "ssim_weights": (0.0,), "seeds": (0,)}
    made = study.demo(models=("dense", study.HOSTILE[1]), class_names=study.HOSTILE, broken=False, **few)
    for one in draw(Grid.of(made.records), loaders(made), embedding="pca"):
        if isinstance(one, LeftOut):
            assert one.reason in {
                "fewer than two settings besides the model vary",
                "one KL weight only: there is nothing to compare",
            }
        else:
            assert one.save("svg")


def test_curves_mean_the_seeds_and_bound_them(demo: object, grid: Grid) -> None:
    figure = only("training_curves", grid, demo).figure
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

    monkeypatch.setattr("ablations.report.figures.latent_maps.embed", embed)
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


COORDINATES = st.one_of(st.integers(0, 4).map(float), st.floats(-100, 100))


@given(st.lists(st.tuples(COORDINATES, COORDINATES), min_size=1, max_size=30), st.tuples(st.booleans(), st.booleans()))
def test_front_holds_exactly_what_nothing_beats(points: list[tuple[float, float]], maximize: tuple[bool, bool]) -> None:
    front = pareto_front(np.array(points), maximize)
    signs = [-1 if more else 1 for more in maximize]
    costs = [tuple(sign * value for sign, value in zip(signs, point, strict=True)) for point in points]
    for place, point in enumerate(costs):
        beaten = any(o[0] <= point[0] and o[1] <= point[1] and o != point for o in costs)
        assert front[place] == (not beaten)


def lines_of(axes: Axes) -> list[list[float]]:
    return [[float(y) for y in line.get_ydata()] for line in axes.lines]


def has_line(axes: Axes, expected: list[float]) -> bool:
    return any(len(line) == len(expected) and np.allclose(line, expected) for line in lines_of(axes))


def test_means_against_an_axis_are_over_the_same_settings_at_every_value(study: ModuleType) -> None:
    """The diverged trial's seed leaves its configuration's other values out too: the rest stays balanced."""
    made = study.demo(models=("conv", "conv-paper"), ssim_weights=(0.0,))
    grid = Grid.of(made.records)
    drawn = against_axis(grid, "kl_weight")
    assert isinstance(drawn, Drawn)
    assert "all combinations" in drawn.caption
    failed = next(one for one in made.records if one.status == "failed")
    expected = []
    for weight in (1e-4, 1e-2):
        whole = [
            one.metrics["mse"]
            for one in made.records
            if one.axes["model"] == "conv-paper"
            and one.axes["kl_weight"] == weight
            and one.axes["latent_dim"] != failed.axes["latent_dim"]
        ]
        expected.append(float(np.mean(whole)))
    assert has_line(drawn.figure.axes[0], expected)
    names = [text.get_text() for text in drawn.figure.axes[-1].texts]
    assert sorted(names) == ["conv", "conv-paper"]


def test_models_that_share_no_settings_are_compared_at_their_best(demo: object, grid: Grid) -> None:
    """The dense autoencoder has no KL weight: each point takes the best of its model and latent size."""
    drawn = against_axis(grid, "model")
    assert isinstance(drawn, Drawn)
    assert "configuration that is best" in drawn.caption
    expected = [
        min(one.mean("mse") for one in grid.within("digits") if one.model == model and one.latent_dim == 8)
        for model in ("dense", "conv")
    ]
    assert has_line(drawn.figure.axes[0], expected)
    floor = grid.configurations[0].mean("pca_mse")
    assert has_line(drawn.figure.axes[0], [floor, floor])


def test_intervals_need_three_seeds(study: ModuleType) -> None:
    few = {"models": ("conv",), "ssim_weights": (0.0,), "broken": False}

    def bars(seeds: tuple[int, ...]) -> list[np.ndarray]:
        drawn = against_axis(Grid.of(study.demo(seeds=seeds, **few).records), "kl_weight")
        assert isinstance(drawn, Drawn)
        return [bar.get_segments()[0] for bar in drawn.figure.axes[0].collections]

    assert bars((0, 1)) == []
    grid = Grid.of(study.demo(seeds=(0, 1, 2), **few).records)
    (_, low), (_, high) = bars((0, 1, 2))[0]
    seeds = [
        np.mean(
            [
                one.metrics["mse"]
                for c in grid.configurations
                if c.axes["kl_weight"] == 1e-4
                for one in c.trials
                if one.axes["seed"] == seed
            ]
        )
        for seed in (0, 1, 2)
    ]
    interval = stats.t.interval(0.95, 2, np.mean(seeds), stats.sem(seeds))
    assert (low, high) == pytest.approx(interval, rel=1e-9)


def test_a_varying_axis_of_any_kind_has_its_figure(study: ModuleType) -> None:
    made = study.demo(models=("conv",), latents=(2, 8), weights=(1e-4,), ssim_weights=(0.0,), seeds=(0, 1))
    records = []
    for level in ("mirrored", "paper with a long name", "third"):
        records += [
            replace(one, trial=f"{level}-{one.trial}", axes={"decoder": level, **one.axes}) for one in made.records
        ]
    for flag in (True, False):
        records += [
            replace(one, trial=f"{flag}-{one.trial}", axes={"flag": flag, "decoder": "third", **one.axes})
            for one in made.records
        ]
    grid = Grid.of(records)
    assert {found.key for found in every("against_axis", grid)} == {"axis-decoder-digits", "axis-flag-digits"}
    for axis, levels in (("decoder", 3), ("flag", 2)):
        drawn = against_axis(grid, axis)
        assert isinstance(drawn, Drawn)
        assert len(drawn.figure.axes[0].get_xticks()) == levels


def test_cells_of_a_heat_map_hold_the_lowest_mean_in_print(study: ModuleType) -> None:
    made = study.demo(models=("conv", "dense"))
    grid = Grid.of(made.records)
    drawn = only("heat_map", grid)
    assert isinstance(drawn, Drawn)
    assert drawn.key == "heat-latent_dim-kl_weight-digits"
    (axes,) = drawn.figure.axes  # the dense autoencoder has no KL weight
    printed = {text.get_position(): text.get_text() for text in axes.texts}
    for (column, line), text in printed.items():
        latent, weight = (2, 8, 16)[round(column)], (1e-4, 1e-2)[round(line)]
        means = [
            one.mean("mse")
            for one in grid.within("digits")
            if one.axes["latent_dim"] == latent and one.axes["kl_weight"] == weight
        ]
        assert text == grid.formats.number("mse", min(means))
    assert len(printed) == 6


def test_the_paper_s_figure_9_is_drawn_where_both_its_axes_vary(study: ModuleType) -> None:
    made = study.demo(models=("conv",), ssim_weights=(0.0,), seeds=(0,), broken=False)
    records = [
        replace(one, trial=f"{one.trial}-{rate}", axes={**one.axes, "learning_rate": rate})
        for one in made.records
        for rate in (5e-4, 1e-3)
    ]
    drawn = every("heat_map", Grid.of(records))
    assert [found.key for found in drawn] == [
        "heat-latent_dim-kl_weight-digits",
        "heat-latent_dim-learning_rate-digits",
    ]


def test_bars_are_the_nats_of_the_dimensions_sorted_and_pale_where_inactive(study: ModuleType) -> None:
    made = study.demo(models=("conv",), latents=(4,), weights=(1e-4,), ssim_weights=(0.0,), seeds=(0,), broken=False)
    grid = Grid.of(made.records)
    (arrays,) = made.arrays.values()
    arrays["kl_per_dimension"] = np.array([0.0001, 3.0, 0.5, 0.02], np.float32)
    arrays["z_mean"] = np.random.default_rng(0).standard_normal((400, 4)).astype(np.float32) * [0.01, 1, 1, 0.01]
    drawn = only("kl_by_dimension", grid, made)
    assert isinstance(drawn, Drawn)
    bars = {round(bar.get_x() + bar.get_width() / 2): bar for bar in drawn.figure.axes[0].patches}
    assert [bars[place].get_height() for place in (1, 2, 3, 4)] == pytest.approx([3, 0.5, 0.02, 0.001])
    strong, pale = bars[1].get_facecolor(), bars[4].get_facecolor()
    assert [bars[place].get_facecolor() for place in (2, 3)] == [strong, pale]
    assert strong != pale
    assert "3 of 4 dimensions above 0.01 nats" in drawn.alt


def test_errors_by_class_are_the_classes_means(demo: object, grid: Grid) -> None:
    drawn = only("error_by_class", grid, demo)
    assert isinstance(drawn, Drawn)
    one = min((item for item in grid.within("digits") if item.model == "conv"), key=lambda item: item.mean("mse"))
    means = []
    for trial in one.trials:
        arrays = demo.arrays[trial.trial]
        means.append([arrays["sse_per_image"][arrays["labels"] == label].mean() for label in range(10)])
    expected = np.mean(means, axis=0)
    points = sorted(float(line.get_xdata()[0]) for line in drawn.figure.axes[0].lines if len(line.get_xdata()) == 1)
    for value in expected:
        assert np.isclose(points, value).any()
    names = [label.get_text() for label in drawn.figure.axes[0].get_yticklabels()]
    assert sorted(names) == [str(label) for label in range(10)]


def test_the_errors_of_extremes_and_neighbours_are_printed(demo: object, grid: Grid) -> None:
    one = min((item for item in grid.within("digits") if item.model == "conv"), key=lambda item: item.mean("mse"))
    arrays = demo.arrays[one.representative("mse").trial]
    drawn = only("extremes", grid, demo)
    printed = {text.get_text() for text in drawn.figure.axes[0].texts}
    assert {f"{error:.3g}" for error in arrays["extreme_sse"].flat} <= printed
    drawn = only("nearest_training_images", grid, demo)
    printed = {text.get_text() for text in drawn.figure.axes[0].texts}
    assert grid.formats.number("mse", float(arrays["nearest_mse"].min())) in printed
    for name in ("nearest_mse", "nearest_mse_test"):
        assert grid.formats.number("mse", float(arrays[name].mean())) in drawn.caption


def test_pictures_are_of_few_configurations_and_of_few_bytes(study: ModuleType) -> None:
    made = study.demo(
        models=[f"net-{place}" for place in range(7)],
        latents=range(2, 10),
        weights=(1e-4,),
        ssim_weights=(0.0,),
        seeds=(0,),
        broken=False,
    )
    grid = Grid.of(made.records)
    read: list[str] = []

    def arrays(record: Record) -> dict[str, np.ndarray]:
        read.append(record.trial)
        return made.arrays[record.trial]

    pages = [
        one
        for one in draw(grid, Loaders(made.source().history, arrays), embedding="pca")
        if isinstance(one, Drawn) and one.pictures
    ]
    assert {one.key.rsplit("-", 1)[0] for one in pages} >= {"reconstructions", "extremes", "traversals", "samples"}
    assert len(read) == len(set(read)) <= 24, "each trial is read once, and few are"
    assert all("6 of 7 models" in one.caption for one in pages if one.key.startswith(("reconst", "samples")))
    for one in pages:
        assert len(one.save("png")) < 150_000, one.key


def test_a_grey_picture_is_saved_in_grey_and_a_coloured_one_keeps_its_colours(demo: object, grid: Grid) -> None:
    page = only("reconstructions", grid, demo).save("png")
    with Image.open(BytesIO(page)) as picture:
        assert picture.mode == "L"
    with Image.open(BytesIO(against_latent(grid).save("png"))) as picture:
        assert len(picture.convert("RGB").getcolors(10**6)) > 10


def test_failed_trials_are_in_no_figure(demo: object) -> None:
    failed = [replace(one, status="failed", reason="x", metrics={}, timings={}) for one in demo.records]
    grid = Grid.of(failed)
    assert all(isinstance(one, LeftOut) for one in draw(grid, loaders(demo)))
    assert isinstance(only("error_against_time", grid), LeftOut)


def test_many_latent_sizes_take_no_more_room(study: ModuleType) -> None:
    demo = study.demo(models=("conv",), latents=range(2, 26), weights=(1e-4,), ssim_weights=(0.0,), seeds=(0,))
    grid = Grid.of(demo.records)
    found = [one.latent_dim for one in best_by_latent(grid, "digits")]
    assert (len(found), found[0], found[-1]) == (6, 2, 25)
    assert found == sorted(set(found))
    maps = only("latent_maps", grid, demo).figure
    assert len(maps.axes) == 4
    (axes,) = against_latent(grid).figure.axes
    assert len(axes.get_xticks()) == 10
    assert [label.get_text() for label in axes.get_xticklabels()][:: len(axes.get_xticks()) - 1] == ["2", "25"]


def test_more_weights_than_colours_are_one_line_of_the_best(study: ModuleType) -> None:
    weights = tuple(10.0**-power for power in range(1, 11))
    demo = study.demo(models=("conv",), latents=(2, 4), weights=weights, ssim_weights=(0.0,), seeds=(0,), broken=False)
    grid = Grid.of(demo.records)
    drawn = against_latent(grid)
    (legend,) = drawn.figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["KL weight: best of 10", "linear PCA"]
    assert "each point takes the best of 10 KL weights" in drawn.caption
    line = drawn.figure.axes[0].lines[0]
    lowest = [min(one.mean("mse") for one in grid.configurations if one.latent_dim == size) for size in (2, 4)]
    assert line.get_ydata().tolist() == pytest.approx(lowest)


@pytest.mark.parametrize("name", ["latent_plane", "reconstructions", "training_curves"])
def test_a_figure_is_the_same_whatever_a_matplotlibrc_says(name: str, grid: Grid, demo: object) -> None:
    theirs = {
        "image.origin": "lower",
        "text.usetex": True,
        "savefig.transparent": True,
        "savefig.bbox": "tight",
        "lines.linestyle": ":",
        "axes.facecolor": "black",
    }
    (plain, *_) = every(name, grid, demo)
    with mpl.rc_context(theirs):
        (drawn, *_) = every(name, grid, demo)
        picture = drawn.save("png")
        assert {setting: mpl.rcParams[setting] for setting in theirs} == theirs
    assert picture == plain.save("png")


def test_each_weight_has_its_row_of_samples(study: ModuleType) -> None:
    made = study.demo(models=("conv",), ssim_weights=(0.0,), broken=False)
    drawn = only("samples_by_weight", Grid.of(made.records), made)
    assert isinstance(drawn, Drawn)
    words = [text.get_text() for axes in drawn.figure.axes for text in axes.texts]
    assert len([word for word in words if "KL" in word]) == 3 * 2, "three latent sizes, two weights"
    assert drawn.alt.count(":") >= 6, "with the distance of each"
    alone = only("samples_by_weight", Grid.of(study.demo(models=("conv",), weights=(1e-4,)).records), made)
    assert isinstance(alone, LeftOut)


def test_reconstruction_stands_against_samples_with_its_floor(study: ModuleType) -> None:
    made = study.demo(models=("conv",), latents=(16,), broken=False)
    drawn = only("reconstruction_against_samples", Grid.of(made.records))
    assert isinstance(drawn, Drawn)
    (axes,) = drawn.figure.axes
    assert any(np.allclose(line.get_ydata(), 0.087) for line in axes.lines), "training images"
    assert "Training images: " in drawn.alt
    shaded = only("rate_distortion", Grid.of(made.records))
    assert isinstance(shaded, Drawn)
    assert "dark is better" in shaded.caption
    assert len(shaded.figure.axes) == 2, "with a bar of the colours"
    for record in made.records:
        del record.metrics["frechet_pca"]
    plain = only("rate_distortion", Grid.of(made.records))
    assert isinstance(plain, Drawn)
    assert len(plain.figure.axes) == 1
    left = only("reconstruction_against_samples", Grid.of(made.records))
    assert isinstance(left, LeftOut)
    assert "generation" in left.reason
