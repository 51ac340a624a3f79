from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ablations.records.record import Record
from ablations.records.store import Store
from vae.errors import VaebenchError


def record(**changes: Any) -> Record:
    return Record(**({"trial": "a", "digest": "d", "axes": {"latent_dim": 2, "seed": 0}, "status": "done"} | changes))


def commit(store: Store, one: Record) -> None:
    with store.commit(one.trial) as draft:
        draft.write_record(one)
        draft.write_history([{"epoch": 1, "loss": 0.1}])
        draft.write_arrays({"z": np.arange(3)})


text = st.text(st.characters())  # halves of surrogate pairs too: names of files may hold them
plain = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | text


@given(
    axes=st.dictionaries(text.filter(bool), plain | st.lists(plain, max_size=2), max_size=3),
    metrics=st.dictionaries(text, st.none() | st.floats(allow_nan=False), max_size=3),
    reason=st.none() | text,
)
def test_a_record_comes_back_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, axes: Any, metrics: Any, reason: Any
) -> None:
    store = Store(tmp_path_factory.mktemp("store"))
    one = record(axes=axes, metrics=metrics, reason=reason)
    commit(store, one)
    assert store.read("a") == one
    store.ledger.start("a")
    store.ledger.end("a", "failed", reason)
    assert store.ledger.attempts()[-1].reason == reason


def test_a_trial_comes_back_whole(tmp_path: Path) -> None:
    store = Store(tmp_path)
    one = record()
    commit(store, one)
    assert store.names() == ["a"]
    assert store.history(one).to_dict("list") == {"epoch": [1], "loss": [0.1]}
    assert store.arrays(one)["z"].tolist() == [0, 1, 2]


def test_what_fails_half_way_leaves_nothing_and_harms_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path)
    commit(store, record(metrics={"mse": 1.0}))

    def fail() -> None:
        with store.commit("a") as draft:
            draft.write_record(record(metrics={"mse": 2.0}))
            raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError, match="in the middle"):
        fail()
    assert store.read("a") == record(metrics={"mse": 1.0})
    assert [path.name for path in store.trials.iterdir()] == ["a"]


def test_a_second_commit_replaces_the_first(tmp_path: Path) -> None:
    store = Store(tmp_path)
    commit(store, record(status="failed"))
    commit(store, record())
    assert store.read("a") == record()
    assert [path.name for path in store.trials.iterdir()] == ["a"]


def test_damaged_records_count_as_missing(tmp_path: Path) -> None:
    store = Store(tmp_path)
    commit(store, record())
    file = store.trials / "a" / "record.json"
    for content in ("{", "[]", '{"trial": "a"}', "\0"):
        file.write_text(content, encoding="utf-8")
        assert store.read("a") is None
    assert store.read("b") is None


def test_a_sweep_removes_what_dead_processes_left_and_nothing_else(tmp_path: Path) -> None:
    store = Store(tmp_path)
    commit(store, record())
    (store.trials / ".partial-b-999999999").mkdir()
    with store.commit("c") as draft:
        store.sweep()
        assert draft.folder.is_dir()
        draft.write_record(record(trial="c"))
    assert sorted(path.name for path in store.trials.iterdir()) == ["a", "c"]


def test_a_folder_that_cannot_be_written_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(VaebenchError, match=r"results can't be written to .*--results"):
        Store(tmp_path / "file" / "study").write_study("x")
