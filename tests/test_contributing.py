"""The examples of CONTRIBUTING.md, run as a contributor would run them: files dropped into the folders, and tests."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from examples import ROOT, copied, examples

# What asks every part of its kind; `nox -s examples` runs all there is.
ASKED = [
    "tests/vae/test_registry.py",
    "tests/vae/test_spec.py",
    "tests/vae/test_terms.py",
    "tests/vae/test_networks.py",
    "tests/vae/test_metrics.py",
    "tests/vae/datasets/test_contract.py",
    "tests/ablations/study/test_study.py",
    "tests/test_project.py",
]
FOLDERS = (
    "vae/datasets",
    "vae/networks",
    "vae/posteriors",
    "vae/priors",
    "vae/terms",
    "vae/metrics",
    "ablations/study/designs",
    "ablations/report/findings",
    "ablations/report/figures",
    "ablations/runner/watchers",
)


@pytest.mark.parametrize("folder", FOLDERS)
def test_each_kind_of_part_has_an_example_and_its_test(folder: str) -> None:
    entries = [Path(path).stem for path in examples() if path.startswith(f"{folder}/")]
    assert entries
    assert [name for name in entries if f"tests/{folder}/test_{name}.py" not in examples()] == []


@pytest.mark.parametrize("path", list(examples()))
def test_an_example_is_new_to_the_project(path: str) -> None:
    there = ROOT / path
    assert not there.exists() or there.read_text(encoding="utf-8") == examples()[path], "another file has its name"


@pytest.mark.slow
def test_the_examples_pass_and_break_nothing(tmp_path: Path) -> None:
    folder = copied(tmp_path / "copy")
    own = [path for path in examples() if path.startswith("tests/")]
    # A process of its own: what an example registers must not be seen by other tests.
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *own, *ASKED],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
