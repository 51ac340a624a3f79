import csv
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ablations.study.study import Study
from bench.measure import peak
from bench.peers import report, vaebench_study
from bench.peers.__main__ import main
from bench.peers._contract import Notebook, Result, Task, Trial
from bench.peers._environments import Environment, prepare
from bench.peers._measure import Measured, measure
from bench.peers._runs import CONTESTANTS, Run, perform, read, schedule, squared_error
from vae.cost import cost
from vae.datasets import DataSpec, load
from vae.errors import VaebenchError
from vae.networks import NETWORKS

DIGITS = DataSpec(name="digits", limit=64, test_limit=32)
NOBODY = Environment(None, "no such package")


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> Task:
    folder = tmp_path_factory.mktemp("peers")
    data = load(DIGITS)
    np.savez(folder / "images.npz", train=data.train.images, test=data.test.images, checksum=data.checksum)
    return Task(folder / "images.npz", folder / "out", latent_dims=(2,), seeds=(0,), epochs=1)


def synthetic(name: str, seconds: float, *, block: int = 0, sse: tuple[float, ...] = (30.0, 20.0)) -> Run:
    trials = [
        Trial(size, seed, began=10.0 * i, epoch_seconds=[4.0, 2.0], epoch_sse=[value + seed for value in sse])
        for i, (size, seed) in enumerate([(8, 0), (8, 1), (16, 0), (16, 1)])
    ]
    return Run(name, block, seconds, seconds + 1, 100.0, 500.0, {8: sse[-1], 16: sse[-1]}, trials, 1000)


def test_task_survives_its_command_line(task: Task) -> None:
    other = replace(task, latent_dims=(4, 8), seeds=(1, 2, 3), kl_weight=1e-3, batch_size=7)
    assert Task.parse(other.arguments()) == other
    assert other.trials() == [(4, 1), (4, 2), (4, 3), (8, 1), (8, 2), (8, 3)]


def test_task_gives_the_loader_s_images(task: Task) -> None:
    data = load(DIGITS)
    train, test = task.images()
    np.testing.assert_array_equal(train, data.train.images)
    np.testing.assert_array_equal(test, data.test.images)
    assert task.checksum() == data.checksum


