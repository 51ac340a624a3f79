import gc
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st
from watching import Notes

from ablations import Crew, Study, run
from ablations.records.store import Store
from ablations.runner.collect import collect
from ablations.runner.executors import EXECUTORS, Executor, processes
from ablations.runner.job import Event, Job
from ablations.runner.plan import make_plan
from ablations.runner.trial import perform
from vae.errors import SpecError

TABLE: dict[str, Any] = {
    "name": "tiny",
    "fixed": {"data.limit": 64, "data.test_limit": 32, "train.epochs": 1, "hidden_units": [8]},
    "axes": {"model": ["dense_vae"], "latent_dim": [2, 3], "seed": [0]},
}
DETERMINED = ["mse", "sse", "psnr", "ssim", "kl", "active_units", "knn_accuracy", "pca_mse"]


def study(**axes: Any) -> Study:
    return Study.from_dict(TABLE | {"axes": TABLE["axes"] | axes})


def trained(notes: Notes) -> list[str]:
    return [event.trial for event in notes.events if event.kind == "finished"]


@pytest.mark.parametrize("before", [False, True])
def test_inline_spares_the_collector_what_is_imported_and_leaves_the_caller_as_it_was(
    tmp_path: Path, *, before: bool
) -> None:
    if before:
        gc.freeze()
    frozen: list[int] = []
    notes = Notes(lambda _: frozen.append(gc.get_freeze_count()))
    run(study(latent_dim=[2]), tmp_path, crew=Crew(executor="inline"), watch=notes)
    try:
        assert min(frozen) > 100_000
        assert bool(gc.get_freeze_count()) is before
    finally:
        gc.unfreeze()


def test_a_second_run_trains_nothing_and_a_third_just_what_is_missing(tmp_path: Path) -> None:
    notes, inline = Notes(), Crew(executor="inline")
    first = run(study(), tmp_path, crew=inline, watch=notes)
    assert len(trained(notes)) == first.trained == 2
    assert [event.kind for event in notes.events] == ["started", "epoch", "finished"] * 2
    assert list(notes.jobs) == [trial.name for trial in study().trials()]
    assert not first.failed
    assert pd.read_csv(first.store.table_csv)["mse"].tolist() == pytest.approx(first.table["mse"].tolist(), rel=1e-12)
    assert len(pd.read_csv(first.store.summary_csv)) == 2
    assert len(pd.read_parquet(first.store.table_parquet)) == 2

    notes = Notes()
    assert run(study(), tmp_path, crew=inline, watch=notes).trained == 0
    assert not notes.events
    assert not notes.jobs

    gone = first.records[1].trial
    shutil.rmtree(first.store.trials / gone)
    third = run(study(), tmp_path, crew=inline, watch=notes)
    assert trained(notes) == [gone]
    pd.testing.assert_frame_equal(third.table[DETERMINED], first.table[DETERMINED])  # to the last bit

    notes = Notes()
    wider = run(study(latent_dim=[2, 3, 4]), tmp_path, crew=inline, watch=notes)
    assert [name for name in trained(notes) if "latent_dim4" in name] == trained(notes)
    assert len(wider.table) == 3


def test_processes_and_inline_agree_and_workers_end(tmp_path: Path) -> None:
    inline = run(study(), tmp_path / "inline", crew=Crew(executor="inline", threads=1))
    pooled = run(study(), tmp_path / "pooled", crew=Crew(executor="processes", workers=2, threads=1))
    pd.testing.assert_frame_equal(inline.table[DETERMINED], pooled.table[DETERMINED])
    assert not [child for child in psutil.Process().children() if "ablations" in " ".join(child.cmdline())]


