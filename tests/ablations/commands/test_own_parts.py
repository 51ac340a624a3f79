"""The commands for parts of one's own: new, check, parts, evaluate, and results that are read without their code."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ablations.cli import KINDS_OF_PART, main
from ablations.commands.report import report
from ablations.records.store import Store
from ablations.study.study import Study
from vae.code import KINDS, part_hash
from vae.metrics import METRICS
from vae.plugins import forget
from vae.registry import Registry

Say = Callable[..., str]

STUDY = """
name = "mine"
plugins = ["mine.py"]
[fixed]
model = "dense_vae"
hidden_units = [8]
data.limit = 64
data.test_limit = 32
epochs = 1
[axes]
prior = ["standard", "mine"]
latent_dim = [2, 3]
[[exclude]]
prior = "mine"
latent_dim = 3
[report]
metrics = ["mse", "largest"]
[evaluate.largest]
quantile = 0.5
"""
METRIC = """
@vb.metric("largest", "largest error", better="lower", unit="grey")
def largest(outcome, quantile: float = 1.0):
    return np.quantile(np.abs(outcome.images - outcome.reconstructions).reshape(len(outcome.images), -1), quantile, 1)
"""


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Say:
    """Return a function: run a command in a folder of its own, and return what it prints."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "400")
    monkeypatch.setattr("ablations.report.report.draw", lambda *_, **__: ())

    def run(*words: str, code: int = 0) -> str:
        capsys.readouterr()
        got = main(words)
        told = capsys.readouterr()
        assert got == code, told.out + told.err
        return told.out + told.err

    return run


@pytest.fixture
def done(say: Say) -> Store:
    """Return the results of a study with a prior and a metric of its own."""
    say("new", "prior", "mine")
    with Path("mine.py").open("a", encoding="utf-8") as file:
        file.write(METRIC)
    Path("mine.toml").write_text(STUDY, encoding="utf-8")
    say("run", "mine.toml", "--executor", "inline", "--no-pdf")
    return Store(Path("results/mine"))


def test_every_kind_can_be_asked_for() -> None:
    assert {*KINDS_OF_PART} == {*KINDS}


@pytest.mark.parametrize("kind", KINDS)
def test_what_new_writes_is_complete(say: Say, kind: str) -> None:
    out = say("new", kind, "mine")
    assert [line.strip() for line in out.splitlines()[:3]] == ["mine.py", "test_mine.py", "mine.toml"]
    assert "0 broken" in say("check", "mine.py")
    study = Study.load("mine.toml")
    assert len(study) >= 4
    asked = [str(trial.spec.settings()) for trial in study.trials()]
    assert any("mine" in one for one in (*asked, *study.metrics))
    forget()
    assert "is there already: nothing was written" in say("new", kind, "mine", code=2)
    assert "expected letters, digits and underscores" in say("new", kind, "my-net", code=2)


@pytest.mark.parametrize(
    ("kind", "taken"), [("network", "conv"), ("metric", "mse"), ("features", "pca"), ("term", "kl")]
)
def test_a_taken_name_is_refused(say: Say, kind: str, taken: str) -> None:
    assert f"'{taken}' is there already" in say("new", kind, taken, code=2)


def test_columns_of_a_feature_space_of_ones_own_are_its_files(say: Say, tmp_path: Path) -> None:
    say("new", "features", "mine")
    say("parts", "--plugin", "mine.py")
    for name in ("frechet_mine", "frechet_mine_floor", "coverage_mine"):
        assert METRICS.place(name).door == "plugin"
        assert METRICS.place(name).path == tmp_path / "mine.py"
    assert METRICS.place("frechet_pca").door == "built in"
    shorter = Path("mine.toml").read_text(encoding="utf-8").replace("train.epochs = 5", "train.epochs = 1")
    Path("mine.toml").write_text(shorter.replace("[0, 1]", "[0]"), encoding="utf-8")
    say("run", "mine.toml", "--executor", "inline", "--no-pdf")
    table = pd.read_csv("results/mine/table.csv")
    assert len(table) == 2
    assert (table["frechet_mine"] > table["frechet_mine_floor"]).all()
    store = Store(Path("results/mine"))
    record = store.read(store.names()[0])
    assert record
    assert record.code["parts"]["metric frechet_mine"] == part_hash("metric", "frechet_mine")
    forget()
    assert "frechet_mine" not in METRICS


