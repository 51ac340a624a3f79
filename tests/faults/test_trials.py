"""Trials that fail in every way, and runs that are cut off: the others are done, and the next run goes on."""

import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import numpy as np
import pandas as pd
import pytest
from catalogue import Told, begin, command, kept, settle, write_study

from ablations.records.lease import hold
from ablations.records.store import Store
from vae import training
from vae.files import partial
from vae.networks import NETWORKS

ROOT = Path(__file__).parents[2]
Fault = Callable[[Told, str, str], None]

# What a worker process finds as it starts, in place of the training: each latent size dies in its own way.
DYING = f"""
import os, signal, sys, time
from pathlib import Path
sys.path.insert(0, {str(ROOT)!r})
from vae import training

whole = training.train

def train(spec, *rest):
    size = spec.model.latent_dim
    if size == 3:
        os.abort()
    if size == 4:
        os._exit(7)
    if size == 5:
        os.kill(os.getpid(), signal.SIGKILL)
    if size == 6:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        while True:
            time.sleep(60)
    once = Path("once")
    if size == 7 and not once.exists():
        once.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return whole(spec, *rest)

training.train = train
"""

# A runner that kills itself as it saves the third checkpoint of the second trial, half-way through.
SUICIDAL = """
import math, os, signal
from ablations.cli import main
from vae import training
from vae.checkpoint import Checkpoints

training.CHECKPOINT_SHARE = math.inf
save, saved = Checkpoints.save, []

def then_die(self, state):
    saved.append(state)
    save(self, state)
    if len(saved) == 7:
        os.kill(os.getpid(), signal.SIGKILL)

Checkpoints.save = then_die
main(["run", "mine.toml", "--executor", "inline", "--no-pdf"])
"""


@pytest.mark.fault("trials", "the learning rate is far too high")
def test_a_trial_that_diverges(finished: Path, fault: Fault) -> None:
    settings = 'learning_rate = 1e30, output = "linear", epochs = 2, batch_size = 64'
    store = begin(finished, more=f"[[override]]\nwhen = {{ latent_dim = 3 }}\nset = {{ {settings} }}")
    told = command("run", "mine.toml")
    assert [one.status for one in store.ledger.attempts()] == ["done", "diverged"]  # once: it would diverge again
    fault(told, told.line("diverged "), kept(store))


def starve(*_: object) -> None:
    np.empty(2**60, np.uint8)


def stumble(*_: object) -> None:
    raise RuntimeError("a bug in a network of your own")


