"""The harness around the training."""

from pathlib import Path
from typing import Any

import numpy as np

from ablations.records import Record
from ablations.store import Store
from ablations.study import Study

AXES = {"latent_dim": list(range(1, 101)), "kl_weight": [1e-4, 5e-4, 1e-3, 1e-2], "seed": [0, 1]}


def test_plan(benchmark: Any) -> None:
    """Time loading a study of 800 trials: every one is validated, named and digested."""
    names = benchmark(lambda: [trial.name for trial in Study.from_dict({"name": "wide", "axes": AXES}).trials()])
    assert len(set(names)) == 800


def test_commit(benchmark: Any, tmp_path: Path) -> None:
    """Time committing one trial's record and arrays."""
    store = Store(tmp_path)
    record = Record("trial", "digest", {"latent_dim": 2}, "done", metrics={"mse": 0.1})
    arrays = {"z_mean": np.random.default_rng(0).random((2000, 16), dtype=np.float32)}

    def commit() -> None:
        with store.commit(record.trial) as draft:
            draft.write_record(record)
            draft.write_arrays(arrays)

    benchmark(commit)
    assert store.read("trial") == record
