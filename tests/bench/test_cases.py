"""The benchmarks themselves, at the gate's size."""

import ast
from pathlib import Path

import numpy as np
import pytest

from bench.cases import CASES
from bench.gate import counters
from bench.gate.verdict import exact
from vae.metrics import METRICS

TIMED = Path(__file__).parents[2] / "bench" / "benchmarks" / "test_cases.py"
QUICK = [name for name, case in CASES.items() if case.group in {"metric", "data", "study", "store"}]


@pytest.mark.parametrize("name", [*QUICK, "table", "printed", "answers"])
def test_a_case_can_be_repeated(name: str) -> None:
    work = CASES[name].prepare(small=True)
    assert work.call() is not None
    assert work.call() is not None


def test_a_training_step_trains() -> None:
    work = CASES["step-dense_vae-digits"].prepare(small=True)
    losses = [work.call() for _ in range(5)]
    assert losses[-1] < losses[0]
    assert work.facts["images"] == 128


def test_every_metric_is_timed_but_those_that_are_looked_up() -> None:
    assert {f"metric-{name}" for name in METRICS} - set(CASES) == {"metric-pca_mse", "metric-sigma"}


def test_pytest_benchmark_times_every_group() -> None:
    calls = [node for node in ast.walk(ast.parse(TIMED.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)]
    timed = {ast.literal_eval(call.args[0]) for call in calls if ast.unparse(call.func) == "cases"}
    assert timed == {case.group for case in CASES.values()}


@pytest.mark.filterwarnings("ignore:Gradients do not exist:UserWarning")  # of the planted number
def test_counters_are_the_same_twice_and_show_what_is_planted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counters, "TRAINED", [("dense_vae", "digits")])
    monkeypatch.setattr(counters, "SHAPES", {"digits": (8, 8, 1)})
    monkeypatch.setattr(counters, "NETWORKS_TIMED", {"dense_vae": {"name": "dense_vae"}})
    sound = counters.count()
    assert sound["traces dense_vae digits"] == 1, "one graph for all batches, the last and smaller one too"
    assert sound["parameters dense_vae digits"] > 10_000
    assert {row[-1] for row in exact(counters.count(), sound)} == {"unchanged"}

    traced = exact(counters.planted("trace"), sound)
    assert [row for row in traced if row[-1] != "unchanged"] == [("traces dense_vae digits", 1, 2, "regressed")]
    enlarged = exact(counters.planted("parameter"), sound)
    grown = {name: now - before for name, before, now, verdict in enlarged if verdict == "regressed"}
    assert grown["parameters dense_vae digits"] == 1
    assert grown["checkpoint bytes dense_vae digits"] > np.dtype(np.float32).itemsize
