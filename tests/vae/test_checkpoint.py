"""A training that is cut off at any moment and taken up again ends with the bits of one that was not."""

import errno
import io
import json
import math
import os
import subprocess
import sys
import time
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vae import training
from vae.checkpoint import CheckpointError, Checkpoints, State, decode, encode
from vae.evaluation import evaluate
from vae.reuse import Models
from vae.spec import RunSpec
from vae.training import Trained, train

STEPS = 7  # an epoch: six batches of 32 and one of 8
SETTINGS: dict[str, Any] = {
    "data": {"limit": 200, "test_limit": 60},
    "model": {
        "name": "conv",
        "latent_dim": 3,
        "filters": [4],
        "hidden_units": [8],
        "normalization": "batch",
        "statistics": "moving",  # or they would be measured anew at the end, and hide a difference
    },
    "loss": {
        "reconstruction": {"likelihood": "gaussian"},
        "kl": {"weight": 0.01, "schedule": "warmup", "ramp": 0.8},
    },
    "train": {"epochs": 3, "batch_size": 32, "learning_rate": 3e-3},
}
SPEC = RunSpec.parse(SETTINGS, "")


@pytest.fixture(autouse=True)
def _at_every_end_of_an_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Save however short an epoch is; the one test of the share sets it back."""
    monkeypatch.setattr(training, "CHECKPOINT_SHARE", math.inf)


class CutOffError(Exception):
    """Stands for a process that ends."""


def variables(trained: Trained) -> list[np.ndarray]:
    model = trained.model
    return [keras.ops.convert_to_numpy(variable) for variable in (*model.variables, *model.optimizer.variables)]


def same(one: Trained, other: Trained) -> None:
    """Compare all but the times: weights, noise, statistics, optimiser, history."""
    for a, b in zip(variables(one), variables(other), strict=True):
        np.testing.assert_array_equal(a, b, strict=True)
    assert [row | {"seconds": 0} for row in one.history] == [row | {"seconds": 0} for row in other.history]
    assert one.notes == {name: note for name, note in other.notes.items() if name != "resumed"}


def cut_off(monkeypatch: pytest.MonkeyPatch, folder: Path, step: int, every: float = 0.0) -> None:
    """Train to the end of a step, and no further."""
    original = training._Monitor.on_train_batch_end

    def stop(self: Any, batch: int, logs: Mapping[str, float] | None = None) -> None:
        original(self, batch, logs)
        if self._step == step:
            raise CutOffError

    with monkeypatch.context() as patch:
        patch.setattr(training._Monitor, "on_train_batch_end", stop)
        patch.setattr(training, "CHECKPOINT_SECONDS", every)
        with pytest.raises(CutOffError):
            train(SPEC, checkpoints=folder)


@pytest.fixture(scope="module")
def whole() -> Trained:
    """Return what an uninterrupted training without checkpoints gives."""
    return train(SPEC)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the checkpoints of steps 11 and 12."""
    folder = tmp_path_factory.mktemp("saved")
    with pytest.MonkeyPatch.context() as patch:
        cut_off(patch, folder, 12)
    return folder


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def copy(folder: Path, to: Path) -> list[Path]:
    """Copy checkpoints; return their paths, oldest first."""
    to.mkdir()
    for path in folder.iterdir():
        (to / path.name).write_bytes(path.read_bytes())
    return sorted(to.iterdir())


RANDOM = int(np.random.default_rng().integers(8, 21))  # another one each time