def test_every_part_is_listed_with_its_door(say: Say, tmp_path: Path) -> None:
    say("new", "network", "mine")
    listed = json.loads(say("parts", "--plugin", "mine.py", "--json"))
    rows = {(row["kind"], row["name"]): row for row in listed["parts"]}
    assert {name for kind, name in rows if kind == "network"} == {*KINDS["network"]}
    assert rows["network", "conv"]["from"] == "built in"
    assert rows["network", "mine"]["from"] == f"{tmp_path / 'mine.py'}, line 10"
    assert rows["network", "mine"]["settings"] == {"width": 64, "rate": 0.1}
    assert {kind for kind, _ in rows} >= {*KINDS, "design", "executor", "watcher", "figure", "finding"}
    assert listed["broken"] == []
    assert "rate = 0.1" in say("parts", "--plugin", "mine.py")


def test_a_broken_part_is_listed_with_its_error(say: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Registry, "broken", property(lambda one: {"odd": "no"} if one.kind == "model" else {}))
    out = say("parts", code=1)
    assert "broken network odd: no" in out


def test_results_are_read_without_the_plugin(say: Say, done: Store) -> None:
    forget()
    Path("mine.py").write_text("raise SystemExit('nobody asked for this')", encoding="utf-8")
    out = say("status", "results/mine")
    assert "3 done" in out
    assert "1 skipped" in out
    say("report", "results/mine", "--no-pdf")
    page = done.report.joinpath("index.html").read_text(encoding="utf-8")
    assert "largest error" in page, "what the metric says of its column is kept"
    table = pd.read_csv(done.table_csv)
    assert table.loc[table.status == "done", "largest"].notna().all()
    assert not table.stale.any()
    assert "largest error" in say("compare", "results/mine", "results/mine", "--metric", "largest")
    assert report("results/mine").html == done.report / "index.html"


def test_what_needs_the_code_asks_for_it(say: Say, done: Store) -> None:
    name = next(name for name in done.names() if "mine" in name)
    forget()
    trial = str(done.trials / name)
    assert "unknown prior 'mine'" in say("rerun", trial, code=2)
    Path("mine.py").unlink()
    assert "largest" in say("rerun", trial, "--plugins"), "its numbers, trained again, with the copies of the results"


def test_metrics_are_added_to_finished_trials(say: Say, done: Store) -> None:
    Path("more.py").write_text(
        "import vaebench as vb\n\n"
        '@vb.metric("reach", "reach", better="higher", expense="high")\n'
        "def reach(outcome, count: int = 50):\n"
        "    made = outcome.samples(count)\n"
        "    return None if made is None else float(made.max() - made.min())\n",
        encoding="utf-8",
    )
    before = {name: done.read(name) for name in done.names()}
    models = {name: (done.trials / name / "model.keras").read_bytes() for name in before}
    words = ("evaluate", "results/mine", "--plugins", "--plugin", "more.py", "--executor", "inline")
    out = say(*words, "--metrics", "reach")
    assert "measured 3 trials" in out
    for name, record in before.items():
        after = done.read(name)
        assert record is not None
        assert after is not None
        assert after.metrics == {**record.metrics, "reach": after.metrics["reach"]}
        assert 0 < float(after.metrics["reach"] or 0) <= 1
        assert after.digest == record.digest
        assert "metric reach" in after.code["parts"]
        assert (done.trials / name / "model.keras").read_bytes() == models[name]
    assert "reach" in pd.read_csv(done.table_csv).columns
    assert "measured 0 trials" in say(*words, "--metrics", "reach"), "what is measured is not measured again"
    forget()  # as whoever comes later, without the metric's file
    assert "older code" not in say("run", "mine.toml", "--executor", "inline", "--no-pdf")
    assert "reach" in pd.read_csv(done.table_csv).columns
    # Another setting is another measurement.
    text = done.study_file.read_text(encoding="utf-8")
    done.study_file.write_text(f"{text}\n[evaluate.reach]\ncount = 9\n", encoding="utf-8")
    assert "measured 3 trials" in say(*words, "--metrics", "reach")
    assert "unknown metric 'raech': did you mean 'reach'" in say(*words, "--metrics", "raech", code=2)
    assert "and not sent to a cluster" in say(*words[:-1], "ray", "--metrics", "reach", code=2)