@pytest.mark.parametrize(
    ("train", "status", "tries"),
    [
        pytest.param(starve, "out_of_memory", 2, marks=pytest.mark.fault("trials", "there is not enough memory")),
        pytest.param(stumble, "failed", 1, marks=pytest.mark.fault("trials", "the code of a trial has a bug")),
    ],
)
def test_a_trial_that_raises(
    train: Any, status: str, tries: int, finished: Path, fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = begin(finished)
    monkeypatch.setattr(training, "train", train)
    told = command("run", "mine.toml")
    (bad,) = (record for name in store.names() if (record := store.read(name)) and record.status != "done")
    assert f"in {train.__name__}" in bad.notes["traceback"]
    assert len([one for one in store.ledger.attempts() if one.trial == bad.trial]) == tries
    tried = f"; tried {tries} times" if tries > 1 else ""
    fault(told, told.line(f"{status} "), f"{kept(store)}; the traceback, in record.json{tried}")


@pytest.fixture(scope="module")
def fallen(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Told, Store]:
    """Return what a run of trials that die in three ways says and leaves."""
    folder = tmp_path_factory.mktemp("fallen")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        settle(patch)
        store = begin(finished, "latent_dim = [2, 3, 4, 5]")
        arm(folder, patch)
        told = command("run", "mine.toml", "--workers", "2", "--retries", "0", inline=False)
        return told, Store(store.root.absolute())


def arm(folder: Path, patch: pytest.MonkeyPatch) -> None:
    """Have every worker that starts from here find the training that dies."""
    (folder / "sitecustomize.py").write_text(DYING)
    patch.setenv("PYTHONPATH", str(folder))


@pytest.mark.parametrize(
    ("status", "size"),
    [
        pytest.param("crashed", 3, marks=pytest.mark.fault("trials", "a worker process crashes (here `abort`)")),
        pytest.param("crashed", 4, marks=pytest.mark.fault("trials", "a worker process ends itself")),
        pytest.param("crashed", 5, marks=pytest.mark.fault("trials", "a worker process is killed, with `--retries 0`")),
    ],
)
def test_a_worker_that_dies_takes_one_trial_along(
    status: str, size: int, fallen: tuple[Told, Store], fault: Fault
) -> None:
    told, store = fallen
    fault(told, told.line(f"{status} latent_dim{size}-"), kept(store))


@pytest.mark.fault("trials", "a trial hangs and hears no signal, with `--timeout 15`")
def test_a_trial_that_hangs(finished: Path, tmp_path: Path, fault: Fault, monkeypatch: pytest.MonkeyPatch) -> None:
    store = begin(finished, "latent_dim = [2, 6]")
    arm(tmp_path, monkeypatch)
    told = command("run", "mine.toml", "--workers", "1", "--retries", "0", "--timeout", "15", inline=False)
    fault(told, told.line("timeout latent_dim6-"), kept(store))


@pytest.mark.fault("trials", "a worker process is killed, once")
def test_the_trial_of_a_worker_that_dies_is_tried_again(
    finished: Path, tmp_path: Path, fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = begin(finished, "latent_dim = [2, 7]")
    arm(tmp_path, monkeypatch)
    told = command("run", "mine.toml", "--workers", "1", inline=False)
    *_, first, second = store.ledger.attempts()
    assert (first.status, second.status, second.number) == ("crashed", "done", 2)
    fault(told, told.line(f"[1/1] {first.trial} crashed"), f"{kept(store)}; it was tried again")


@pytest.mark.fault("trials", "a worker process can't start (here a package on PYTHONPATH is broken)")
def test_workers_that_can_not_start(
    finished: Path, tmp_path: Path, fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = begin(finished, "latent_dim = [2, 3, 4]")
    before = store.ledger.attempts()
    (tmp_path / "psutil.py").write_text('raise ImportError("half an installation")\n')
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    told = command("run", "mine.toml", "--workers", "2", "--retries", "5", inline=False)
    assert store.ledger.attempts() == before
    assert told.errors.rstrip().endswith("ImportError: half an installation")
    fault(told, told.line(), f"{kept(store)}; no trial was begun, the last lines of the worker follow")


@pytest.mark.fault("trials", "the current folder holds a `vae.py`, a `psutil.py` and a `keras.py` of the user's own")
def test_files_that_are_named_like_packages(finished: Path, tmp_path: Path, fault: Fault) -> None:
    store = begin(finished)
    for name in ("vae", "psutil", "keras"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('imported')\n")
    told = command("run", "mine.toml", "--workers", "1", inline=False)
    fault(told, told.line("study "), f"{kept(store)}; they are not imported")


@pytest.mark.fault("trials", "a `vae.py` comes before ours, as it is on PYTHONPATH")
def test_a_package_that_is_shadowed(finished: Path, tmp_path: Path, fault: Fault) -> None:
    store = begin(finished)
    (tmp_path / "vae.py").write_text("")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])}
    words = [sys.executable, "-P", "-m", "vaebench", "run", "mine.toml"]
    ended = subprocess.run(words, env=environment, check=False, capture_output=True, text=True)
    told = Told(ended.returncode, ended.stdout, ended.stderr)
    fault(told, told.line().replace(f"{ROOT}{os.sep}", "site-packages/"), kept(store))


@pytest.mark.fault("trials", "KERAS_BACKEND names a package that is not installed")
def test_a_backend_that_is_missing(finished: Path, fault: Fault, monkeypatch: pytest.MonkeyPatch) -> None:
    store = begin(finished)
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delitem(sys.modules, "keras", raising=False)  # else it would be too late to choose
    told = command("run", "mine.toml", inline=False)
    fault(told, told.line(), kept(store))


@pytest.mark.fault("trials", "trials of one study are trained by two of Keras' backends")
def test_two_backends(finished: Path, fault: Fault) -> None:
    store = begin(finished)
    file = store.trials / store.names()[0] / "record.json"
    record = json.loads(file.read_text())
    record["environment"]["backend"] = {"tensorflow": "jax"}.get(record["environment"]["backend"], "tensorflow")
    file.write_text(json.dumps(record))
    told = command("run", "mine.toml")
    fault(told, told.line("the trials are of several backends"), kept(store))


@pytest.mark.fault("trials", "a worker process can't read its trial (here a network that only the runner knows)")
def test_a_trial_that_only_the_runner_can_read(finished: Path, fault: Fault, monkeypatch: pytest.MonkeyPatch) -> None:
    class Mine(NETWORKS["dense_vae"]):  # type: ignore[misc]
        name: Literal["mine"] = "mine"

    Mine.__module__, Mine.__qualname__ = "only_here", "Mine"
    module = ModuleType("only_here")
    module.Mine = Mine  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "only_here", module)
    more = '[[override]]\nwhen = { latent_dim = 3 }\nset = { model = "mine", hidden_units = [8] }'
    store = begin(finished, "latent_dim = [2, 3, 4]", more)
    with NETWORKS.temporarily("mine", Mine):
        told = command("run", "mine.toml", "--workers", "1", inline=False)
    assert [one.status for one in store.ledger.attempts()] == ["done", "failed", "done"]
    fault(told, told.line("failed "), f"{kept(store)}; the other trials are trained, in the same worker")