# The first step, the last but one of an epoch, its last, and any other.
@pytest.mark.parametrize("step", [1, 6, 7, pytest.param(RANDOM, id="random")])
def test_taken_up_after_any_step(step: int, whole: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cut_off(monkeypatch, tmp_path, step)
    epochs: list[int] = []
    resumed = train(SPEC, on_epoch=lambda epoch, row: epochs.append(epoch), checkpoints=tmp_path)
    same(whole, resumed)
    kept = step if step % STEPS else step - 1  # at the end of an epoch, the epoch's own checkpoint was yet to come
    assert resumed.notes["resumed"] == f"1 times, from step {kept}"
    assert epochs == list(range(kept // STEPS + 1, 4))
    assert len(names(tmp_path)) == 2


def test_taken_up_again_and_again(whole: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for step in (4, 5, 17):
        cut_off(monkeypatch, tmp_path, step)
    resumed = train(SPEC, checkpoints=tmp_path)
    same(whole, resumed)
    assert resumed.notes["resumed"] == "3 times, from step 4, 5, 17"
    seconds = sum(row["seconds"] for row in resumed.history)
    timings = resumed.timings
    assert timings["first_step_seconds"] + timings["train_seconds"] == pytest.approx(seconds)
    # Each of the four processes had a first step of its own.
    assert timings["images_per_second"] * timings["train_seconds"] == pytest.approx(600 * 17 / 21)


def test_time_goes_on_where_it_was(saved: Path, tmp_path: Path) -> None:
    copy(saved, tmp_path / "mid")
    path = max(saved.iterdir())
    state = decode(path.read_bytes(), identity_in(path))
    resumed = train(SPEC, checkpoints=tmp_path / "mid")
    assert (state.epoch, state.batch) == (1, 5)
    assert state.seconds > 0
    assert resumed.history[0]["seconds"] == state.history[0]["seconds"]
    assert resumed.history[1]["seconds"] > state.seconds
    assert resumed.timings["first_step_seconds"] > state.first_steps[0]


@pytest.mark.parametrize("epoch", [1, 3])
def test_taken_up_after_an_epoch(epoch: int, whole: Trained, tmp_path: Path) -> None:
    def stop(number: int, row: Mapping[str, float]) -> None:
        if number == epoch:
            raise CutOffError

    with pytest.raises(CutOffError):
        train(SPEC, on_epoch=stop, checkpoints=tmp_path)
    resumed = train(SPEC, checkpoints=tmp_path)
    same(whole, resumed)
    assert resumed.notes["resumed"] == f"1 times, from step {STEPS * epoch}"


def test_statistics_measured_at_the_end_are_the_same_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settled = RunSpec.parse(SETTINGS | {"model": SETTINGS["model"] | {"statistics": "reestimated"}}, "")
    monkeypatch.setattr(sys.modules[__name__], "SPEC", settled)
    cut_off(monkeypatch, tmp_path, 10)
    same(train(settled), train(settled, checkpoints=tmp_path))


def test_saving_changes_nothing_and_leaves_two_files(
    whole: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "CHECKPOINT_SECONDS", 0.0)
    folder = tmp_path / "not" / "yet"
    (tmp_path / "not").mkdir()
    same(whole, train(SPEC, checkpoints=folder))
    assert names(folder) == ["step-0000000020.checkpoint", "step-0000000021.checkpoint"]


def test_half_written_files_of_a_killed_process_are_removed(saved: Path, tmp_path: Path) -> None:
    folder = tmp_path / "left"
    copy(saved, folder)
    (folder / ".partial-1").write_bytes(b"half")
    train(SPEC, checkpoints=folder)
    assert names(folder) == ["step-0000000014.checkpoint", "step-0000000021.checkpoint"]


def identity_in(path: Path) -> dict[str, Any]:
    """Return the identity that a checkpoint was saved with."""
    identity: dict[str, Any] = json.loads(path.read_bytes().split(b"\n", 2)[1])["identity"]
    return identity


def flip(content: bytes) -> bytes:
    at = len(content) * 2 // 3
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        pytest.param(lambda content: content[: len(content) // 2], "damaged", id="truncated"),
        pytest.param(lambda content: content[:-1], "damaged", id="a byte short"),
        pytest.param(lambda content: content + b"\0", "damaged", id="a byte more"),
        pytest.param(flip, "damaged", id="a bit flipped"),
        pytest.param(lambda content: b"", "damaged", id="empty"),
        pytest.param(lambda content: content.split(b"\n")[0] + b"\n", "damaged", id="head only"),
    ],
)
def test_a_spoilt_checkpoint_is_passed_over(
    spoil: Any, reason: str, saved: Path, tmp_path: Path, whole: Trained
) -> None:
    before, newest = copy(saved, tmp_path / "spoilt")
    identity = identity_in(newest)
    newest.write_bytes(spoil(newest.read_bytes()))
    found = Checkpoints(tmp_path / "spoilt", identity)
    state = found.latest()
    assert state is not None
    assert state.step == 11
    assert found.notes == f"{newest.name} passed over: {reason}"
    before.write_bytes(spoil(before.read_bytes()))
    assert Checkpoints(tmp_path / "spoilt", identity).latest() is None


def test_a_training_passes_over_what_is_spoilt_and_says_so(saved: Path, tmp_path: Path, whole: Trained) -> None:
    before, newest = copy(saved, tmp_path / "spoilt")
    newest.write_bytes(flip(newest.read_bytes()))
    resumed = train(SPEC, checkpoints=tmp_path / "spoilt")
    assert resumed.notes.pop("checkpoints") == f"{newest.name} passed over: damaged"
    assert resumed.notes["resumed"] == "1 times, from step 11"
    same(whole, resumed)
    before.write_bytes(b"")
    newest.write_bytes(b"")
    for path in (tmp_path / "spoilt").iterdir():
        path.write_bytes(b"")
    afresh = train(SPEC, checkpoints=tmp_path / "spoilt")
    assert "resumed" not in afresh.notes
    del afresh.notes["checkpoints"]
    same(whole, afresh)
    assert names(tmp_path / "spoilt") == ["step-0000000014.checkpoint", "step-0000000021.checkpoint"]


@pytest.mark.parametrize(
    ("name", "value"), [("spec", "0" * 64), ("source", "0" * 64), ("backend", "none"), ("variables", [])]
)
def test_a_checkpoint_of_something_else_is_passed_over(name: str, value: Any, saved: Path) -> None:
    newest = max(saved.iterdir())
    other = Checkpoints(saved, identity_in(newest) | {name: value})
    assert other.latest() is None
    assert f"{newest.name} passed over: of another {name}" in other.notes


def test_another_seed_or_other_code_starts_from_nothing(
    saved: Path, tmp_path: Path, whole: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy(saved, tmp_path / "other")
    seeded = RunSpec.parse(SETTINGS | {"train": SETTINGS["train"] | {"seed": 1, "epochs": 1}}, "")
    trained = train(seeded, checkpoints=tmp_path / "other")
    assert trained.notes["checkpoints"].count("of another spec") == 2
    same(train(seeded), Trained(**vars(trained) | {"notes": {"batch_statistics": trained.notes["batch_statistics"]}}))
    # What was there is not mistaken for newer than what is saved now.
    assert names(tmp_path / "other") == ["step-0000000007.checkpoint"]

    copy(saved, tmp_path / "code")
    monkeypatch.setattr(training, "code_of", lambda *_, **__: {"vae": "0" * 64})
    trained = train(SPEC, checkpoints=tmp_path / "code")
    assert "of another source" in trained.notes["checkpoints"]
    assert "resumed" not in trained.notes


VALUES = [np.arange(6, dtype=np.float32).reshape(2, 3), np.array(7, dtype=np.int64), np.array([0, 5], dtype=np.uint32)]
STATE = State(VALUES, 3, 1, 1, 0.1 + 0.2, [{"epoch": 1, "loss": 1 / 3}], [0.1], [2])
CONTENT = encode(STATE, {"spec": "a"})


def test_a_state_comes_back_as_it_was() -> None:
    back = decode(CONTENT, {"spec": "a"})
    assert vars(back) | {"arrays": 0} == vars(STATE) | {"arrays": 0}
    assert repr(back.history) == repr(STATE.history)
    for a, b in zip(back.arrays, VALUES, strict=True):
        np.testing.assert_array_equal(a, b, strict=True)


@given(at=st.integers(0, len(CONTENT) - 1), change=st.integers(1, 255))
def test_any_byte_that_changes_is_noticed(at: int, change: int) -> None:
    spoilt = CONTENT[:at] + bytes([CONTENT[at] ^ change]) + CONTENT[at + 1 :]
    with pytest.raises(CheckpointError, match="damaged"):
        decode(spoilt, {"spec": "a"})


@given(length=st.integers(0, len(CONTENT) - 1))
def test_any_end_that_is_missing_is_noticed(length: int) -> None:
    with pytest.raises(CheckpointError, match="damaged"):
        decode(CONTENT[:length], {"spec": "a"})


@pytest.mark.parametrize("body", [b"", b"[]\n", b"{}\n", b'{"identity": {}, "state": {}}\nno archive', b"\xff\n"])
def test_what_is_whole_but_no_checkpoint_is_noticed(body: bytes) -> None:
    from vae.checkpoint import _head

    with pytest.raises(CheckpointError, match="not a checkpoint"):
        decode(_head(body) + body, {})


def made(archive: bytes | None = None, **state: Any) -> bytes:
    """Return a checkpoint whose checksum is right, of this archive and a state with these changes."""
    from vae.checkpoint import _head

    line, _, arrays = CONTENT.partition(b"\n")[2].partition(b"\n")
    facts = json.loads(line)
    facts["state"] |= state
    body = json.dumps(facts).encode() + b"\n" + (arrays if archive is None else archive)
    return _head(body) + body


def packed(content: bytes, compression: int = zipfile.ZIP_STORED) -> bytes:
    """Return a NumPy archive with one member."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        archive.writestr("arr_0.npy", content)
    return buffer.getvalue()


HUGE = b"\x93NUMPY\x01\x00v\x00" + b"{'descr': '<f8', 'fortran_order': False, 'shape': (999999999999,), }".ljust(118)
ZIPPED = packed(bytes(10**6), zipfile.ZIP_DEFLATED)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (made(epoch=-1), "epoch: "),
        (made(epoch=2), "2 epochs done, and 1 in its history"),
        (made(epoch=1.5), "epoch: "),
        (made(step="3"), "step: "),
        (made(batch=None), "batch: "),
        (made(seconds=float("nan")), "seconds: "),
        (made(history=[{"epoch": "one"}]), "history.0.epoch"),
        (made(history={}), "history: "),
        (made(first_steps=[-1]), "first_steps.0"),
        (made(resumed=[[1]]), "resumed.0"),
        (made(history=json.loads("[" * 900 + "]" * 900)), "history"),
        (made(b""), "EOFError"),
        (made(packed(b"")), "not a checkpoint"),
        (made(packed(HUGE)), "not a checkpoint"),
        (made(ZIPPED), "bytes unpack to 1,000,000"),
        (made(ZIPPED[:60] + b"\xff" * 20 + ZIPPED[80:]), "not a checkpoint"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_no_training_can_go_on_from_is_noticed(content: bytes, message: str) -> None:
    with pytest.raises(CheckpointError, match=f"not a checkpoint .*{message}" if message[0] != "n" else message):
        decode(content, {"spec": "a"})


def test_tables_without_end_are_noticed() -> None:
    from vae.checkpoint import _head

    body = b"[" * 10**5 + b"\n"
    with pytest.raises(CheckpointError, match=r"not a checkpoint .RecursionError"):
        decode(_head(body) + body, {})


def test_a_step_that_is_none_of_the_training_is_passed_over(saved: Path, tmp_path: Path) -> None:
    path = max(saved.iterdir())
    identity = identity_in(path)
    state = replace(decode(path.read_bytes(), identity), batch=STEPS + 1)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / path.name).write_bytes(encode(state, identity))
    assert "resumed" not in train(SPEC, checkpoints=tmp_path / "other").notes


def test_a_folder_that_cannot_be_written_is_noted_and_harmless(whole: Trained, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    trained = train(SPEC, checkpoints=tmp_path / "file" / "folder")
    assert trained.notes.pop("checkpoints") == f"3 not written, first at step 7: {os.strerror(errno.ENOTDIR)}"
    same(whole, trained)


def test_a_full_disk_is_noted_and_leaves_what_was_there(
    whole: Trained, saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    copy(saved, tmp_path / "full")
    monkeypatch.setattr(os, "fsync", full)
    trained = train(SPEC, checkpoints=tmp_path / "full")
    assert trained.notes.pop("checkpoints") == f"2 not written, first at step 14: {os.strerror(errno.ENOSPC)}"
    same(whole, trained)
    assert names(tmp_path / "full") == names(saved)


SCRIPT = """
import json, sys
from pathlib import Path
from vae import RunSpec, evaluate, train, training
training.CHECKPOINT_SECONDS, training.CHECKPOINT_SHARE = 0.0, float("inf")
trained = train(RunSpec.parse(json.loads(sys.argv[1]), ""), checkpoints=Path(sys.argv[2]))
history = [row | {"seconds": 0} for row in trained.history]
print(json.dumps([evaluate(trained).metrics, history, trained.notes.get("resumed")]))
"""


def kill_within(seconds: float, command: list[str], folder: Path) -> str | None:
    """Run a command and kill it so long after its first checkpoint; return what it printed if it was quicker."""
    before = set(folder.iterdir()) if folder.is_dir() else set()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        deadline = time.monotonic() + 600
        while process.poll() is None and time.monotonic() < deadline:
            if folder.is_dir() and set(folder.iterdir()) - before:
                time.sleep(seconds)
                break
            time.sleep(0.002)
        running = process.poll() is None
        process.kill()
        printed, _ = process.communicate()
    finally:
        process.kill()
        process.wait()
    return None if running else printed


@pytest.mark.slow
def test_killed_at_random_moments(tmp_path: Path) -> None:
    settings = SETTINGS | {"train": SETTINGS["train"] | {"epochs": 12}}
    folder = tmp_path / "checkpoints"
    command = [sys.executable, "-c", SCRIPT, json.dumps(settings), str(folder)]
    kills = [kill_within(seconds, command, folder) for seconds in np.random.default_rng().uniform(0, 0.3, 2)].count(
        None
    )
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    metrics, history, resumed = json.loads(done.stdout)
    assert kills
    assert resumed
    assert resumed.startswith(tuple("12"))
    whole = train(RunSpec.parse(settings, ""))
    assert history == [row | {"seconds": 0} for row in whole.history]
    assert metrics == evaluate(whole).metrics
    assert len(names(folder)) == 2


def test_checkpoints_take_no_more_than_their_share(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saves: list[int] = []
    original = training._Monitor._save

    def slow(self: Any, batch: int) -> None:
        saves.append(self._step)
        time.sleep(0.2)
        original(self, batch)
        self._cost += 0.2

    monkeypatch.setattr(training._Monitor, "_save", slow)
    monkeypatch.setattr(training, "CHECKPOINT_SHARE", 0.02)
    settings = {**SETTINGS, "train": {**SETTINGS["train"], "epochs": 20}}
    train(RunSpec.parse(settings, ""), checkpoints=tmp_path)
    assert len(saves) == 1, "a save of 0.2 s is followed by 10 s without one"
    saves.clear()
    monkeypatch.setattr(training, "CHECKPOINT_SHARE", math.inf)
    train(RunSpec.parse(settings | {"train": {**settings["train"], "seed": 1, "epochs": 3}}, ""), checkpoints=tmp_path)
    assert len(saves) == 3


def test_a_pause_changes_nothing(whole: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "CHECKPOINT_SHARE", 1e-9)  # so that none is saved but where it pauses
    paused = [train(SPEC, checkpoints=tmp_path, until=until) for until in (2, 2)]
    for one in paused:
        assert [row["epoch"] for row in one.history] == [1, 2]
        assert "batch_statistics" not in one.notes  # they are of a finished training
    assert paused[0].history == paused[1].history  # which trained nothing
    same(whole, train(SPEC, checkpoints=tmp_path))


def test_a_longer_training_goes_on_from_a_shorter_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "CHECKPOINT_SHARE", 1e-9)
    loss = SETTINGS["loss"] | {"kl": {"weight": 0.01}}
    short, long = (
        RunSpec.parse(SETTINGS | {"loss": loss, "train": SETTINGS["train"] | {"epochs": epochs}}, "")
        for epochs in (1, 2)
    )
    models = Models()
    straight = train(long, models=models)
    expected = variables(straight)  # before the model is used again
    first = train(short, None, None, tmp_path, models, 1)
    rest = train(long, None, None, tmp_path, models, 2)
    assert rest.notes["resumed"] == f"1 times, from step {STEPS}"
    assert [row | {"seconds": 0} for row in rest.history] == [row | {"seconds": 0} for row in straight.history]
    for a, b in zip(expected, variables(rest), strict=True):
        np.testing.assert_array_equal(a, b, strict=True)
    again = train(short, None, None, tmp_path, models, 1)  # there is a longer training's state now
    assert "resumed" not in again.notes
    assert again.history[0] | {"seconds": 0} == first.history[0] | {"seconds": 0}


def test_a_schedule_is_told_in_shares_of_the_whole_training() -> None:
    longer = RunSpec.parse(SETTINGS | {"train": SETTINGS["train"] | {"epochs": 9}}, "")
    assert training._training(SPEC, "") != training._training(longer, "")
