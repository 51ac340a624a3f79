import errno
import json
import math
import os
import stat
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ablations.records.draft import Draft
from ablations.records.lease import LeaseLostError, hold
from ablations.records.record import Record
from ablations.records.store import Store
from vae.errors import VaebenchError
from vae.files import flush, write_atomically


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


SHAPED: list[tuple[str, object, str]] = [
    ("metrics", "good", "metrics: got 'good', expected: a valid"),
    ("metrics", {"mse": "0.1"}, "metrics.mse: got '0.1', expected: a valid number"),
    ("timings", {"train_seconds": None}, "timings.train_seconds: got None"),
    ("axes", {"seed": {"a": 1}}, "axes.seed: got {'a': 1}, expected a number, a text, or a list of them"),
    ("status", "dnoe", "status: got 'dnoe'"),
    ("reason", 5, "reason: got 5, expected text"),
    ("environment", {"threads": 10**9}, "environment: threads: got 1000000000"),
    ("environment", {"packages": ["keras"]}, "environment: packages: got ['keras']"),
    ("data", {"class_names": "ab"}, "data: class_names: got 'ab'"),
    ("data", {"train_images": -1}, "data: train_images: got -1"),
    ("spec", {"train": {"epochs": "3"}}, "spec: train: epochs: got '3'"),
    ("spec", {"loss": {"kl": 5}}, "spec: loss.kl: got 5"),
    ("code", {"parts": {"x": "y"}}, "code: parts.x"),
    ("started", "yesterday", "started: got 'yesterday', expected a date"),
    ("finished", "0001-01-01", "finished: got '0001-01-01', expected a date"),
    ("format", "2", "format: got '2'"),
    ("notes", json.loads("[" * 30 + "]" * 30), "nested more than 16 levels deep"),
]


@pytest.mark.parametrize(("name", "value", "message"), SHAPED, ids=lambda value: str(value)[:30])
def test_a_record_of_another_shape_is_none_and_says_why(tmp_path: Path, name: str, value: object, message: str) -> None:
    store = Store(tmp_path)
    commit(store, record())
    file = store.trials / "a" / "record.json"
    assert store.damage("a") == ""
    file.write_text(json.dumps(json.loads(file.read_text()) | {name: value}))
    assert store.read("a") is None
    assert message in store.damage("a")


@pytest.mark.parametrize("content", [b"", b"[]", b"\xff", b"[" * 10**5, b'{"trial": "a"}'])
def test_a_file_that_is_no_record_says_so(tmp_path: Path, content: bytes) -> None:
    store = Store(tmp_path)
    commit(store, record())
    (store.trials / "a" / "record.json").write_bytes(content)
    assert store.read("a") is None
    assert store.damage("a").startswith("record.json is no record: ")
    assert store.damage("b") == ""


def test_a_trial_is_called_as_its_folder_and_nothing_outside_is_read(tmp_path: Path) -> None:
    store = Store(tmp_path / "mine")
    commit(store, record())
    commit(Store(tmp_path / "theirs"), record())
    (store.trials / "a").rename(store.trials / "b")
    found = store.read("b")
    assert found is not None
    assert found.trial == "b"
    outside = "../../theirs/trials/a"
    assert (store.trials / outside / "record.json").is_file()
    for name in (outside, str(tmp_path / "theirs" / "trials" / "a"), "..", "", "a\0"):
        assert store.read(name) is None
        assert store.damage(name) == ""


@pytest.mark.parametrize(
    "running",
    [[], {"a": 1}, {"a": {"epoch": "1", "began": 0}}, {"a": {"epoch": 1}}, {"a": {"epoch": 1, "began": math.nan}}],
)
def test_progress_of_another_shape_is_none(tmp_path: Path, running: object) -> None:
    store = Store(tmp_path)
    store.write_progress({"a": {"epoch": 1, "began": 2.5}})
    assert store.read_progress() == {"a": {"epoch": 1, "began": 2.5}}
    store.progress_file.write_text(json.dumps(running))
    assert store.read_progress() == {}