def test_a_failed_trial_is_a_row_and_stops_nobody(tmp_path: Path) -> None:
    fixed = TABLE["fixed"] | {"output": "linear", "train.epochs": 2, "batch_size": 64}
    axes = TABLE["axes"] | {"learning_rate": [1e-3, 1e30], "latent_dim": [2]}
    mixed = Study.from_dict(TABLE | {"axes": axes, "fixed": fixed})
    outcome = run(mixed, tmp_path, crew=Crew(executor="inline"))
    assert outcome.table["status"].tolist() == ["done", "diverged"]
    assert "not finite at step" in outcome.table["reason"][1]
    assert outcome.summary["n"].tolist() == [1, 0]
    assert outcome.summary["failed"].tolist() == [0, 1]
    assert len(outcome.failed) == 1
    # It is tried again, and what is done is not.
    again = run(mixed, tmp_path, crew=Crew(executor="inline"))
    assert again.trained == 0
    bad = outcome.failed[0].trial
    tries = [(one.number, one.status) for one in outcome.store.ledger.attempts() if one.trial == bad]
    assert tries == [(1, "diverged"), (2, "diverged")]  # once a run: it would diverge again


def test_a_worker_that_the_kernel_killed_for_want_of_memory_is_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kills = iter([0, 1, 1, 1])  # when it is hired, when it is dead, and for the one after it
    monkeypatch.setattr(processes, "oom_kills", lambda: next(kills))

    def kill(event: Event) -> None:
        for child in psutil.Process().children():
            if event.kind == "started" and "ablations.runner.executors._worker" in child.cmdline():
                child.kill()

    outcome = run(study(latent_dim=[2]), tmp_path, crew=Crew(workers=1, retries=0), watch=Notes(kill))
    assert [record.status for record in outcome.failed] == ["out_of_memory"]
    assert "the kernel killed the worker process for want of memory" in str(outcome.failed[0].reason)


def test_skipped_and_interrupted_trials_are_rows(tmp_path: Path) -> None:
    table = TABLE | {"exclude": [{"latent_dim": 3}]}
    outcome = run(Study.from_dict(table), tmp_path, crew=Crew(executor="inline"))
    assert outcome.table["status"].tolist() == ["done", "skipped"]
    assert outcome.table["reason"][1] == "by exclude 1: latent_dim = 3"
    assert outcome.summary[["n", "failed", "skipped"]].to_numpy().tolist() == [[1, 0, 0], [0, 0, 1]]
    assert not outcome.failed

    wider = study(latent_dim=[2, 4])
    cut_short = list(wider.trials())[1].name
    outcome.store.ledger.start(cut_short)  # and nothing more: its runner died
    plan = make_plan(wider, outcome.store)
    found = collect(outcome.store, plan)
    assert found.table["status"].tolist() == ["done", "interrupted"]
    assert found.summary["interrupted"].tolist() == [0, 1]
    assert not found.failed
    assert collect(outcome.store, plan, running=[cut_short]).table["status"].tolist() == ["done"]
    assert run(wider, tmp_path, crew=Crew(executor="inline")).table["status"].tolist() == ["done", "done"]


def test_a_timeout_needs_processes(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="'inline' can't stop a trial"):
        run(study(), tmp_path, crew=Crew(executor="inline", timeout=20))


def test_a_finished_trial_that_a_killed_runner_was_replacing_is_not_trained_again(tmp_path: Path) -> None:
    outcome = run(study(latent_dim=[2]), tmp_path, crew=Crew(executor="inline"))
    trials, name = outcome.store.trials, outcome.records[0].trial
    before = (trials / name / "record.json").read_bytes()
    (trials / name).rename(trials / f".replaced-{name}-999999999")
    again = run(study(latent_dim=[2]), tmp_path, crew=Crew(executor="inline"))
    assert again.trained == 0
    assert (trials / name / "record.json").read_bytes() == before


def test_results_of_older_code_are_marked_and_retrained_when_asked(tmp_path: Path) -> None:
    outcome = run(study(latent_dim=[2]), tmp_path, crew=Crew(executor="inline"))
    file = outcome.store.trials / outcome.records[0].trial / "record.json"
    record = json.loads(file.read_text())
    record["code"]["core"] = "older"
    file.write_text(json.dumps(record))
    again = run(study(latent_dim=[2]), tmp_path, crew=Crew(executor="inline"))
    assert again.trained == 0
    assert again.table["stale"].tolist() == [True]
    fresh = run(study(latent_dim=[2]), tmp_path, crew=Crew(executor="inline"), refresh=True)
    assert fresh.trained == 1
    assert fresh.table["stale"].tolist() == [False]


