"""A report's folder: what an earlier report wrote goes, what a user put there stays, and no link is followed."""

import json
from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest

from ablations.report.files import LIST, Files
from ablations.report.report import Source, render
from vae.errors import VaebenchError


@pytest.fixture
def source(study: ModuleType) -> Source:
    few = {"models": ("conv",), "latents": (2,), "weights": (1e-4,), "ssim_weights": (0.0,), "seeds": (0,)}
    made = study.demo(**few, broken=False)
    return made.source(history=lambda _: pd.DataFrame(), arrays=lambda _: {})


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def wrote(root: Path, contents: dict[str, bytes]) -> None:
    files = Files(root)
    files.write(contents)
    files.finish()


def test_what_an_earlier_report_wrote_is_removed_and_nothing_else(tmp_path: Path) -> None:
    wrote(tmp_path, {"figures/old.svg": b"1", "figures/kept.svg": b"2", "tables/old.tex": b"3", "report.pdf": b"4"})
    by_hand = {"figures/mine.png": b"a", "figures/paper.pdf": b"b", "tables/mine.tex": b"c", "report.tex": b"d"}
    for name, content in by_hand.items():
        (tmp_path / name).write_bytes(content)
    wrote(tmp_path, {"figures/kept.svg": b"5", "index.html": b"6"})
    assert names(tmp_path) == sorted([*by_hand, "figures/kept.svg", "index.html", LIST])
    assert {name: (tmp_path / name).read_bytes() for name in by_hand} == by_hand


def test_a_figure_that_somebody_has_changed_since_is_theirs(tmp_path: Path) -> None:
    wrote(tmp_path, {"figures/a.svg": b"1", "figures/b.svg": b"2"})
    (tmp_path / "figures/a.svg").write_bytes(b"with an arrow")
    wrote(tmp_path, {"index.html": b"3"})
    assert names(tmp_path) == sorted(["figures/a.svg", "index.html", LIST])


def test_what_an_interrupted_report_wrote_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wrote(tmp_path, {"figures/first.svg": b"0"})
    with monkeypatch.context() as patch:
        patch.setattr("ablations.report.files.Files.finish", lambda _: None)
        wrote(tmp_path, {"figures/cut-off.svg": b"1"})
    wrote(tmp_path, {"index.html": b"2"})
    assert names(tmp_path) == sorted(["index.html", LIST])


@pytest.mark.parametrize("linked", ["figures", "tables", ".cache", "."])
def test_no_link_is_followed(tmp_path: Path, source: Source, linked: str) -> None:
    elsewhere, report = tmp_path / "elsewhere", tmp_path / "results" / "mine" / "report"
    elsewhere.mkdir()
    for suffix in ("svg", "png", "pdf", "tex"):
        (elsewhere / f"holiday.{suffix}").write_text("precious")
    place = report / linked
    place.parent.mkdir(parents=True)
    place.symlink_to(elsewhere, target_is_directory=True)
    with pytest.raises(VaebenchError, match=r"is a link to .*elsewhere.*Remove the link.*same command"):
        render(source, report)
    assert names(elsewhere) == [f"holiday.{suffix}" for suffix in ("pdf", "png", "svg", "tex")]


def test_a_linked_file_is_replaced_and_its_end_left_alone(tmp_path: Path) -> None:
    far = tmp_path / "far.svg"
    far.write_bytes(b"1")
    root = tmp_path / "report"
    wrote(root, {"figures/a.svg": b"1", "figures/b.svg": b"1"})
    for name in ("a", "b"):
        (root / f"figures/{name}.svg").unlink()
        (root / f"figures/{name}.svg").symlink_to(far)
    wrote(root, {"figures/a.svg": b"2"})
    assert far.read_bytes() == b"1"
    assert (root / "figures/a.svg").read_bytes() == b"2"
    assert (root / "figures/b.svg").is_symlink(), "a link is none that a report wrote"


@pytest.mark.parametrize(
    "name", ["../victim.svg", "figures/../../victim.svg", "/victim.svg", "victim.svg", "figures/.svg", "trials/a.svg"]
)
def test_a_list_can_name_no_file_but_a_reports(tmp_path: Path, name: str) -> None:
    root = tmp_path / "report"
    wrote(root, {"figures/a.svg": b"1"})
    listed = json.loads((root / LIST).read_text())
    victim = tmp_path / "victim.svg"
    for place in (victim, root / "victim.svg"):
        place.write_bytes(b"1")
    listed["files"] |= {name.replace("/victim", f"{tmp_path}/victim"): listed["files"]["figures/a.svg"], name: ["1"]}
    listed["files"][name] = listed["files"]["figures/a.svg"]
    (root / LIST).write_text(json.dumps(listed))
    wrote(root, {"index.html": b"2"})
    assert victim.exists()
    assert names(root) == sorted(["index.html", "victim.svg", LIST])


@pytest.mark.parametrize("text", ["", "[", "[]", '{"files": 3}', '{"files": {"figures/a.svg": 7}}', "\0"])
def test_a_damaged_list_names_nothing(tmp_path: Path, text: str) -> None:
    wrote(tmp_path, {"figures/a.svg": b"1"})
    (tmp_path / LIST).write_text(text)
    wrote(tmp_path, {"index.html": b"2"})
    assert (tmp_path / "figures/a.svg").exists()


def test_a_report_lists_what_it_wrote(tmp_path: Path, source: Source) -> None:
    made = render(source, tmp_path, latex=False)
    listed = json.loads((tmp_path / LIST).read_text())["files"]
    assert sorted([*listed, LIST]) == names(tmp_path)
    assert len(listed) == 1 + len(made.figures)


def test_a_broken_link_beside_the_figures_is_no_trouble(
    tmp_path: Path, source: Source, require_program: object
) -> None:
    require_program("latexmk")  # type: ignore[operator]
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "gone.svg").symlink_to(tmp_path / "nowhere")
    assert render(source, tmp_path).pdf is not None
