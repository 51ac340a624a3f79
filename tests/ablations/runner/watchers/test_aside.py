"""A watcher that hangs, fails or loses its server holds up neither the study nor whoever stops it."""

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest
from tracking import tracking, two_epochs

from ablations import Study
from ablations.cli import main
from ablations.records.store import Store
from ablations.runner.job import Event
from ablations.runner.watchers import WATCHERS, Subject, Watcher, Watchers, _aside
from vae.errors import VaebenchError

ROOT = Path(__file__).parents[4]
STUDY = """
name = "watched"
[fixed]
model = "dense_vae"
hidden_units = [8]
data.limit = 64
data.test_limit = 32
epochs = {epochs}
[axes]
latent_dim = {sizes}
"""


class Stuck(Watcher):
    """Takes up each thing only when it is let go; notes what it was told, and in which thread."""

    def __init__(self, *, remote: bool = False) -> None:
        self.remote = remote
        self.begun, self.go = threading.Event(), threading.Event()
        self.seen: list[str] = []
        self.threads: set[int] = set()

    def on_event(self, event: Event) -> None:
        self.begun.set()
        self.go.wait()
        self.seen.append(event.trial)
        self.threads.add(threading.get_ident())

    def close(self, files: Sequence[Path] = ()) -> None:
        self.seen.append("closed")


@pytest.fixture
def subject(tmp_path: Path) -> Subject:
    return Subject(Study.from_dict({"name": "watched", "axes": {"latent_dim": [2]}}), Store(tmp_path / "watched"))


def opened(subject: Subject, watcher: Watcher) -> Watchers:
    with WATCHERS.temporarily("mine", lambda subject, place: watcher):
        return Watchers.open(subject, {"mine": ""})


def interrupted(subject: Subject, stuck: Stuck, *trials: str) -> None:
    """Press Ctrl-C once the watcher has begun with the first of these."""

    def scene() -> None:
        with opened(subject, stuck) as watchers:
            for trial in trials:
                watchers.on_event(Event("started", trial))
            stuck.begun.wait()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        scene()


def test_a_watcher_hears_everything_in_order_when_it_has_time(subject: Subject) -> None:
    stuck = Stuck()
    with opened(subject, stuck) as watchers:
        for name in "abc":
            watchers.on_event(Event("started", name))
        assert stuck.seen == []  # and yet we are here
        stuck.go.set()
    assert stuck.seen == ["a", "b", "c", "closed"]
    assert stuck.threads != {threading.get_ident()}
    assert len(stuck.threads) == 1


@pytest.mark.parametrize("remote", [False, True])
def test_an_interrupt_leaves_a_watcher_that_hangs(
    subject: Subject, monkeypatch: pytest.MonkeyPatch, *, remote: bool
) -> None:
    monkeypatch.setattr(_aside, "LEAVE_SECONDS", 0.1)
    stuck = Stuck(remote=remote)
    interrupted(subject, stuck, "a", "b")
    stuck.go.set()
    for thread in threading.enumerate():
        if thread.name == "watcher-mine":
            thread.join()
    assert stuck.seen == ["a"], "what it was at ends, and nothing is begun"


def test_after_an_interrupt_one_of_this_machine_may_finish_and_no_other(subject: Subject) -> None:
    here, there = Stuck(), Stuck(remote=True)
    here.go.set()
    there.go.set()
    interrupted(subject, here, "a")
    interrupted(subject, there, "a")
    assert here.seen == ["a", "closed"]
    assert "closed" not in there.seen


def test_one_that_never_answers_is_given_up_at_the_end(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_aside, "ANSWER_SECONDS", 0.1)
    stuck = Stuck()
    with opened(subject, stuck) as watchers:
        watchers.on_event(Event("started", "a"))
    assert watchers.lost == {"mine": "it has not answered for 0.1 s"}
    stuck.go.set()


