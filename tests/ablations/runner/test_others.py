"""Other people's networks, prior, term, metric and data in one study: killed, resumed, and sent by their text."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

from ablations.records.store import Store
from ablations.runner.crew import Crew
from ablations.runner.run import run
from ablations.study.study import Study
from vae.spec import RunSpec

ROOT = Path(__file__).parents[3]
PLUGINS = ROOT / "tests" / "plugins"

# A runner that kills itself as it saves the fourth checkpoint, in the middle of its second trial.
SUICIDAL = """
import math, os, signal
from ablations.cli import main
from vae import training
from vae.checkpoint import Checkpoints

training.CHECKPOINT_SHARE = math.inf
save, saved = Checkpoints.save, []

def then_die(self, state):
    saved.append(state)
    save(self, state)
    if len(saved) == 4:
        os.kill(os.getpid(), signal.SIGKILL)

Checkpoints.save = then_die
main(["run", "others.toml", "--executor", "inline", "--threads", "1", "--no-pdf", "--results", "killed"])
"""


SHORTER = {
    ', "dense_vae"]': "]",
    '"standard", "own_mixture"]': '"own_mixture"]',
    '[[exclude]]\nmodel = "dense_vae"\nprior = "own_mixture"\n': "",
    'baseline = { model = "dense_vae", prior = "standard" }\n': "",
}


def bring(folder: Path) -> Path:
    """Lay the plugins, their data and a study of one seed into a folder, and return the study."""
    for path in PLUGINS.iterdir():
        if path.is_file():
            shutil.copy(path, folder)
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 128)
    images = (rng.integers(0, 100, (128, 12, 12, 1)) + 100 * labels[:, None, None, None]).astype(np.uint8)
    np.savez(folder / "cells.npz", images=images, labels=labels)
    study = folder / "others.toml"
    study.write_text(study.read_text(encoding="utf-8").replace("seed = [0, 1]", "seed = [0]"), encoding="utf-8")
    return study


def command(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, *words], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def told(folder: Path) -> dict[str, Any]:
    """Return each trial's numbers, times left out, and its history."""
    store = Store(folder / "others")
    found = {}
    for name in store.names():
        record = store.read(name)
        assert record is not None
        assert record.status == "done", record.reason
        history = store.history(record).drop(columns="seconds")
        found[name] = json.dumps(record.metrics), history.to_csv(), record.code["parts"], dict(record.evaluation)
    return found


def test_a_study_of_others_parts_is_killed_and_goes_on_to_the_same_bits(tmp_path: Path) -> None:
    study = bring(tmp_path)
    text = study.read_text(encoding="utf-8")
    for whole, part in SHORTER.items():  # each part once: what takes time is to trace networks
        assert whole in text
        text = text.replace(whole, part)
    study.write_text(text, encoding="utf-8")
    options = ("--threads", "1", "--no-pdf")
    whole = command(tmp_path, "-m", "vaebench", "run", "others.toml", "--executor", "inline", *options)
    assert whole.returncode == 0, whole.stdout + whole.stderr
    killed = command(tmp_path, "-c", SUICIDAL)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    # The rest by worker processes, two at a time.
    again = command(tmp_path, "-m", "vaebench", "run", "others.toml", "--workers", "2", "--results", "killed", *options)
    assert again.returncode == 0, again.stdout + again.stderr
    expected = told(tmp_path / "results")
    assert len(expected) == 3
    assert told(tmp_path / "killed") == expected
    resumed = [record.notes for name in expected if (record := Store(tmp_path / "killed/others").read(name))]
    assert sum("resumed" in notes for notes in resumed) == 1
    page = (tmp_path / "killed/others/report/index.html").read_text(encoding="utf-8")
    for name in ("resnet", "subclassed", "attention", "Fréchet distance in PCs"):
        assert name in page


def test_workers_need_no_file_of_a_plugin(tmp_path: Path) -> None:
    study = Study.load(bring(tmp_path))
    for path in tmp_path.glob("*.py"):
        path.unlink()
    outcome = run(study, tmp_path, crew=Crew(workers=2))
    assert [record.status for record in outcome.records if record.axes["model"] != "dense_vae"][:6] == ["done"] * 6
    copies = {path.name for path in (tmp_path / "others" / "plugins").iterdir()}
    assert copies == {Path(source.path).name for source in study.sources}


def test_the_code_of_a_plugin_is_part_of_what_identifies_a_trial(tmp_path: Path) -> None:
    path = bring(tmp_path)
    before = {trial.axes["model"]: (trial.digest, trial.spec.identity) for trial in Study.load(path).trials()}
    assert '"network subclassed"' in before["subclassed"][1]
    assert "plugins" not in RunSpec().identity
    plugin = tmp_path / "subclassed.py"
    plugin.write_text(plugin.read_text(encoding="utf-8") + "\n# another\n", encoding="utf-8")
    after = {trial.axes["model"]: trial.digest for trial in Study.load(path).trials()}
    assert {name for name in before if before[name][0] != after[name]} == {"subclassed"}
