from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ablations.cli import main
from ablations.study.study import Study

STUDY = """
{begin}
[fixed]
dataset = "image_folder"
model = "dense_vae"
hidden_units = [4]
epochs = 1
{path}
[axes]
latent_dim = [2]
"""


@pytest.fixture
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a study's folder, with images; the current folder is another, in which other images have that name."""
    for place, images in (("there", 4), ("here", 3)):
        for name in "ab":
            folder = tmp_path / place / "photos" / name
            folder.mkdir(parents=True)
            for number in range(images):
                pixels = np.random.default_rng(number).integers(0, 256, (8, 8), np.uint8)
                Image.fromarray(pixels).save(folder / f"{number}.png")
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "there"


def write(there: Path, path: str = 'data.path = "photos"', begin: str = "") -> Path:
    file = there / "mine.toml"
    file.write_text(STUDY.format(path=path, begin=begin), encoding="utf-8")
    return file


def test_a_relative_path_hangs_on_the_study_and_its_copy_finds_it_from_anywhere(
    there: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("ablations.report.report.draw", lambda *_, **__: ())
    file = write(there)
    (trial,) = Study.load(file).trials()
    assert trial.spec.data.path == str(there / "photos")
    results = tmp_path / "results"
    words = ["--results", str(results), "--executor", "inline", "--no-pdf"]
    assert main(["run", str(file), *words]) == 0
    store = results / "mine"
    monkeypatch.chdir("/")
    (copy,) = Study.load(store / "study.toml").trials()
    assert (copy.spec, copy.digest) == (trial.spec, trial.digest)
    capsys.readouterr()
    assert main(["status", str(store)]) == 0
    assert "1 done" in capsys.readouterr().out
    assert main(["report", str(store), "--no-pdf"]) == 0
    assert main(["rerun", str(next((store / "trials").iterdir()))]) == 0


def test_where_images_lie_is_no_part_of_a_trial(there: Path) -> None:
    digests = set()
    for path in ("photos", "./photos", str(there / "photos"), "../there/photos"):
        (trial,) = Study.load(write(there, f'data.path = "{path}"')).trials()
        digests.add((trial.digest, trial.name))
    assert len(digests) == 1


def test_an_axis_of_places_is_shown_as_it_is_written(there: Path) -> None:
    (there / "photos").rename(there / "other")
    file = write(there, path="")
    file.write_text(file.read_text() + 'data.path = ["other"]\n')
    (trial,) = Study.load(file).trials()
    assert trial.axes["data.path"] == "other"
    assert trial.spec.data.path == str(there / "other")


def test_a_study_may_say_on_what_folder_paths_hang(there: Path, tmp_path: Path) -> None:
    (trial,) = Study.load(write(there, begin='folder = "../here"')).trials()
    assert Path(trial.spec.data.path or "").resolve() == tmp_path / "here" / "photos"
    again = tmp_path / "study.toml"
    again.write_text(Study.load(there / "mine.toml").text)
    assert next(Study.load(again).trials()).digest == trial.digest


def test_a_study_without_places_keeps_its_text(there: Path) -> None:
    file = write(there, 'data.path = "~/photos"')
    assert Study.load(file).text == f'name = "mine"\n{file.read_text()}'
