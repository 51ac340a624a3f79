"""A damaged file of a trial costs its pictures, and the report names the file and the remedy."""

import html
import re
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ablations.records.store import Store
from ablations.report.figures.latent_maps import embedded
from ablations.report.report import Rendered, render
from bench import synthetic


@pytest.fixture
def demo() -> synthetic.Demo:
    return synthetic.demo(models=("conv",), latents=(2, 8), weights=(1e-4,), ssim_weights=(0.0,), broken=False)


@pytest.fixture
def store(tmp_path: Path, demo: synthetic.Demo) -> Store:
    store = Store(tmp_path / "mine")
    for record in demo.records:
        with store.commit(record.trial) as draft:
            draft.write_record(record)
            draft.write_history(demo.histories[record.trial].to_dict("records"))
            draft.write_arrays(demo.arrays[record.trial])
    return store


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the figures out: a part of the page for each trial reads all that it left."""
    monkeypatch.setattr("ablations.report.report.draw", lambda *_, **__: ())


def report(demo: synthetic.Demo, store: Store) -> Rendered:
    source = demo.source(history=store.history, arrays=store.arrays)
    return render(source, store.report, latex=False, embedding="pca")


def text(made: Rendered) -> str:
    return html.unescape(re.sub(r"\s+", " ", made.html.read_text("utf-8")))


def flip(path: Path) -> None:
    """Flip a bit in the middle of the largest member of a zip file."""
    with zipfile.ZipFile(path) as archive:
        largest = max(archive.infolist(), key=lambda info: info.compress_size)
    content = bytearray(path.read_bytes())
    content[largest.header_offset + 100 + largest.compress_size // 2] ^= 4
    path.write_bytes(content)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:200])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def other(path: Path) -> None:
    path.write_bytes(b"\x80\x04pickled or not, this is something else")


def words(path: Path) -> None:
    path.write_text("epoch,loss\n1,high\n")


def no_epoch(path: Path) -> None:
    path.write_text("loss\n0.5\n")


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    ("file", "damage", "left_out"),
    [
        ("arrays.npz", flip, "pictures"),
        ("arrays.npz", cut, "pictures"),
        ("arrays.npz", empty, "pictures"),
        ("arrays.npz", other, "pictures"),
        ("history.csv", empty, "curves"),
        ("history.csv", words, "curves"),
        ("history.csv", no_epoch, "curves"),
    ],
)
def test_the_file_and_the_remedy_are_named(
    demo: synthetic.Demo, store: Store, file: str, damage: Callable[[Path], None], left_out: str
) -> None:
    whole = report(demo, store)
    assert whole.damaged == ()
    assert "is damaged" not in text(whole)
    trial = demo.records[0].trial
    damage(store.trials / trial / file)
    made = report(demo, store)
    (notice,) = made.damaged
    folder = f"results/mine/trials/{trial}"
    assert re.fullmatch(
        rf"{folder}/{file} is damaged \(.+\): the {left_out} of this trial are left out; its numbers stand\. "
        rf"To have them again, remove {folder} and run the study again\.",
        notice,
    )
    assert notice in text(made)


@pytest.mark.parametrize("file", ["arrays.npz", "history.csv"])
def test_the_other_trials_have_their_pictures(demo: synthetic.Demo, store: Store, file: str) -> None:
    first = next(one.trial for one in demo.records if one.axes["latent_dim"] == 2)
    empty(store.trials / first / file)
    made = report(demo, store)
    assert any(file.name.startswith("reconstructions") for file in made.figures)
    assert any(file.name.startswith("curves") for file in made.figures)


def test_with_all_of_them_damaged_there_still_is_a_report(demo: synthetic.Demo, store: Store) -> None:
    for record in demo.records:
        for file in ("arrays.npz", "history.csv"):
            empty(store.trials / record.trial / file)
    made = report(demo, store)
    assert len(made.damaged) == 2 * len(demo.records)
    assert "Reconstructions: digits" in [one.title for one in made.left_out]


SHAPES: Mapping[str, Callable[[np.ndarray[Any, Any]], np.ndarray[Any, Any]]] = {
    "examples": lambda array: array.ravel(),
    "reconstructions": lambda array: array[:3],
    "samples": lambda array: array[..., :4, :],
    "extreme_sse": lambda array: array[:, :0],
    "z_mean": lambda array: array[:, :1],
    "labels": lambda array: array.astype(str),
    "interpolations": lambda array: array.astype(np.float32),
    "traversed": lambda array: array + 0.5,
    "plane_values": lambda array: array[:-1],
    "nearest_mse": lambda array: array[None],
    "class_walk_labels": lambda array: array[:, :1],
}


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("name", SHAPES)
def test_arrays_of_another_shape_or_kind_are_damaged(demo: synthetic.Demo, store: Store, name: str) -> None:
    trial = next(one.trial for one in demo.records if one.axes["latent_dim"] == 2)
    arrays = demo.arrays[trial]
    np.savez(store.trials / trial / "arrays.npz", **arrays | {name: SHAPES[name](arrays[name])})
    (notice,) = report(demo, store).damaged
    assert f"{trial}/arrays.npz is damaged (" in notice


@pytest.mark.parametrize(
    "wrong", [np.zeros((3, 2)), np.zeros((400, 3)), np.full((400, 2), np.nan), np.zeros(800, "U1")]
)
def test_a_cached_map_of_another_shape_is_made_again(tmp_path: Path, wrong: np.ndarray[Any, Any]) -> None:
    points = np.random.default_rng(0).standard_normal((400, 4)).astype(np.float32)
    first = embedded(points, "pca", tmp_path)
    (cached,) = tmp_path.iterdir()
    np.save(cached, wrong)
    assert np.array_equal(embedded(points, "pca", tmp_path), first)
    assert np.array_equal(np.load(cached), first)


@pytest.mark.usefixtures("quick")
def test_many_are_counted(demo: synthetic.Demo, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ablations.report.damage._LISTED", 2)
    for record in demo.records:
        empty(store.trials / record.trial / "history.csv")
    made = report(demo, store)
    assert len(made.damaged) == 3
    assert made.damaged[-1] == f"{len(demo.records) - 2} more files are damaged."