def test_notebook_keeps_measuring_out_of_the_account(
    task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    for name in ("time", "perf_counter"):
        monkeypatch.setattr(f"bench.peers._contract.time.{name}", lambda: now[0])
    notebook = Notebook(replace(task, out=tmp_path))
    for seed in (0, 1):
        notes = notebook.begin(2, seed)
        now[0] += 5  # training
        with notebook.uncounted():
            notes.epoch(5.0, np.zeros((3, 8, 8, 1), np.float32))
            now[0] += 2  # measuring
        notes.finish(17, np.ones((3, 8, 8, 1), np.float32))
    notebook.close("numpy")
    result = Result.read(tmp_path)
    assert [trial.began for trial in result.trials] == [100.0, 105.0]
    assert result.uncounted_seconds == 4.0
    assert result.versions == {"numpy": np.__version__}
    assert [trial.parameters for trial in result.trials] == [17, 17]
    assert np.load(notebook.task.reconstructions(2, 1)).mean() == 1
    assert np.load(notebook.task.reconstructions(2, 1, epoch=1)).mean() == 0


def test_squared_error_is_summed_over_an_image_and_averaged_over_images() -> None:
    images = np.zeros((2, 4, 4, 1), np.uint8)
    images[0, 0, 0, 0] = 255
    reconstructions = np.full((2, 4, 4, 1), 0.5, np.float32)
    assert squared_error(images, reconstructions) == pytest.approx(16 * 0.25)


def test_schedule_cancels_a_drift() -> None:
    assert [name for _, name in schedule(["a", "b", "c", "d"], 1)] == ["a", "b", "c", "d", "b", "a"]
    order = [name for _, name in schedule(["a", "b", "c"], 2)]
    assert order == ["a", "b", "c", "b", "a"] * 2
    places = {name: [i for i, found in enumerate(order) if found == name] for name in "abc"}
    assert len({sum(found) / len(found) for found in places.values()}) == 1
    assert schedule(["a"], 2) == [(0, "a"), (1, "a")]


def test_measure_counts_all_processes_and_keeps_the_last_words(tmp_path: Path) -> None:
    child = "import time; block = bytearray(200_000_000); time.sleep(1)"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    measured = measure([sys.executable, "-c", parent], tmp_path / "log.txt", {})
    assert measured.failure == ""
    assert measured.seconds > 1
    assert measured.peak_rss_mb > 200
    failed = measure([sys.executable, "-c", "raise SystemExit('no luck')"], tmp_path / "log.txt", {})
    assert failed.failure == "exit code 1: no luck"


def test_environment_that_cannot_be_made_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(step: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(
            step, int("pip" in step), "", "WARNING: old\n\nERROR: No matching distribution found\n"
        )

    monkeypatch.setattr("bench.peers._environments.subprocess.run", refuse)
    made = prepare(tmp_path / "env", ("nothing==1",))
    assert made.python is None
    assert "pip install" in made.reason
    assert "ended with code 1: ERROR: No matching distribution found" in made.reason
    assert not (tmp_path / "env" / "installed.txt").exists()


def test_peer_without_an_environment_is_a_row_with_the_reason(task: Task) -> None:
    pythae = next(one for one in CONTESTANTS if one.name == "pythae")
    run = perform(pythae, 0, task, DIGITS, NOBODY)
    row = next(row for row in report.rows([run], {}, {}) if row["contestant"] == "pythae")
    assert row["runs"] == 0
    assert "no such package" in row["failure"]


def test_study_file_is_the_task(task: Task, tmp_path: Path) -> None:
    asked = replace(task, out=tmp_path, latent_dims=(2, 4), seeds=(0, 1), kl_weight=1e-3, learning_rate=2e-3)
    for decoder, normalization in (("mirrored", "none"), ("paper", "batch")):
        study = Study.load(vaebench_study.write_study(asked, DIGITS, decoder))  # type: ignore[arg-type]
        trials = list(study.trials())
        assert [(trial.axes["latent_dim"], trial.axes["seed"]) for trial in trials] == asked.trials()
        for trial in trials:
            settings = trial.spec.settings()
            assert (settings["data"]["limit"], settings["data"]["test_limit"]) == (64, 32)
            assert (settings["model"]["decoder"], settings["model"]["normalization"]) == (decoder, normalization)
            assert (settings["train"]["epochs"], settings["train"]["batch_size"]) == (1, 128)
            assert settings["train"]["learning_rate"] == 2e-3
            assert settings["loss"]["kl"]["weight"] == 1e-3
            assert settings["train"]["validation_limit"] == 32


@pytest.mark.parametrize("shape", [(28, 28, 1), (8, 8, 1), (33, 30, 3)])
def test_paper_s_network_is_ours_with_its_decoder(shape: tuple[int, int, int]) -> None:
    from bench.peers.paper import build_decoder, build_encoder

    ours = NETWORKS["conv"].parse({"name": "conv", "latent_dim": 4, "decoder": "paper"}, "model")
    encoder, small, blocks = build_encoder(shape, 4)
    decoder = build_decoder(small, 4, shape, blocks)
    assert decoder.output_shape == (None, *shape)
    counted = sum(np.prod(weight.shape) for part in (encoder, decoder) for weight in part.trainable_weights)
    assert counted == cost(ours, shape).parameters
    momenta = {layer.momentum for layer in decoder.layers if hasattr(layer, "momentum")}
    assert momenta == {0.99}


@pytest.mark.parametrize("shape", [(28, 28, 1), (33, 30, 3)])
def test_pythae_has_our_modules(shape: tuple[int, int, int]) -> None:
    pytest.importorskip("pythae", reason="it has an environment of its own, where each run compares the parameters")
    import torch

    from bench.peers.pythae_trainer import build_model

    model = build_model(shape, 4, 5e-4)
    ours = NETWORKS["conv"].parse({"name": "conv", "latent_dim": 4}, "model")
    assert sum(weight.numel() for weight in model.parameters()) == cost(ours, shape).parameters
    height, width, channels = shape
    images = torch.rand(2, channels, height, width)
    with torch.no_grad():
        made = model({"data": images})
    assert made.recon_x.shape == images.shape
    error = ((made.recon_x - images) ** 2).flatten(1).sum(1).mean()
    assert float(made.loss) * 2 == pytest.approx(float(error + 5e-4 * made.reg_loss), rel=1e-5)


def test_a_result_of_another_network_is_refused(task: Task, tmp_path: Path) -> None:
    asked = replace(task, out=tmp_path)
    notebook = Notebook(asked)
    notes = notebook.begin(2, 0)
    images = np.zeros((32, 8, 8, 1), np.float32)
    notes.epoch(1.0, images)
    notes.finish(17, images)
    notebook.close("numpy")
    keras = next(one for one in CONTESTANTS if one.name == "keras")
    with pytest.raises(VaebenchError, match="got 17 parameters with 2 latent dimensions, expected"):
        read(keras, 0, asked, Measured(0.0, 1.0, 1.0), 1.0)


def test_time_to_quality_is_that_of_the_last_trial() -> None:
    fast, slow = synthetic("vaebench", 40), synthetic("paper", 90, sse=(50.0, 25.0))
    level = report.levels([fast, slow])
    assert level == {8: 26.0, 16: 26.0}
    assert report.seconds_to_level(fast, level) == 30 + 4 + 2
    assert report.seconds_to_level(fast, {8: 31.0, 16: 31.0}) == 30 + 4
    assert report.seconds_to_level(slow, {8: 26.0, 16: 25.0}) is None
    # The paper's own way ends at 25 because of its lagging statistics; the settled level is that of the others.
    assert report.settled([fast, slow]) == {8: 21.0, 16: 21.0}


def test_ratios_are_taken_within_blocks() -> None:
    runs = [synthetic("vaebench", seconds, block=block) for block, seconds in ((0, 10), (0, 14), (1, 20), (1, 20))]
    runs += [synthetic("paper", 96, block=0), synthetic("paper", 180, block=1)]
    level = report.levels(runs)
    assert report.ratios(runs, "vaebench", "paper", "study", level) == pytest.approx([8.0, 9.0])
    assert report.ratios(runs, "vaebench", "paper", "images", level) == pytest.approx([1.0, 1.0])
    assert report.ratios(runs, "vaebench", "pythae", "study", level) == []
    reached = [report.seconds_to_level(run, level) for run in runs[:2]]
    theirs = report.seconds_to_level(runs[4], level)
    assert report.ratios(runs[:2] + runs[4:5], "vaebench", "paper", "level", level) == pytest.approx(
        [theirs / np.mean(reached)]
    )
    assert report.ratios(runs, "vaebench", "paper", "level", dict.fromkeys(level, 0.0)) == []  # nobody got there
    found = {(aim["ours"], aim["peer"], aim["aim"]): aim for aim in report.aims(runs, level, level)}
    assert found["vaebench", "paper", 8.0]["measured"] == pytest.approx(72**0.5)
    assert found["vaebench", "paper", 8.0]["met"] is True
    assert found["vaebench", "pythae", 2.5]["met"] is None


def test_report_shows_every_contestant(tmp_path: Path) -> None:
    runs = [synthetic(one.name, 10.0 * (i + 1)) for i, one in enumerate(CONTESTANTS) if one.name != "pythae"]
    runs.append(Run("pythae", 0, failure="could not be installed: a | b"))
    level = report.levels(runs)
    share = {"case": "x", "workers": 2, "threads": 1, "images_per_second": 1234.5, "gflops": 50.0, "share": 0.625}
    summary = {
        "commit": "abc",
        "machine": {"processor": "Z80", "cores": 2},
        "study": {
            "train_images": 6000,
            "test_images": 2000,
            "dataset": "fashion_mnist",
            "latent_dims": [8, 16],
            "seeds": [0, 1],
            "epochs": 2,
            "batch_size": 128,
            "kl_weight": 5e-4,
        },
        "levels": level,
        "settled": report.settled(runs),
        "contestants": report.rows(runs, level, report.settled(runs)),
        "aims": report.aims(runs, level, report.settled(runs)),
        "peak": {"peak_gflops": 80.0, "matmul_gflops": {"512": 80.0}, "shares": [share]},
    }
    paths = report.write(summary, runs, tmp_path)
    assert [path.name for path in paths] == ["peers.json", "peers.csv", "peers.md", "peers.png"]
    stored = json.loads(paths[0].read_text())
    assert [row["contestant"] for row in stored["contestants"]] == [one.name for one in CONTESTANTS]
    assert len(stored["runs"]) == len(CONTESTANTS)
    with paths[1].open(newline="") as file:
        table = {row["contestant"]: row for row in csv.DictReader(file)}
    assert float(table["paper"]["seconds"]) == 10.0 * len(CONTESTANTS)
    assert float(table["vaebench"]["sse_16"]) == 20.0
    assert table["pythae"]["failure"] == "could not be installed: a | b"
    text = paths[2].read_text()
    assert "not run: could not be installed: a / b" in text
    assert "| paper | vaebench | seconds of the whole study | 8 | 6.00 | 6.00 | no |" in text
    assert "| x | 2 x 1 | 1,234 | 50.0 | 62% |" in text
    widths = {line.count("|") for line in text.split("\n\n")[1].splitlines()}
    assert len(widths) == 1
    assert paths[3].read_bytes().startswith(b"\x89PNG")
    assert len(report.plot(runs, level).axes[0].lines) == 5 * 2 + 1


def test_a_peer_runs_from_command_to_table(tmp_path: Path) -> None:
    words = ["--smoke", "--no-peak", "--latent-dims", "2", "--seeds", "0", "--only", "keras"]
    assert main([*words, "--out", str(tmp_path / "out"), "--work", str(tmp_path / "work")]) == 0
    found = json.loads((tmp_path / "out" / "peers.json").read_text())
    (run,) = found["runs"]
    assert run["failure"] == ""
    assert run["seconds"] <= run["command_seconds"]
    assert (
        run["parameters"]
        == cost(NETWORKS["conv"].parse({"name": "conv", "latent_dim": 2}, "model"), (8, 8, 1)).parameters
    )
    (trial,) = run["trials"]
    assert trial["epoch_sse"][-1] == pytest.approx(run["sse"]["2"], rel=1e-6)
    assert 0 < trial["began"] < run["seconds"]
    assert 0 < run["sse"]["2"] < 64
    assert found["study"]["checksum"] == load(DIGITS).checksum
    assert "not run: it was not asked for" in (tmp_path / "out" / "peers.md").read_text()


def test_shares_of_the_peak_follow_from_rates(monkeypatch: pytest.MonkeyPatch) -> None:
    case = peak.CASES[0]

    def answer(orders: list[list[str]]) -> list[dict[str, float]]:
        if orders[0][0] == "matmul":
            return [{"512": 80.0, "1024": 100.0}]
        assert orders[0][2] == ("1" if len(orders) > 1 else orders[0][2])
        return [{"images_per_second": 500.0}] * len(orders)

    monkeypatch.setattr(peak, "_together", answer)
    found = peak.measure_peak([case])
    assert found["peak_gflops"] == 100
    for share in found["shares"]:
        assert share["images_per_second"] == 500 * share["workers"]
        flops = 3 * (cost(case.network, (28, 28, 1)).flops_per_image or 0)
        assert share["share"] == pytest.approx(share["images_per_second"] * flops / 100e9)
