"""The examples of CONTRIBUTING.md, run as a contributor would run them: files dropped into the folders, and tests."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FILE = re.compile(r"^```python\n# (\S+\.py)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

# A registry looks into every folder on its package's path: the examples' folders join it, and the tree stays clean.
CONFTEST = """
import importlib
from pathlib import Path

for kind in {kinds}:
    folder = Path(__file__).parent / kind
    if folder.is_dir():
        importlib.import_module(kind.replace("/", ".")).__path__.append(str(folder))
"""
KINDS = (
    "vae/datasets",
    "vae/networks",
    "vae/terms",
    "vae/metrics",
    "ablations/report/findings",
    "ablations/report/figures",
)


def examples() -> dict[str, str]:
    """Return path -> source, as CONTRIBUTING.md has them."""
    return dict(FILE.findall((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")))


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_part_has_an_example_and_its_test(kind: str) -> None:
    entries = [Path(path).stem for path in examples() if path.startswith(f"{kind}/")]
    assert entries
    assert [name for name in entries if f"tests/{kind}/test_{name}.py" not in examples()] == []
    taken = {path.stem for path in (ROOT / kind).glob("*.py")}
    assert taken.isdisjoint(entries), "an example must be new to the project"


def test_the_examples_pass(tmp_path: Path) -> None:
    sources = examples()
    for path, source in sources.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(source, encoding="utf-8")
    (tmp_path / "conftest.py").write_text(CONFTEST.format(kinds=KINDS), encoding="utf-8")
    expected = sum(source.count("\ndef test_") for source in sources.values())
    # A process of its own: what an example registers must not be seen by other tests.
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-c", str(ROOT / "pyproject.toml"), "--rootdir", str(tmp_path), "tests"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{expected} passed" in done.stdout