class Broken(Executor):
    def run(self, jobs: Sequence[Job]) -> Iterator[Event]:
        yield Event("finished", jobs[0].name, record=perform(jobs[0], 1))
        raise KeyboardInterrupt


def test_a_stopped_run_keeps_its_tables(tmp_path: Path) -> None:
    with EXECUTORS.temporarily("broken", Broken), pytest.raises(KeyboardInterrupt):
        run(study(), tmp_path, crew=Crew(executor="broken"))
    assert len(pd.read_csv(tmp_path / "tiny" / "table.csv")) == 1


@pytest.mark.parametrize("blow", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_stopped_command_takes_its_workers_along_and_the_next_run_goes_on(
    tmp_path: Path, blow: signal.Signals
) -> None:
    file = tmp_path / "long.toml"
    file.write_text(
        """
[fixed]
model = "dense_vae"
hidden_units = [8]
data.limit = 64
data.test_limit = 32
[axes]
latent_dim = [2, 3]
epochs = [1, 9000]
"""
    )
    command = [sys.executable, "-m", "vaebench", "run", str(file), "--results", str(tmp_path / "r"), "--workers", "1"]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    store = Store(tmp_path / "r" / "long")
    deadline = time.monotonic() + 600
    while not store.names() and time.monotonic() < deadline:
        time.sleep(0.2)
    workers = psutil.Process(process.pid).children(recursive=True)
    assert workers
    process.send_signal(blow)
    output, _ = process.communicate(timeout=300)
    assert not psutil.wait_procs(workers, timeout=120)[1]
    if blow != signal.SIGKILL:
        assert process.returncode == 128 + blow, output
        assert b"goes on from there" in output
        assert b"Traceback" not in output
        assert store.table_csv.is_file()
    missing = make_plan(Study.load(file), store).missing
    assert 0 < len(missing) < 4
    assert all(record is None or record.status == "done" for record in map(store.read, store.names()))


def test_a_worker_is_given_the_trials_of_the_model_that_it_has_traced(tmp_path: Path) -> None:
    trials = study(latent_dim=[2, 3], learning_rate=[1e-3, 1e-2], seed=[0, 1]).trials()
    waiting = processes._Waiting([Job(trial, tmp_path) for trial in trials])
    first, second = waiting.take(), waiting.take()
    assert (first.trial.axes["latent_dim"], second.trial.axes["latent_dim"]) == (2, 3)
    graph = processes.graph_key(second.trial.spec)
    rest = [waiting.take(graph).trial.axes["latent_dim"] for _ in range(6)]
    assert rest == [3, 3, 3, 2, 2, 2]  # its own first, then what the other has left
    assert not waiting


@given(st.data())
def test_every_trial_is_dealt_once_whatever_the_workers_have_traced_before(data: st.DataObject) -> None:
    """A worker that is kept from an earlier round may know the graph of a group that nobody has begun in this one."""
    sizes = data.draw(st.lists(st.integers(2, 6), min_size=1, max_size=8))
    trials = study(latent_dim=sorted(set(sizes)), learning_rate=[1e-3, 1e-2], seed=[0]).trials()
    jobs = [Job(trial, Path("results")) for trial in trials]
    graphs = sorted(
        {processes.graph_key(job.trial.spec) for job in jobs} | {"", "of a model that is no longer asked for"}
    )
    waiting, dealt = processes._Waiting(jobs), []
    while waiting:
        traced = data.draw(st.sampled_from(graphs))
        dealt.append(waiting.take(traced))
        if traced in {processes.graph_key(job.trial.spec) for job in jobs if job not in dealt[:-1]}:
            assert processes.graph_key(dealt[-1].trial.spec) == traced
    assert sorted(job.name for job in dealt) == sorted(job.name for job in jobs)
