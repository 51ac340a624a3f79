from pathlib import Path

import pytest

from bench.measure import scaling
from bench.measure.scaling import Point
from vae.errors import VaebenchError

MACHINE = {"processor": "P", "cores": 2}
POINTS = [
    Point("plan", 100, 20, 0.5, 90.0),
    Point("plan", 1_000, 200, 5.0, 100.0),
    Point("report", 60, 12, 4.0, 300.0),
    Point("report", 240, 48, 8.0, 400.0),
]


def test_each_command_runs_on_what_was_prepared_and_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(scaling, "SMALL", {"plan": (20, 40), "report": (20,)})
    monkeypatch.setattr(scaling, "describe", lambda: MACHINE)
    assert scaling.main(["--smoke", "--output", str(tmp_path)]) == 0
    rows = [line.split(" | ") for line in capsys.readouterr().out.splitlines() if line.startswith("| `vaebench")]
    assert [row[1:3] for row in rows] == [["20", "4"], ["40", "8"], ["20", "4"]]
    for row in rows:
        assert float(row[3]) > 0
        assert 20 < float(row[5]) < 2000
    assert rows[1][6].startswith("trials^")
    assert (tmp_path / "scaling.md").read_text(encoding="utf-8").count("`vaebench plan`") == 2
    assert (tmp_path / "scaling.png").read_bytes().startswith(b"\x89PNG")


def test_growth_is_the_slope_on_logarithmic_axes() -> None:
    text = scaling.as_markdown(POINTS, MACHINE, None)
    assert text.count("trials^") == 2
    assert "trials^1.00" in text
    assert "trials^0.50" in text
    times, peaks = scaling.plot(POINTS).axes
    for axes in (times, peaks):
        assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    slope = times.lines[1]
    assert list(slope.get_ydata()) == [0.5, 5.0]


@pytest.mark.parametrize("configurations", [1, 2, 25, 100, 7])
def test_a_grid_has_the_configurations_asked_for(configurations: int) -> None:
    long, short = scaling._sides(configurations)
    assert long * short == configurations
    assert long >= short


def test_a_command_that_fails_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scaling, "PREPARE", {"plan": lambda trials, folder: ["plan", str(folder / "none.toml")]})
    with pytest.raises(VaebenchError, match=r"(?s)exit code 2.*no study"):
        scaling.measure("plan", 20, 1)
