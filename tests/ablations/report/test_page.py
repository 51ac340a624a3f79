"""What only the HTML page has: its head, the latent explorer, and a part for each trial."""

import base64
import io
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from PIL import Image

from ablations.analysis.grid import Grid
from ablations.report import explorer, report
from ablations.report import parts as trialparts
from ablations.report.explorer import explore
from ablations.report.figures import FIGURES, Shown
from ablations.report.findings import Answer, Statement, answer
from ablations.report.headlines import headlines, supporting
from ablations.report.loaders import Loaders
from ablations.report.parts import linked, trial_parts
from ablations.report.report import render
from ablations.report.sprites import sprite
from ablations.report.tables.trials import trial_table


def pixels(uri: str) -> NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))))


def loaders(demo: Any) -> Loaders:
    source = demo.source()
    return Loaders(source.history, source.arrays)


@pytest.fixture(scope="module")
def demo(study: ModuleType) -> Any:
    return study.demo()


@pytest.mark.parametrize("channels", [1, 3])
def test_a_sprite_keeps_every_pixel(channels: int) -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (3, 4, 5, 6, channels), dtype=np.uint8)
    made = sprite(pictures)
    found = pixels(made.uri)[..., :channels]
    assert (made.rows, made.columns, made.height, made.width) == (3, 4, 5, 6)
    np.testing.assert_array_equal(found[5:10, 18:24], pictures[1, 3])
    np.testing.assert_array_equal(found[10:15, :6], pictures[2, 0])


def test_a_sprite_of_large_pictures_holds_their_means() -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (1, 2, 130, 129, 1), dtype=np.uint8)
    made = sprite(pictures)
    assert (made.height, made.width) == (43, 43), "steps of 3 pixels"
    found = pixels(made.uri)[..., 0]
    assert found[0, 43] == np.rint(pictures[0, 1, :3, :3].astype(float).mean())


def test_the_explorer_offers_the_best_of_each_model_and_size_and_a_plane_early(demo: Any) -> None:
    found = explore(Grid.of(demo.records), loaders(demo))
    assert len(found) == 8, "of nine kinds"
    kinds = [tuple(one.label.split(", ")[:2]) for one in found]
    assert len(set(kinds)) == 8
    errors = [float(re.search(r"MSE per pixel ([\d.]+)|MSE ([\d.]+)", one.label)[0].split()[-1]) for one in found]
    assert errors[2:] == sorted(errors[2:])
    assert errors[0] == min(errors)
    assert [sheet.kind for sheet in found[1].sheets] == ["plane", "walk", "dimension"]
    assert all(sheet.kind != "plane" for one in found if "latent size 2" not in one.label for sheet in one.sheets)


def test_the_plane_shows_z2_upwards(demo: Any) -> None:
    grid = Grid.of(demo.records)
    sheet = explore(grid, loaders(demo))[1].sheets[0]
    found = pixels(sheet.sprite.uri)[..., 0]
    planes = [arrays["plane"] for arrays in demo.arrays.values() if "plane" in arrays]
    assert any(
        np.array_equal(found[:8, :8], plane[-1, 0, ..., 0]) and np.array_equal(found[-8:, -8:], plane[0, -1, ..., 0])
        for plane in planes
    )
    assert sheet.columns[0] == "\N{MINUS SIGN}3.00"
    assert sheet.rows[0] == "3.00"
    assert sheet.rows[sheet.start[0]] == sheet.columns[sheet.start[1]] == "0.00"


def test_old_records_have_no_explorer_and_all_else(
    study: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "draw", lambda *_, **__: [])  # figures take seconds and have tests of their own
    made = study.demo(models=("conv",), latents=(2, 8), weights=(1e-4,), ssim_weights=(0.0,), broken=False)
    new = {"plane", "class_walks", "traversals"}
    old = {trial: {name: one for name, one in found.items() if name not in new} for trial, found in made.arrays.items()}
    source = made.source(arrays=lambda record: old[record.trial])
    assert explore(Grid.of(made.records), Loaders(source.history, source.arrays)) == []
    text = render(source, tmp_path, latex=False, embedding="pca").html.read_text("utf-8")
    assert 'id="explorer"' not in text
    assert 'href="#explorer"' not in text
    assert text.count('class="trial"') == len(made.records)