@pytest.fixture(scope="module")
def cut(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the results of a runner that was killed in the third of four epochs of its second trial."""
    folder = tmp_path_factory.mktemp("cut")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        write_study(epochs=4)
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        ended = subprocess.run([sys.executable, "-c", SUICIDAL], env=environment, check=False, capture_output=True)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    return folder / "results"


def nothing(store: Store) -> None:
    """Leave everything as the killed runner left it."""


def tear(store: Store) -> None:
    newest = max(store.root.glob("work/*/*.checkpoint"))
    newest.write_bytes(newest.read_bytes()[:-100])


def swap(store: Store) -> None:
    """Give a trial the checkpoints of another."""
    (work,) = store.root.glob("work/*")
    shutil.rmtree(store.trials / (done := store.names()[0]))
    work.rename(work.with_name(done))


@pytest.mark.parametrize(
    ("damage", "told", "went_on"),
    [
        pytest.param(
            nothing, "resumed", True, marks=pytest.mark.fault("trials", "the runner is killed in the middle of a trial")
        ),
        pytest.param(
            tear,
            "checkpoints",
            True,
            marks=pytest.mark.fault("trials", "so, and its last checkpoint is cut short"),
        ),
        pytest.param(
            swap,
            "checkpoints",
            False,
            marks=pytest.mark.fault("trials", "so, and its checkpoints are of another trial"),
        ),
    ],
)
def test_the_run_after_one_that_was_killed_goes_on(
    damage: Callable[[Store], None], told: str, went_on: bool, cut: Path, fault: Fault
) -> None:
    store = begin(cut, epochs=4)
    damage(store)
    again = command("run", "mine.toml")
    (record,) = (record for name in store.names() if (record := store.read(name)) and told in record.notes)
    assert ("resumed" in record.notes) is went_on
    assert not (store.root / "work").exists()
    how = "the next run goes on from there" if went_on else "the trial is trained from the start"
    fault(again, f"{told}: {record.notes[told]} (in record.json)", f"{kept(store)}; {how}")


def stop(blow: signal.Signals) -> Callable[..., None]:
    def train(*_: object) -> None:
        os.kill(os.getpid(), blow)
        threading.Event().wait()

    return train


@pytest.mark.parametrize(
    "blow",
    [
        pytest.param(signal.SIGINT, marks=pytest.mark.fault("trials", "Ctrl-C")),
        pytest.param(signal.SIGTERM, marks=pytest.mark.fault("trials", "`kill`, or a batch system's time is up")),
    ],
)
def test_a_run_that_is_stopped(
    blow: signal.Signals, finished: Path, fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = begin(finished)
    with monkeypatch.context() as patch:
        patch.setattr(training, "train", stop(blow))
        told = command("run", "mine.toml")
    assert "1 to train" in told.output
    left = kept(store)
    assert pd.read_csv(store.table_csv)["status"].tolist() == ["done", "interrupted"]
    fault(told, told.line(), left)


@pytest.mark.fault("trials", "another runner has the same results")
def test_two_runners(finished: Path, fault: Fault) -> None:
    store = begin(finished)
    before = store.ledger.attempts()
    with hold(store.lease):
        told = command("run", "mine.toml")
    assert store.ledger.attempts() == before
    fault(told, told.line(), kept(store))


@pytest.mark.fault("trials", "another runner had the same results, and died")
def test_a_dead_runner(finished: Path, fault: Fault) -> None:
    store = begin(finished, "latent_dim = [2]")
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    store.lease.write_text(json.dumps({"host": platform.node(), "pid": dead.pid, "token": "t"}))
    told = command("run", "mine.toml")
    fault(told, told.line("study "), kept(store))


@pytest.mark.fault("trials", "a finished trial's record.json is cut short")
def test_a_torn_record(finished: Path, fault: Fault) -> None:
    store = begin(finished, "latent_dim = [2]")
    file = store.trials / store.names()[0] / "record.json"
    before = json.loads(file.read_text())
    file.write_bytes(file.read_bytes()[:-100])
    told = command("run", "mine.toml")
    assert json.loads(file.read_text())["metrics"] == before["metrics"]
    fault(told, told.line("study "), f"{kept(store)}; it is trained again, to the same numbers")


def respell(field: str, value: object) -> Callable[[Store], None]:
    def change(store: Store) -> None:
        file = store.trials / store.names()[0] / "record.json"
        record = json.loads(file.read_text())
        section, _, name = field.rpartition(".")
        (record[section] if section else record)[name] = value
        file.write_text(json.dumps(record))

    return change


@pytest.mark.parametrize(
    ("command_", "change", "says"),
    [
        pytest.param(
            "status",
            respell("metrics", "good"),
            "damaged",
            marks=pytest.mark.fault("trials", "a record whose metrics are a text, and one asks for `vaebench status`"),
        ),
        pytest.param(
            "report",
            respell("data.class_names", {"0": "a"}),
            "damaged",
            marks=pytest.mark.fault("trials", "a record whose class names are a table, and one asks for the report"),
        ),
        pytest.param(
            "rerun",
            respell("environment.threads", 10**9),
            "vaebench: ",
            marks=pytest.mark.fault("trials", "a record that asks `vaebench rerun` for 1,000,000,000 threads"),
        ),
        pytest.param(
            "rerun",
            respell("environment.threads", 4000),
            "vaebench: ",
            marks=pytest.mark.fault("trials", "one that asks it for 4,000 threads"),
        ),
    ],
)
def test_a_record_of_another_shape(
    command_: str,
    change: Callable[[Store], None],
    says: str,
    finished: Path,
    fault: Fault,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("psutil.cpu_count", lambda **_: 4)
    store = begin(finished, "latent_dim = [2]")
    change(store)
    words = ("--no-pdf",) if command_ == "report" else ()
    told = command(command_, str(next(store.trials.iterdir()) if command_ == "rerun" else store.root), *words)
    if command_ == "report":
        assert "damaged" in (store.report / "index.html").read_text()
    fault(told, told.line(says), f"{kept(store)}; what can't be read is left alone")


def meanwhile(patch: pytest.MonkeyPatch, happens: Callable[[], object]) -> None:
    """Have something happen when the next training has ended."""
    whole = training.train

    def train(*rest: object) -> object:
        trained = whole(*rest)
        happens()
        return trained

    patch.setattr(training, "train", train)


@pytest.mark.fault("trials", "a finished trial's folder is removed while the study runs")
def test_a_trial_that_vanishes(finished: Path, fault: Fault, monkeypatch: pytest.MonkeyPatch) -> None:
    store = begin(finished)
    (name,) = store.names()
    with monkeypatch.context() as patch:
        meanwhile(patch, lambda: shutil.rmtree(store.trials / name))
        told = command("run", "mine.toml")
    fault(told, told.line("1 of 2 trials left no result"), kept(store))


@pytest.mark.fault("trials", "the folder of results is moved while the study runs")
def test_results_that_are_moved(finished: Path, fault: Fault, monkeypatch: pytest.MonkeyPatch) -> None:
    begin(finished)
    with monkeypatch.context() as patch:
        meanwhile(patch, lambda: Path("results").rename("elsewhere"))
        told = command("run", "mine.toml")
    assert not Path("results").exists(), "nothing more is written where it was"
    moved = Store(Path("elsewhere/mine"))
    moved.lease.unlink()
    # Another thread tells of the last epoch meanwhile: a draft of that alone may have gone along. Later runs sweep it.
    partial(moved.root, "progress").unlink(missing_ok=True)
    fault(told, told.line(), kept(moved))


@pytest.mark.fault("trials", "the runner slept for minutes, and another took the results over")
def test_results_that_another_took_over(finished: Path, fault: Fault, monkeypatch: pytest.MonkeyPatch) -> None:
    store = begin(finished)
    tables = store.table_csv.read_bytes()
    mine = json.dumps({"host": "elsewhere", "pid": 7, "token": "another's"})
    with monkeypatch.context() as patch:
        meanwhile(patch, lambda: store.lease.write_text(mine))
        told = command("run", "mine.toml")
    assert store.lease.read_text() == mine
    store.lease.unlink()
    assert store.table_csv.read_bytes() == tables
    fault(told, told.line(), kept(store))
