"""What a change of the code makes stale: each is made to a copy of the package, and a new process is asked."""

import ast
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import vae
from vae.code import _parsed, code_of, git_commit, is_current
from vae.spec import RunSpec

SOURCE = Path(str(vae.__file__)).parent
ASK = """
import json, sys
from vae.code import code_of, is_current
from vae.spec import RunSpec
specs = json.loads(sys.argv[1])
print(json.dumps([code_of(RunSpec.parse(spec, "run"), metrics=["mse", "kl"]) for spec in specs]))
print(json.dumps([is_current(code) for code in json.loads(sys.argv[2])]))
"""
SPECS: list[dict[str, Any]] = [
    {"data": {"name": "digits"}, "model": {"name": "conv"}, "loss": {"ssim": {"weight": 1.0}}},
    {"data": {"name": "mnist"}, "model": {"name": "dense_vae"}},
]
NEW_TERM = '''
from vae.terms import TERMS, Term

@TERMS.register("new")
class New(Term):
    """Zero."""

    weight: float = 0.0

    def __call__(self, outputs):
        return 0.0
'''
NEW_METRIC = """
from vae.metrics import metric

@metric("new", "new")
def new(outcome):
    return 0.0
"""
NEW_NETWORK = """
from typing import Literal
from vae.networks import NETWORKS
from vae.networks.dense import DenseVAE

@NETWORKS.register("new")
class New(DenseVAE):
    name: Literal["new"] = "new"
"""
NEW_DATASET = """
from vae.datasets import DATASETS
from vae.datasets.digits import Digits

@DATASETS.register("new")
class New(Digits):
    pass
"""


def ask(root: Path, codes: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[bool]]:
    words = [sys.executable, "-c", ASK, json.dumps(SPECS), json.dumps(codes)]
    done = subprocess.run(
        words, cwd=root, env=os.environ | {"PYTHONPATH": str(root)}, capture_output=True, text=True, check=True
    )
    made, fresh = map(json.loads, done.stdout.splitlines())
    return made, fresh


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    shutil.copytree(SOURCE, tmp_path / "vae", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


@pytest.fixture(scope="module")
def before() -> list[dict[str, Any]]:
    return [code_of(RunSpec.parse(spec, "run"), metrics=["mse", "kl"]) for spec in SPECS]


@pytest.mark.parametrize(
    ("file", "text", "fresh"),
    [
        pytest.param("terms/new.py", NEW_TERM, [True, True], id="a new term"),
        pytest.param("metrics/new.py", NEW_METRIC, [True, True], id="a new metric"),
        pytest.param("networks/new.py", NEW_NETWORK, [True, True], id="a new network"),
        pytest.param("datasets/new.py", NEW_DATASET, [True, True], id="a new data set"),
        pytest.param("saved.py", "\n# another\n", [True, True], id="what no trial runs through"),
        pytest.param("terms/ssim.py", "\n# another\n", [False, True], id="a term of one"),
        pytest.param("networks/dense.py", "\n# another\n", [True, False], id="a network of the other"),
        pytest.param("datasets/_idx.py", "\n# another\n", [True, False], id="what a data set imports"),
        pytest.param("metrics/reconstruction.py", "\n# another\n", [False, False], id="a metric of both"),
        pytest.param("ssim.py", "\n# another\n", [False, False], id="what a metric imports"),
        pytest.param("model.py", "\n# another\n", [False, False], id="the core"),
    ],
)
def test_what_a_change_makes_stale(
    copy: Path, before: list[dict[str, Any]], file: str, text: str, fresh: list[bool]
) -> None:
    with (copy / "vae" / file).open("a", encoding="utf-8") as opened:
        opened.write(text)
    after, told = ask(copy, before)
    assert told == fresh
    assert [one == other for one, other in zip(before, after, strict=True)] == fresh
    assert [one["vae"] == other["vae"] for one, other in zip(before, after, strict=True)] == fresh


def test_a_tree_that_another_thread_spoilt_is_built_again(monkeypatch: pytest.MonkeyPatch) -> None:
    parse, spoilt = ast.parse, iter([True, True, False])

    def racing(source: bytes) -> ast.AST:
        if next(spoilt):
            raise SystemError("AST constructor recursion depth mismatch (before=48, after=42)")
        return parse(source)

    monkeypatch.setattr(ast, "parse", racing)
    monkeypatch.setattr("vae.code.PAUSE", 0)
    assert isinstance(_parsed(b"import this"), ast.Module)
    assert next(spoilt, None) is None


def test_a_part_that_is_gone_makes_stale() -> None:
    code = code_of(RunSpec())
    assert is_current(code)
    assert not is_current(code | {"parts": code["parts"] | {"term gone": "0" * 64}})
    assert is_current(code | {"parts": code["parts"] | {"metric gone": "0" * 64}}), "only its own number hung on it"
    assert not is_current(code | {"parts": code["parts"] | {"metric mse": "0" * 64}})
    assert not is_current({"vae": "0" * 64, "git": None}), "format 1 has one hash, of other files"


def test_the_commit_is_that_of_the_checkout() -> None:
    if not (SOURCE.parent / ".git").exists():
        assert git_commit() is None
        return
    words = ["git", "-C", str(SOURCE.parent), "rev-parse", "HEAD"]
    head = subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()
    assert str(git_commit()).removesuffix("+") == head
