"""The gate as a whole, on two small revisions."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from bench.cases import CASES
from bench.gate import _revision, _worker, regress, validate
from bench.gate import saved as _saved
from bench.gate._fleet import Effort, counted
from bench.gate._revision import resolve, side_by_side, working
from bench.gate._worker import spent
from vae import scratch
from vae.errors import VaebenchError

ROOT = Path(__file__).parents[3]
# A gate on another clone, at the moment when its folders are made.
STARTED = """
import sys, time
from pathlib import Path
from bench.gate import regress, validate
from bench.gate._revision import side_by_side

def wait(root, base, *rest, **settings):
    with side_by_side(root, base):
        print("ready", flush=True)
        time.sleep(600)

regress.ROOT, regress.regress = Path(sys.argv[1]), wait
validate.ROOT, validate.chosen = Path(sys.argv[1]), lambda only: []
validate.describe = lambda *_: (print("ready", flush=True), time.sleep(600))
sys.exit(regress.main(sys.argv[2:]))
"""
EFFORT = Effort(rounds=3, blocks=4, seconds=0.002)


def worktrees(root: Path) -> int:
    done = subprocess.run(["git", "worktree", "list"], cwd=root, check=True, capture_output=True, text=True)
    return len(done.stdout.splitlines())


def test_the_gate_tells_a_slow_working_tree_from_its_fast_commit(clone: Path) -> None:
    said: list[str] = []
    base = resolve(clone, "HEAD")
    report = regress.regress(clone, base, ["spin", "steady", "old", "fresh"], EFFORT, regress.Limits(), said.append)

    spin = report.rows["spin"]
    assert spin["verdict"] == "regressed"
    assert 4 < spin["ratio"] < 9, "six times the work"
    assert spin["low"] < spin["ratio"] < spin["high"]
    assert 4 < spin["confirmation"]["ratio"] < 9
    assert any("confirming" in line and "spin" in line for line in said)
    assert report.rows["steady"]["verdict"] in {"unchanged", "inconclusive"}
    assert report.rows["fresh"]["verdict"] == "new"
    assert report.rows["old"]["verdict"] == "broken"
    assert "no attribute 'old'" in report.rows["old"]["reason"]
    assert list(report.counters) == [("parameters", 10, 11, "regressed")]
    assert report.memory == pytest.approx(1.3)
    assert report.failed
    assert report.head == report.base + "+"
    assert worktrees(clone) == 1, "what was made is removed"


def test_a_planted_slowdown_is_found_beside_an_unchanged_twin(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(validate, "SLOW", 2.0)
    with side_by_side(clone, resolve(clone, "HEAD"), same=True) as trees:
        rows = validate.once(trees, ["spin", "steady"], ["spin"], EFFORT, lambda _: None)
        faulty = counted(trees, ("head",), "parameter")
    found = {(row["name"], row["planted"]): row for row in rows}
    assert set(found) == {("spin", False), ("spin", True), ("steady", False)}
    assert found["spin", True]["verdict"] == "regressed"
    assert found["spin", True]["ratio"] == pytest.approx(3, rel=0.3)
    assert found["spin", False]["verdict"] != "regressed"
    assert faulty == {"head": {"parameters": 11}}, "the commit's 10, and the planted one"


def test_a_tally_says_whether_the_promise_is_kept() -> None:
    good = validate.Tally(["unchanged"] * 100, ["regressed"] * 39 + ["inconclusive"], {"trace": True})
    assert good.kept
    assert good.lines()[1].startswith("found: 39 of 40 (97.5%; ")
    assert not validate.Tally(["unchanged"] * 98 + ["improved"] * 2, ["regressed"] * 40, {"trace": True}).kept
    assert not validate.Tally(["unchanged"] * 100, ["regressed"] * 37 + ["unchanged"] * 3, {"trace": True}).kept
    assert not validate.Tally(["unchanged"] * 100, ["regressed"] * 40, {"trace": False}).kept


def test_a_planted_slowdown_lengthens_each_call_by_its_share(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0

    def clock() -> float:  # each look at it takes a little
        nonlocal now
        now += 1e-3
        return now

    def call() -> None:
        nonlocal now
        now += 1.0

    monkeypatch.setattr(_worker, "time", SimpleNamespace(perf_counter=clock))
    assert spent(call, 5) == pytest.approx(1.0, abs=0.01)
    assert spent(call, 5, slow=0.5) == pytest.approx(1.5, abs=0.01)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--base", "no-such-branch"], "names no commit"),
        (["--base", "--upload-pack=x"], ""),
        ([], "--base REV is missing"),
        (["--base", "HEAD", "--rounds", "1"], "at least 2 rounds"),
        (["--base", "HEAD", "--rounds", "2", "--blocks", "4"], "10 blocks"),
        (["--base", "HEAD", "--only", "plam"], "plan"),
    ],
)
def test_bad_usage_is_refused(arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    if words == "names no commit" and not (_revision.ROOT / ".git").exists():
        pytest.skip("not a git checkout: the folder itself is refused")
    try:
        code = regress.main(arguments)
    except SystemExit as stop:
        code = stop.code
    assert code == 2
    assert words in capsys.readouterr().err


def test_a_folder_that_is_no_clone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(VaebenchError, match="not a git repository"):
        resolve(tmp_path, "HEAD")


def test_the_working_tree_says_whether_it_is_more_than_its_commit(clone: Path) -> None:
    assert working(clone).dirty
    subprocess.run(["git", "checkout", "-q", "."], cwd=clone, check=True)
    assert not working(clone).dirty


def test_benchmarks_are_chosen_by_pattern() -> None:
    assert regress.chosen(["plan", "store-*", "plan"]) == ["plan", "store-read", "store-write"]
    usual = regress.chosen([])
    assert set(usual) < set(CASES)
    assert {"plan", "step-conv-fashion_mnist", "metric-ssim"} <= set(usual)


def test_runs_are_kept_by_machine_and_read_in_order(tmp_path: Path) -> None:
    machine = {"processor": "AMD EPYC", "cores": 2, "device": "cpu", "host": "one"}
    for day in ("2025-03-02", "2025-03-01"):
        _saved.keep({"when": f"{day}T10:00:00+00:00", "head": "abc+", "machine": machine, "rows": {}}, tmp_path)
    (tmp_path / "amd-epyc-2-cores-cpu" / "cut.json").write_text('{"when": "2025', encoding="utf-8")
    runs = list(_saved.gate_runs(tmp_path))
    assert [run["when"][:10] for run in runs] == ["2025-03-01", "2025-03-02"]
    assert {run["key"] for run in runs} == {"amd-epyc-2-cores-cpu"}


def started(clone: Path, temporary: Path, *words: str) -> subprocess.Popen[str]:
    """Start a gate whose folders are in `temporary`, and wait until they are there."""
    gate = subprocess.Popen(
        [sys.executable, "-c", STARTED, str(clone), *words],
        env=os.environ | {"PYTHONPATH": str(ROOT), "TMPDIR": str(temporary)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert gate.stdout is not None
    assert gate.stdout.readline() == "ready\n"
    return gate


@pytest.mark.parametrize("words", [["--base", "HEAD"], ["--validate", "--base", "HEAD"]])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_gate_that_is_stopped_leaves_nothing(
    clone: Path, tmp_path: Path, number: signal.Signals, words: list[str]
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    gate = started(clone, temporary, *words)
    assert worktrees(clone) == 2
    gate.send_signal(number)
    output, _ = gate.communicate(timeout=300)
    assert gate.returncode == 130
    assert output.endswith("stopped; nothing is kept\n")
    assert worktrees(clone) == 1
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize("halfway", [False, True])
def test_what_a_killed_gate_left_goes_with_the_next_and_a_living_ones_stays(
    clone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, halfway: bool
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    alive = started(clone, temporary, "--base", "HEAD")
    (of_alive,) = temporary.iterdir()
    dead = started(clone, temporary, "--base", "HEAD")
    dead.kill()
    dead.communicate()
    if halfway:  # as git leaves an entry that it had just begun with
        (clone / ".git" / "worktrees" / "base1" / "locked").write_text("initializing", encoding="utf-8")
    assert worktrees(clone) == 3
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    monkeypatch.setattr(scratch, "YOUNG_SECONDS", -1.0)
    with side_by_side(clone, resolve(clone, "HEAD")) as trees:
        assert set(temporary.iterdir()) == {of_alive, trees.base.parent}
        assert worktrees(clone) == 3
    assert worktrees(clone) == 2
    alive.terminate()
    alive.communicate(timeout=300)
    assert worktrees(clone) == 1
    assert list(temporary.iterdir()) == []