def test_an_evaluation_setting_changes_no_digest() -> None:
    table: dict[str, Any] = {"name": "x", "axes": {"latent_dim": [2]}}
    one = Study.from_dict(table)
    other = Study.from_dict({**table, "evaluate": {"metrics": ["mse"]}})
    assert [trial.digest for trial in one.trials()] == [trial.digest for trial in other.trials()]
    assert list(other.metrics) == ["mse"]
    assert set(one.metrics) > {"mse", "kl"}


@pytest.mark.parametrize(
    ("evaluate", "message"),
    [
        ({"metrics": ["mes"]}, "evaluate.metrics: unknown metric 'mes': did you mean 'mse'"),
        ({"metrics": ["mse", "mse"]}, "'mse' stands there twice"),
        ({"msee": {"x": 1}}, "evaluate.msee: unknown metric 'msee': did you mean 'mse'"),
        ({"mse": {"x": 1}}, "evaluate.mse.x: unknown setting 'x'"),
    ],
)
def test_a_bad_evaluation_is_one_clear_error(evaluate: dict[str, Any], message: str) -> None:
    from vae.errors import SpecError

    with pytest.raises(SpecError, match=message):
        Study.from_dict({"name": "x", "axes": {"latent_dim": [2]}, "evaluate": evaluate})


def test_a_model_trained_elsewhere_is_a_row_like_ours(say: Say) -> None:
    import keras

    image, z = keras.Input((8, 8, 1)), keras.Input((2,))
    hidden = keras.layers.Dense(16, activation="relu")(keras.layers.Flatten()(image))
    encoder = keras.Model(image, [keras.layers.Dense(2)(hidden), keras.layers.Dense(2)(hidden)], name="encoder")
    pixels = keras.layers.Reshape((8, 8, 1))(keras.layers.Dense(64, activation="sigmoid")(z))
    decoder = keras.Model(z, pixels, name="decoder")
    keras.Model(image, decoder(encoder(image)[0])).save("theirs.keras")
    words = ("evaluate", "theirs.keras", "--dataset", "digits", "--set", "latent_dim=2", "--set", "model=theirs")
    out = say(*words)
    assert "MSE per pixel" in out
    store = Store(Path("results/theirs"))
    record = store.read(store.names()[0])
    assert record is not None
    from vae.datasets import DataSpec, as_float, load

    test = as_float(load(DataSpec(name="digits")).test.images)
    exact = np.square(test - np.asarray(decoder(encoder(test)[0]))).mean()
    assert record.metrics["mse"] == pytest.approx(exact, rel=1e-5)
    assert record.metrics["parameters"] == encoder.count_params() + decoder.count_params()
    assert {"pca_mse", "kl", "knn_accuracy", "posterior_scale"} <= {
        name for name, value in record.metrics.items() if value is not None
    }
    assert {"samples", "traversals", "reconstructions"} <= set(store.arrays(record))
    say("report", "results/theirs", "--no-pdf")
    assert "1 done" in say("status", "results/theirs")


def test_a_model_from_images_to_images_is_measured_by_its_reconstructions(say: Say) -> None:
    import keras

    image = keras.Input((8, 8, 1))
    keras.Model(image, keras.layers.Conv2D(1, 3, padding="same", activation="sigmoid")(image)).save("blur.keras")
    say("evaluate", "blur.keras", "--dataset", "digits")
    store = Store(Path("results/blur"))
    record = store.read(store.names()[0])
    assert record is not None
    measured = {name for name, value in record.metrics.items() if value is not None}
    assert {"mse", "ssim", "psnr", "sse"} <= measured
    assert not {"kl", "knn_accuracy", "active_units", "pca_mse"} & measured
    assert "say on which images: --dataset NAME" in say("evaluate", "blur.keras", code=2)
