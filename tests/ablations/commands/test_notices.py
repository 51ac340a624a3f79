from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ablations.cli import main

STUDY = """
[fixed]
dataset = "image_folder"
data.path = "photos"
model = "dense_vae"
hidden_units = [8]
epochs = 1
[axes]
latent_dim = [2]
data.limit = [3, 4]
"""
TOLD = "image_folder: val/ is taken as the test: there is no other"


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("ablations.report.report.draw", lambda *_, **__: ())
    random = np.random.default_rng(0)
    for side, count in (("train", 8), ("val", 4)):
        (tmp_path / "photos" / side).mkdir(parents=True)
        for index in range(count):
            Image.fromarray(random.integers(0, 256, (8, 8), np.uint8)).save(tmp_path / f"photos/{side}/{index}.png")
    (tmp_path / "mine.toml").write_text(STUDY)
    return tmp_path / "mine.toml"


def told(capsys: pytest.CaptureFixture[str]) -> int:
    return capsys.readouterr().out.splitlines().count(TOLD)


def test_notices_are_told_once_by_plan_and_by_the_run_that_loads(
    study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plan", str(study)]) == 0
    assert told(capsys) == 1
    words = ["run", str(study), "--executor", "inline", "--no-pdf"]
    assert main(words) == 0
    assert told(capsys) == 1
    assert main(words) == 0  # nothing is left to train, so that nothing is loaded
    assert told(capsys) == 0


def test_check_says_that_there_are_notices(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "check", "image_folder", "--path", str(study.parent / "photos")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "notice: val/ is taken as the test: there is no other" in lines
    assert any(line.startswith("image_folder can be read, but look at the notices above") for line in lines)


CHOSEN = """
[fixed]
dataset = "digits"
data.limit = 64
data.test_limit = 32
model = "dense_vae"
hidden_units = [8]
epochs = 2
[axes]
latent_dim = [2, 3]
[stop]
rungs = [1]
[tune]
tuner = "random"
trials = 1
"""
ON_TEST = "chooses on the test images, whose numbers are reported"


@pytest.mark.parametrize("way", ["[stop]", "[tune]"])
def test_a_choice_on_test_images_is_told_before_it_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], way: str
) -> None:
    monkeypatch.chdir(tmp_path)
    command = {"[stop]": "plan", "[tune]": "tune"}[way]
    monkeypatch.setattr("ablations.commands.tune.performed", lambda *_: 0)
    file = tmp_path / "mine.toml"
    file.write_text(CHOSEN)
    assert main([command, str(file)]) == 0
    assert f"{way} {ON_TEST}" in capsys.readouterr().out
    file.write_text(CHOSEN.replace("[axes]", "data.validation = 0.25\n[axes]"))
    assert main([command, str(file)]) == 0
    assert ON_TEST not in capsys.readouterr().out
