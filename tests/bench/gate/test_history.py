import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bench.gate import history
from bench.gate.saved import keep

MACHINE = {"processor": "P", "cores": 2, "device": "cpu"}


@pytest.fixture
def stored(tmp_path: Path) -> tuple[Path, Path]:
    saved, gate = tmp_path / "saved", tmp_path / "gate"
    folder = saved / "p-2-cores-cpu" / "Linux"
    folder.mkdir(parents=True)
    for number, median in enumerate((0.010, 0.012), start=1):
        stats = {"median": median, "q1": median * 0.9, "q3": median * 1.1}
        run = {
            "datetime": f"2025-03-0{number}T10:00:00",
            "commit_info": {"id": f"{number}" * 40, "dirty": number == 2},
            "benchmarks": [{"name": "test_metric[<b>ssim]", "stats": stats}],
        }
        (folder / f"000{number}_x.json").write_text(json.dumps(run), encoding="utf-8")
    rows = {
        "plan": {"verdict": "regressed", "head": 0.3, "base": 0.2, "ratio": 1.4, "low": 1.3, "high": 1.5},
        "late": {"verdict": "new", "reason": "ImportError"},
    }
    run = {"when": "2025-03-03T10:00:00+00:00", "head": "c" * 10, "base": "b" * 10, "machine": MACHINE, "rows": rows}
    keep(run, gate)
    return saved, gate


def test_stored_runs_become_series(stored: tuple[Path, Path]) -> None:
    full, small = history.collect(*stored)
    assert (full.source, full.name, full.change, full.latest) == ("bench", "<b>ssim", "+20.0 %", "12 ms")
    assert [point.revision for point in full.points] == ["1" * 10, "2" * 10 + "+"]
    assert (small.source, small.name, small.change) == ("gate", "plan", "+40.0 %")
    assert small.points[-1].middle == pytest.approx(0.28), "the base's time and the ratio, free of drift"


def test_the_page_asks_nothing_of_anyone_and_escapes_names(stored: tuple[Path, Path]) -> None:
    html = history.page(history.collect(*stored), datetime(2025, 3, 4, tzinfo=UTC))
    assert html.count("<svg") == 2
    assert "regressed" in html
    assert "&lt;b&gt;ssim" in html
    assert "<b>" not in html
    assert re.findall(r"""(?:src|href)\s*=\s*["'](?!#)[^"']*|url\((?!#)[^)]*|<script|@import""", html) == []


def test_without_a_run_it_says_how_to_make_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(history, "collect", list)
    assert history.main(["--output", str(tmp_path / "page.html")]) == 2
    assert "nox -s bench" in capsys.readouterr().err
