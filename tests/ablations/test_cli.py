import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ablations import cli
from ablations.cli import main
from ablations.records.lease import hold
from ablations.records.store import Store

GOOD = """
[fixed]
hidden_units = [8]
data.limit = 64
data.test_limit = 32
epochs = 1
[axes]
model = ["dense_vae"]
latent_dim = [2]
"""


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "mine.toml"
    path.write_text(GOOD)
    return path


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[axes]\nlatent_dmi = [2]", "did you mean 'latent_dim'"),
        ('[axes]\ndataset = ["digist"]', "did you mean 'digits'"),
        ("[axes]\nkl_weight = [-1]", "greater than or equal to 0"),
        ("[axes]\nlatent_dim = [0]", "greater than or equal to 1"),
        ("[axes]\nlatent_dim = []", "got an empty list"),
        ("[axes", "this is not TOML"),
        ('[fixed]\ndataset = "image_folder"\ndata.path = "nowhere/at/all"', "nowhere/at/all"),
    ],
)
def test_a_bad_study_exits_with_2_says_why_once_and_writes_nothing(
    study: Path, text: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    study.write_text(text)
    assert main(["run", str(study)]) == 2
    output = capsys.readouterr()
    assert message in output.err
    assert output.err.count("vaebench:") == 1
    assert "Traceback" not in output.err
    assert sorted(path.name for path in study.parent.iterdir()) == ["mine.toml"]


def test_bad_usage_exits_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["rum"], ["run", "--workers", "0"], []):
        with pytest.raises(SystemExit) as stop:
            main(arguments)
        assert stop.value.code == 2
    assert main(["run", "quick", "--executor", "ry"]) == 2
    assert "unknown executor 'ry'" in capsys.readouterr().err


