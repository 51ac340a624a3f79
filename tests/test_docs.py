"""The examples of docs/parts.md, as a reader would use them: written to files, checked, and run."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ablations.study.study import Study
from vae.code import KINDS
from vae.plugins import load_plugin, registered
from vae.testing import conforms

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "parts.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"^```(?:python|toml)\n# (\S+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
PARTS = [name for name in FILES if name.endswith(".py")]


@pytest.mark.parametrize("name", PARTS)
def test_each_part_keeps_the_contract_of_its_kind(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(FILES[name], encoding="utf-8")
    found = list(registered([load_plugin(tmp_path / name)]))
    assert found
    assert len({registry.kind for registry, _ in found} - {"metric"}) <= 1, "a feature space brings its metrics"
    for registry, part in found:
        conforms(next(kind for kind, known in KINDS.items() if known is registry), part)


def test_every_kind_has_an_example(tmp_path: Path) -> None:
    found = set()
    for name in PARTS:
        (tmp_path / name).write_text(FILES[name], encoding="utf-8")
        found |= {registry.kind for registry, _ in registered([load_plugin(tmp_path / name)])}
    assert found == {registry.kind for registry in KINDS.values()}


def test_the_study_and_the_script_run(tmp_path: Path) -> None:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert len(Study.load(tmp_path / "my_net.toml")) == 4
    (script,) = (
        text for text in re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL) if "load_plugin(" in text
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    ended = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    assert float(ended.stdout) > 0
