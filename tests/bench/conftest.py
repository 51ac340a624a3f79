"""A small clone with two revisions, whose benchmarks take milliseconds and need no deep-learning library."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NEEDED = ["vae/registry.py", "vae/sources.py", "vae/errors.py", "bench/__init__.py", "bench/_case.py"]
NEEDED += ["bench/cases/__init__.py", "bench/gate/__init__.py", "bench/gate/_worker.py"]

ENVIRONMENT = """
def describe(threads):
    return {"processor": "test", "cores": threads, "device": "cpu"}


def peak_rss_mb():
    import vae.work

    return vae.work.PEAK
"""
WORK = """
PARAMETERS, PEAK = {parameters}, {peak}


def spin():
    return sum(range({slow}))


def steady():
    return sum(range(20_000))
"""
ONLY_BASE = "\n\ndef old():\n    return sum(range(20_000))\n"
ONLY_HEAD = "\n\ndef fresh():\n    return sum(range(20_000))\n"
CASES = """
import vae.work
from bench._case import Work, case


def _case(name):
    case(name, "work")(lambda small: Work(getattr(vae.work, name)))


for _name in ("spin", "steady", "old", "fresh"):
    _case(_name)
"""
COUNTERS = """
import vae.work


def count():
    return {"parameters": vae.work.PARAMETERS}


def planted(fault):
    return {"parameters": vae.work.PARAMETERS + 1}
"""


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """Return the clone: the commit is fast, the working tree is slow, larger, lacks `old` and has `fresh`."""
    root = tmp_path / "clone"
    files = {name: (ROOT / name).read_text(encoding="utf-8") for name in NEEDED}
    files |= {"vae/__init__.py": "", "vae/environment.py": ENVIRONMENT, "bench/cases/work.py": CASES}
    files |= {"bench/gate/counters.py": COUNTERS}
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    work = root / "vae" / "work.py"
    work.write_text(WORK.format(parameters=10, peak=100, slow=20_000) + ONLY_BASE, encoding="utf-8")
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "fast"]):
        identity = ["-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
        subprocess.run(["git", *identity, *command], cwd=root, check=True, capture_output=True)
    work.write_text(WORK.format(parameters=11, peak=130, slow=120_000) + ONLY_HEAD, encoding="utf-8")
    yield root
    shutil.rmtree(root)