def test_run_plan_status_report(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", str(study)]) == 0
    assert "1 trials; 1 to train" in capsys.readouterr().out
    assert not (study.parent / "results").exists()

    assert main(["run", str(study), "--executor", "inline", "--no-pdf"]) == 0
    output = capsys.readouterr().out
    assert "trained 1 trials" in output
    assert "next: open" in output
    folder = study.parent / "results" / "mine"
    for name in ("study.toml", "table.csv", "table.parquet", "summary.csv", "report/index.html"):
        assert (folder / name).is_file(), name
    trial = next((folder / "trials").iterdir())
    assert {path.name for path in trial.iterdir()} == {"record.json", "history.csv", "arrays.npz", "model.keras"}

    assert main(["status", str(folder)]) == 0
    assert "1 done" in capsys.readouterr().out
    assert main(["rerun", str(trial)]) == 0
    assert "numbers are equal to the last bit" in capsys.readouterr().out
    record = json.loads((trial / "record.json").read_text())
    record["metrics"]["mse"] *= 1.0001
    (trial / "record.json").write_text(json.dumps(record))
    assert main(["rerun", str(trial)]) == 1
    output = capsys.readouterr().out
    assert re.search(r"\b1 of \d\d numbers differ", output)
    assert "nothing else that is recorded is different now" in output
    with hold(folder / "lease.json"):
        store = Store(folder)
        store.write_progress({trial.name: {"epoch": 1, "began": 0.0}})
        assert main(["status", str(folder)]) == 0
        assert f"{trial.name}: epoch 1 of 1, attempt 1" in " ".join(capsys.readouterr().out.split())
    capsys.readouterr()
    assert main(["compare", str(folder), str(folder), "--metric", "kl", "--metric", "cpu_seconds"]) == 0
    assert "2 comparisons of KL, processor time: 2 same." in capsys.readouterr().out
    (run,) = store.ledger.runs()
    assert (run.trained, run.workers) == (1, 1)
    assert 0 < record["timings"]["cpu_seconds"] < 600
    page = (folder / "report" / "index.html").read_text()
    assert "CPU hours" in page
    assert "nothing uncommitted" in page or "with uncommitted changes" in page or "ran as installed" in page
    (folder / "report" / "index.html").unlink()
    assert main(["report", str(folder)]) == 0
    assert (folder / "report" / "index.html").is_file()
    assert (folder / "report" / "report.tex").is_file()


def test_a_failed_trial_exits_with_1_and_the_report_shows_it(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study.write_text(GOOD.replace("epochs = 1", "epochs = 2\noutput = 'linear'\nlearning_rate = 1e30"))
    assert main(["run", str(study), "--executor", "inline", "--no-pdf"]) == 1
    assert "diverged" in capsys.readouterr().out
    folder = study.parent / "results" / "mine"
    assert "not finite" in (folder / "report" / "index.html").read_text()
    assert main(["status", str(folder)]) == 1


def test_status_of_something_else_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", str(tmp_path)]) == 2
    assert "holds no results of a study" in capsys.readouterr().err


def test_rerun_names_what_is_set_otherwise_than_when_it_was_recorded(
    study: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TF_XLA_FLAGS", raising=False)
    assert main(["run", str(study), "--executor", "inline", "--no-pdf"]) == 0
    trial = next((study.parent / "results" / "mine" / "trials").iterdir())
    record = json.loads((trial / "record.json").read_text())
    record["metrics"]["mse"] *= 1.0001  # as if the flags had changed it
    record["environment"]["packages"]["keras"] = "3.0.0"
    (trial / "record.json").write_text(json.dumps(record))
    monkeypatch.setenv("TF_XLA_FLAGS", "--tf_xla_auto_jit=2")
    capsys.readouterr()
    assert main(["rerun", str(trial)]) == 1
    (line,) = (line for line in capsys.readouterr().out.splitlines() if line.startswith("different now: "))
    assert re.fullmatch(
        r"different now: keras 3\.0\.0, now 3\.\d+\.\d+; TF_XLA_FLAGS not set, now --tf_xla_auto_jit=2", line
    )


def test_what_a_shell_means_for_other_programs_ends_no_command(study: Path) -> None:
    theirs = {"MPLBACKEND": "module://of_a_notebook.that_is_elsewhere", "PYTHONWARNINGS": "error"}
    environment = os.environ | theirs | {"PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-m", "vaebench", "run", str(study), "--executor", "inline", "--no-pdf"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (study.parent / "results" / "mine" / "report" / "index.html").is_file()


def test_rerun_of_something_else_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rerun", str(tmp_path)]) == 2
    assert "holds no finished trial" in capsys.readouterr().err


def test_data_list_and_check(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "list"]) == 0
    assert "digits" in capsys.readouterr().out
    assert main(["data", "check", "digits"]) == 0
    assert "digits is as it should be" in capsys.readouterr().out
    assert main(["data", "check", "digist"]) == 2
    assert "did you mean 'digits'" in capsys.readouterr().err


SLOW = {"keras", "tensorflow"}
SLOWISH = {"jinja2", "matplotlib", "pandas", "pyarrow", "scipy", "sklearn"}  # a tenth of a second and more


def imported(arguments: list[str], home: Path) -> set[str]:
    """Return what a command imports of what takes long."""
    code = (
        "import sys\nfrom ablations.cli import main\n"
        f"try:\n    main({arguments!r})\nexcept SystemExit:\n    pass\n"
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    root = str(Path(__file__).parents[2])
    environment = {"PYTHONPATH": root, "PATH": "", "HOME": str(home)}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, check=True, cwd=home, env=environment, capture_output=True, text=True)
    return set(done.stdout.splitlines()[-1].split()) & (SLOW | SLOWISH)


def test_what_trains_nothing_does_not_import_tensorflow(tmp_path: Path) -> None:
    assert imported(["--help"], tmp_path) == set()
    assert not imported(["plan", "quick"], tmp_path) & SLOW
    assert imported(["plan", "quick"], tmp_path) == set(), "scikit-learn's digits are in the cache by now"


def test_an_interrupt_that_a_finaliser_swallows_comes_again() -> None:
    class Last:
        def __del__(self) -> None:
            os.kill(os.getpid(), signal.SIGINT)

    def finalised() -> None:
        Last()  # Python prints what is raised in its end, and goes on
        for _ in range(300):
            time.sleep(0.01)

    with cli._Stop() as stop:
        with pytest.raises(KeyboardInterrupt):
            finalised()
        assert stop.code == 130