def test_what_is_linked_elsewhere_is_not_swept(tmp_path: Path) -> None:
    store, elsewhere = Store(tmp_path / "mine"), tmp_path / "elsewhere"
    store.create()
    for folder in (elsewhere / "figures", store.root / "report"):
        folder.mkdir(parents=True)
    (store.report / "figures").symlink_to(elsewhere / "figures")
    theirs = [elsewhere / "figures" / ".partial-x-999999999"]
    ours = [store.report / ".partial-x-99999999999999999999", store.root / ".partial-link-999999999"]
    for path in (*theirs, ours[0]):
        path.write_text("half")
    ours[1].symlink_to(elsewhere)
    store.sweep()
    assert [path.exists() for path in theirs] == [True]
    assert [os.path.lexists(path) for path in ours] == [False, False]


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


def test_a_commit_that_fails_between_its_renames_puts_back_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path)
    commit(store, record(metrics={"mse": 1.0}))
    rename, moved = Path.rename, []

    def second_fails(self: Path, target: Path) -> Path:
        moved.append(self)
        if len(moved) == 2:
            raise OSError(errno.EIO, "Input/output error")
        return rename(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", second_fails)
        with pytest.raises(VaebenchError, match="Input/output error"):
            commit(store, record(metrics={"mse": 2.0}))
    assert store.read("a") == record(metrics={"mse": 1.0})
    assert [path.name for path in store.trials.iterdir()] == ["a"]


@pytest.mark.parametrize("new", [False, True])
def test_a_runner_killed_between_the_renames_loses_no_trial(tmp_path: Path, new: bool) -> None:
    store = Store(tmp_path)
    commit(store, record(metrics={"mse": 1.0}))
    (store.trials / "a").rename(store.trials / ".replaced-a-999999999")
    if new:
        commit(store, record(metrics={"mse": 2.0}))
    store.sweep()
    assert store.read("a") == record(metrics={"mse": 2.0 if new else 1.0})
    assert [path.name for path in store.trials.iterdir()] == ["a"]


def test_a_file_that_cannot_be_flushed_is_an_error_and_a_folder_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(descriptor: int) -> None:
        kind = "folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file"
        raise OSError(errno.EIO, f"{kind} not flushed")

    store = Store(tmp_path)
    commit(store, record(metrics={"mse": 1.0}))
    monkeypatch.setattr(os, "fsync", refuse)
    flush(tmp_path)
    with pytest.raises(VaebenchError, match="file not flushed"):
        commit(store, record(metrics={"mse": 2.0}))
    assert store.read("a") == record(metrics={"mse": 1.0})


def test_nothing_is_committed_under_a_lease_that_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with hold(Store(tmp_path).lease) as lease:
        store = Store(tmp_path, lease.token)
        commit(store, record())

        def write(draft: Draft, one: Record) -> None:
            store.lease.unlink()  # while it is written

        monkeypatch.setattr(Draft, "write_record", write)
        with pytest.raises(LeaseLostError, match="moved or removed"):
            commit(store, record(trial="b"))
    assert store.names() == ["a"]
    assert not list(store.trials.glob(".*"))


def test_a_sweep_finds_what_a_killed_report_left(tmp_path: Path) -> None:
    store = Store(tmp_path)
    commit(store, record())
    for folder in (store.root, store.report, store.report / "figures", store.report / "tables"):
        folder.mkdir(exist_ok=True)
        (folder / ".partial-0123456789ab-999999999").touch()
        (folder / f".partial-0123456789ab-{os.getpid()}").touch()
        (folder / "mine.svg").touch()
    store.sweep()
    left = {path.name for path in store.root.rglob("*") if path.is_file() and path.parent != store.trials / "a"}
    assert left == {f".partial-0123456789ab-{os.getpid()}", "mine.svg"}


def test_files_are_for_whom_the_umask_says(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_atomically(tmp_path / "file", b"")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o640


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