def test_what_waits_is_bounded(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_aside, "MOST", 5)
    stuck = Stuck()
    with opened(subject, stuck) as watchers:
        watchers.on_event(Event("started", "a"))
        stuck.begun.wait()
        for _ in range(5):
            watchers.on_event(Event("started", "b"))
        assert watchers.lost == {}
        watchers.on_event(Event("started", "c"))
        assert watchers.lost == {"mine": "it is 5 messages behind"}
    stuck.go.set()


def test_one_that_exits_ends_its_watching_alone_and_is_told_of_once(subject: Subject) -> None:
    class Exits(Watcher):
        def on_event(self, event: Event) -> None:
            sys.exit(3)

    told: list[tuple[str, str]] = []
    watchers = opened(subject, Exits())
    watchers.say = lambda *words: told.append(words)
    watchers.on_event(Event("started", "a"))
    watchers.close()
    watchers.on_event(Event("started", "b"))
    assert told == [("mine", "SystemExit: 3")]


def test_an_error_beneath_many_is_told_in_the_systems_words(subject: Subject) -> None:
    with tracking() as server:
        pass
    with pytest.raises(VaebenchError, match=rf"^--mlflow {server.address}: Connection refused\. Choose another place$"):
        Watchers.open(subject, {"mlflow": server.address})


@pytest.mark.parametrize("dies", [False, True])
def test_a_server_that_is_lost_ends_the_watching_and_not_the_study(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *, dies: bool
) -> None:
    monkeypatch.setenv("COLUMNS", "500")
    monkeypatch.setattr("ablations.report.report.draw", lambda *_, **__: ())
    file, results = tmp_path / "watched.toml", tmp_path / "r"
    file.write_text(STUDY.format(epochs=3, sizes=[2, 3]))
    command = ["run", str(file), "--results", str(results), "--executor", "inline", "--no-pdf"]
    with tracking(two_epochs, dies=dies) as server:
        assert main([*command, "--mlflow", server.address]) == 0
        assert server.silent.is_set()
    why = "Connection re(fused|set by peer)|Remote end closed connection" if dies else "timed out"
    said = [line for line in capsys.readouterr().out.splitlines() if "watcher" in line]
    assert len(said) == 1
    assert said[0].startswith("the watcher mlflow broke off, the study did not: ")
    assert re.search(why, said[0])
    store = Store(results / "watched")
    assert [record.status for name in store.names() if (record := store.read(name))] == ["done", "done"]
    # Each request is tried twice, and the first that fails is the last.
    assert server.asked.count("runs/log-batch") <= 5


def test_a_server_that_hangs_from_the_start_is_told_before_anything_is_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    file = tmp_path / "watched.toml"
    file.write_text(STUDY.format(epochs=3, sizes=[2]))
    with tracking(lambda asked: False) as server:
        code = main(["run", str(file), "--results", str(tmp_path / "r"), "--mlflow", server.address])
    assert code == 2
    assert "timed out. Choose another place" in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "r").exists()
    assert len(server.asked) == 2


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_neither_ctrl_c_nor_kill_waits_for_a_server_that_hangs(tmp_path: Path, number: signal.Signals) -> None:
    file = tmp_path / "watched.toml"
    file.write_text(STUDY.format(epochs=1_000_000, sizes=[2, 3]))
    command = [sys.executable, "-m", "vaebench", "run", str(file), "--results", str(tmp_path / "r"), "--no-pdf"]
    with tracking(two_epochs) as server:
        # Were it asked again, or waited for, that would last for minutes.
        patience = {"MLFLOW_HTTP_REQUEST_TIMEOUT": "600", "PYTHONPATH": str(ROOT)}
        runner = subprocess.Popen(
            [*command, "--executor", "inline", "--mlflow", server.address],
            env=os.environ | patience,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            assert server.silent.wait(300)
            asked = list(server.asked)
            runner.send_signal(number)
            output, _ = runner.communicate(timeout=300)
        finally:
            runner.kill()
        assert server.asked == asked
    assert runner.returncode in {130, 128 + number}
    assert "stopped. What is finished is kept" in output
    assert "Traceback" not in output