def test_examples_without_labels_are_called_by_their_place(demo: Any) -> None:
    bare = {"labels", "example_labels"}
    arrays = {
        trial: {key: one for key, one in found.items() if key not in bare} for trial, found in demo.arrays.items()
    }
    found = explore(Grid.of(demo.records), Loaders(demo.source().history, lambda one: arrays.get(one.trial, {})))
    (walk,) = (sheet for sheet in found[0].sheets if sheet.kind == "walk")
    assert walk.names[:2] == ("example 1", "example 2")
    assert "class" not in walk.alt


def test_the_explorer_stops_where_the_page_is_full(demo: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(explorer, "_PIXELS", 90_000)  # of two, not of three
    assert len(explore(Grid.of(demo.records), loaders(demo))) == 2
    monkeypatch.setattr(explorer, "_PIXELS", 1)
    assert len(explore(Grid.of(demo.records), loaders(demo))) == 1, "one always"


def test_a_part_holds_what_differs_all_digits_and_the_command(demo: Any) -> None:
    parts = trial_parts(Grid.of(demo.records), demo.records, loaders(demo), "results/digits")
    assert len(parts.items) == len(demo.records)
    assert parts.note == ""
    record, part = demo.records[5], parts.items[5]
    assert dict(part.settings) == {"model.name": "dense", "model.latent_dim": "16"}, "the data set is the same in all"
    assert dict(part.numbers)["MSE per pixel"] == repr(record.metrics["mse"])
    assert dict(part.numbers)["parameters"] == str(record.metrics["parameters"])
    assert part.command == f"vaebench rerun results/digits/trials/{record.trial}"
    assert part.pictures is not None
    assert (part.pictures.rows, part.pictures.columns) == (2, 10)
    found = pixels(part.pictures.uri)[..., 0]
    np.testing.assert_array_equal(found[8:16, :8], demo.arrays[record.trial]["reconstructions"][0, ..., 0])
    (failed,) = (part for part in parts.items if part.status == "failed")
    assert "DivergedError" in failed.reason
    assert (failed.command, failed.curve, failed.pictures) == ("", None, None)


def test_a_curve_lies_where_its_numbers_are(demo: Any) -> None:
    history = pd.DataFrame({"loss": [9.0, 5.0, 1.0], "val_loss": [8.0, np.nan, 2.0]})
    one = Loaders(lambda _: history, lambda _: {})
    curve = trial_parts(Grid.of(demo.records), demo.records[:1], one, "r").items[0].curve
    assert curve is not None
    assert [line.name for line in curve.lines] == ["training", "validation"]
    corners = [tuple(map(float, point.split(","))) for point in curve.lines[0].points.split()]
    assert corners == [(2, 3), (120, 36), (238, 69)]
    assert len(curve.lines[1].points.split()) == 2, "what is not finite is not drawn"
    assert "from 1 to 9" in curve.text
    assert "Validation: first 8, last 2, lowest 2 in epoch 3." in curve.text
    assert "logarithmic" not in curve.text


@pytest.mark.parametrize(("values", "expected"), [([np.nan] * 2, None), ([100.0, 10.0, 1.0], "logarithmic scale")])
def test_curves_of_nothing_and_of_decades(demo: Any, values: list[float], expected: str | None) -> None:
    one = Loaders(lambda _: pd.DataFrame({"loss": values}), lambda _: {})
    curve = trial_parts(Grid.of(demo.records), demo.records[:1], one, "r").items[0].curve
    if expected is None:
        assert curve is None
        return
    assert curve is not None
    assert expected in curve.text
    heights = [float(point.split(",")[1]) for point in curve.lines[0].points.split()]
    assert heights[1] == pytest.approx((heights[0] + heights[2]) / 2)


def test_many_trials_have_pictures_of_the_median_seed_alone(demo: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trialparts, "_PICTURES_OF_ALL", 50)
    grid = Grid.of(demo.records)
    parts = trial_parts(grid, demo.records, loaders(demo), "results/digits")
    medians = {one.representative("mse").trial for one in grid.configurations if one.trials}
    pictured = {part.folder.removeprefix("trials/") for part in parts.items if part.pictures}
    assert pictured == medians
    assert len(parts.items) == len(demo.records)
    assert parts.note.endswith("those of the others lie in results/digits/trials/.")


def test_too_many_trials_have_parts_of_the_best_configurations_alone(
    demo: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trialparts, "_MOST", 20)
    monkeypatch.setattr(trialparts, "_PICTURES_OF_ALL", 10)
    grid = Grid.of(demo.records)
    parts = trial_parts(grid, demo.records, loaders(demo), "results/digits")
    assert len(parts.items) == 20
    assert "54 trials are too many for one page" in parts.note
    view = linked(trial_table(grid, demo.records, ()), demo.records, parts)
    links = [row[0].link for row in view.rows if row[0].link]
    assert sorted(links) == sorted(f"#{part.anchor}" for part in parts.items)
    assert len(view.rows) == 54, "the table has them all"
    best = min((one for one in demo.records if one.metrics), key=lambda one: one.metrics["mse"])
    of_best = {one.trial for one in demo.records if {**one.axes, "seed": 0} == {**best.axes, "seed": 0}}
    assert of_best & {part.folder.removeprefix("trials/") for part in parts.items}


def test_pictures_stop_where_the_page_is_full(demo: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trialparts, "_PICTURE_LETTERS", 5_000)
    parts = trial_parts(Grid.of(demo.records), demo.records, loaders(demo), "r")
    pictured = [part for part in parts.items if part.pictures]
    assert 1 <= len(pictured) < 10
    assert sum(len(part.pictures.uri) for part in pictured[:-1]) <= 5_000
    assert "Pictures are shown of" in parts.note


def test_the_headline_is_the_answers_first_sentence(demo: Any) -> None:
    (one,) = headlines(answer(Grid.of(demo.records), {}))
    assert one.lead == "The best"
    assert re.fullmatch(
        r"Of conv, latent size 16: .* reconstructs best; .* samples best\. What reconstructs .*", one.text
    )
    answers = [Answer(name, (Statement("No result", "Nothing. Can be said."),)) for name in "abcd"]
    found = headlines(answers)
    assert [one.dataset for one in found] == ["a", "b", "c"], "as many as the head has room for"
    assert found[0].text == "Nothing. Can be said."


def test_the_figure_at_the_head_is_the_errors(
    study: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    two = ("ssim", "mse")

    def draw(grid: Grid, loaders: Loaders, **_: object) -> Iterable[object]:
        return FIGURES["against_latent"].draw(Shown(replace(grid, metrics=two), "digits", loaders))

    monkeypatch.setattr(report, "draw", draw)
    made = study.demo(models=("conv",), latents=(2, 8), weights=(1e-4,), ssim_weights=(0.0,), broken=False)
    text = render(made.source(), tmp_path, latex=False, embedding="pca").html.read_text("utf-8")
    head, rest = text.split("<main>")
    assert head.count("<figure") == 1
    assert "MSE per pixel against latent size" in head
    ids = re.findall(r'<figure id="(figure-\d+)"', text)
    assert len(ids) == len(set(ids)), "it is not shown twice"
    assert 'href="#figure-2"' in rest
    assert supporting([], "mse") is None


def test_hostile_trials_are_text(study: ModuleType, tmp_path: Path) -> None:
    made = study.demo(models=("conv",), latents=(2,), weights=(1e-4,), ssim_weights=(0.0,), seeds=(0,), broken=False)
    name = f"{study.HOSTILE[0]} {study.HOSTILE[2]}-00000000"
    (record,) = made.records
    spec: Mapping[str, Any] = {"model": {"name": study.HOSTILE[0]}}
    records = [replace(record, trial=name, spec=spec), replace(record, spec={"model": {"name": "b"}})]
    source = made.source(records=records, arrays=lambda _: {}, history=lambda _: pd.DataFrame())
    text = render(source, tmp_path / "s <b>" / "report", latex=False).html.read_text("utf-8")
    assert study.HOSTILE[0] not in text
    assert "\x1b" not in text
    parts = re.findall(r'<div class="part" id="([^"]*)"', text)
    assert len(parts) == 2
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+", anchor) and f'href="#{anchor}"' in text for anchor in parts)
    assert "vaebench rerun &#39;results/s &lt;b&gt;/trials/" in text
