"""A cluster of a head and two nodes on this machine, a folder of results that the nodes are never told of, and blows.

`nox -s ray` runs it at full size; the test suite at a small one.
"""

import importlib.util
import json
import os
import pickle
import shutil
import signal
import socket
import subprocess
import sys
import time
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
from comparison import differences
from watching import Notes

from ablations import Crew, Study, run
from ablations.cli import main
from ablations.records.store import Store
from ablations.runner.executors import ray as driver
from ablations.runner.executors._base import live
from ablations.runner.executors._cluster import explain, needs, room
from ablations.runner.executors._remote import Mailbox, Message
from ablations.runner.job import Event, Job
from ablations.runner.trial import perform
from ablations.search.found import read_search
from ablations.search.tune import tune
from vae.checkpoint import fetch, place
from vae.datasets import load
from vae.errors import VaebenchError

# Ray hands these files to its server and leaves them open.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed file .*ray_client_server:ResourceWarning")

TRIALS = int(os.environ.get("VAEBENCH_RAY_TRIALS", "4"))
AT_FULL_SIZE = pytest.mark.skipif(TRIALS < 12, reason="minutes of one mechanism, which the others try: nox -s ray")
ROOT = Path(__file__).parents[2]
LONG = 600.0  # seconds to wait for what comes at once, unless the machine is busy with other work
TASK = "ray::perform_here"  # what Ray calls a process that performs a trial
STUDY = """
name = "far"
[fixed]
model = "dense_vae"
hidden_units = [8]
latent_dim = 2
data.limit = 256
data.test_limit = 64
epochs = 40
batch_size = 32
[axes]
learning_rate = [1e-3, 3e-3]
seed = {seeds}
"""


@pytest.fixture
def study(tmp_path: Path) -> Path:
    file = tmp_path / "far.toml"
    file.write_text(STUDY.format(seeds=list(range(TRIALS // 2))))
    return file


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A head that performs nothing, and two nodes with a cache of their own and room for one trial each."""
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VAEBENCH_CACHE", str(tmp_path_factory.mktemp("cache-of-the-nodes")))
        patch.setenv("RAY_worker_niceness", "0")  # of 15 by itself: beside other work it would be given nothing
        patch.setenv("RAY_health_check_failure_threshold", "2")  # a node that is gone is missed at once
        patch.setenv("RAY_health_check_period_ms", "500")
        store = {"object_store_memory": 100_000_000, "include_dashboard": False}
        with socket.socket() as free:
            free.bind(("", 0))
            port = free.getsockname()[1]
        head = {"num_cpus": 0, "ray_client_server_port": port, **store}
        found = Cluster(initialize_head=True, head_node_args=head)
        found.client = f"ray://127.0.0.1:{port}"  # for those who are no part of it
        for _ in range(2):
            found.add_node(num_cpus=1, memory=4_000_000_000, object_store_memory=100_000_000)
        yield found
        found.shutdown()


def start(file: Path, results: Path, address: str, log: Path) -> subprocess.Popen[bytes]:
    options = ["--executor", "ray", "--address", address, "--memory", "1", "--retries", "3", "--no-pdf"]
    command = [sys.executable, "-m", "vaebench", "run", str(file), "--results", str(results), *options]
    with log.open("ab") as output:
        return subprocess.Popen(
            command, env=os.environ | {"PYTHONPATH": str(ROOT)}, stdout=output, stderr=subprocess.STDOUT
        )


def tasks(node: Any = None) -> list[psutil.Process]:
    """Return the processes that perform trials, of one node or of all."""
    above = psutil.Process() if node is None else psutil.Process(node.all_processes["raylet"][0].process.pid)
    found = []
    for child in above.children(recursive=True):
        try:
            if child.cmdline()[:1] == [TASK]:
                found.append(child)
        except psutil.Error:
            continue
    return found


def wait_for(what: Callable[[], Any], runner: subprocess.Popen[bytes], log: Path) -> Any:
    deadline = time.monotonic() + LONG
    while time.monotonic() < deadline and runner.poll() is None:
        if found := what():
            return found
        time.sleep(0.05)
    pytest.fail(f"did not come about, runner {runner.poll()}: {log.read_text()[-3000:]}")


def wait_until_idle() -> None:
    deadline = time.monotonic() + LONG
    while tasks() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert tasks() == []


def test_a_node_a_worker_and_the_runner_die_and_leave_no_trace(tmp_path: Path, study: Path, cluster: Any) -> None:
    calm = Store(tmp_path / "calm" / "far")
    names = [trial.name for trial in Study.load(study).trials()]
    assert len(names) == TRIALS
    run(Study.load(study), tmp_path / "calm", crew=Crew(executor="inline", threads=1))

    log, wild = tmp_path / "log", Store(tmp_path / "hidden" / "far")
    seen: set[Path] = set()

    def checkpoint() -> bool:
        """Tell whether a checkpoint came that was not there before the last blow."""
        return bool(set(wild.workspace("any").parent.glob("*/*.checkpoint")) - seen)

    def look() -> None:
        seen.update(wild.workspace("any").parent.glob("*/*.checkpoint"))

    runner = start(study, tmp_path / "hidden", cluster.address, log)
    wait_for(checkpoint, runner, log)
    look()
    wait_for(tasks, runner, log)[0].kill()
    wait_for(lambda: [one for one in wild.ledger.attempts() if one.status == "crashed"], runner, log)
    wait_for(checkpoint, runner, log)
    runner.kill()
    runner.wait()
    done = {name for name in names if (record := wild.read(name)) and record.status == "done"}
    look()
    runner = start(study, tmp_path / "hidden", cluster.address, log)
    wait_for(checkpoint, runner, log)
    (doomed,) = [node for node in cluster.worker_nodes if tasks(node)][:1]
    cluster.remove_node(doomed, allow_graceful=False)
    assert runner.wait(LONG) == 0, log.read_text()[-3000:]

    assert [found for name in names for found in differences(calm, wild, name)] == []
    attempts = wild.ledger.attempts()
    assert Counter(one.trial for one in attempts if one.status == "done") == Counter(names)
    reasons = {one.reason for one in attempts if one.status == "crashed"}
    assert any("worker process died" in str(reason) for reason in reasons), attempts
    records = [record for name in names if (record := wild.read(name))]
    assert any("resumed" in record.notes for record in records)  # of those that had a checkpoint when they were struck
    assert done <= {one.trial for one in attempts if one.number == 1 or one.status == "done"}
    data = load(next(iter(Study.load(study).trials())).spec.data)
    size = data.train.images.nbytes + data.test.images.nbytes + 8 * (len(data.train.images) + len(data.test.images))
    assert {record.notes["ray_bytes_data"] for record in records} <= {0, size}
    for record in records:
        files = {name: len(content) for name, content in wild.files(record.trial).items() if name != "record.json"}
        assert sum(files.values()) < record.notes["ray_bytes_results"] < sum(files.values()) + 20_000
        assert record.notes["ray_bytes_sent"] > 0
    told = {
        name: sum(record.notes[f"ray_bytes_{name}"] for record in records)
        for name in ("sent", "data", "checkpoints", "results")
    }
    sys.stdout.write(f"{json.dumps({'trials': len(records), 'attempts': len(attempts)} | told)}\n")
    assert not (wild.root / "work").exists()
    assert [path for path in wild.root.rglob("*") if ".partial" in path.name] == []


def test_a_trial_that_takes_too_long_is_stopped_on_its_node(
    tmp_path: Path, study: Path, cluster: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = Study.load(study)
    one = replace(table, axes={"learning_rate": [1e-3], "seed": [0]}, fixed=table.fixed | {"train.epochs": 100_000})
    # However slow the machine, the time is up only once an epoch and a checkpoint have come from the node.
    clock, leap = time.monotonic, [0.0]
    monkeypatch.setattr(driver, "time", SimpleNamespace(monotonic=lambda: clock() + leap[0]))

    def react(event: Event) -> None:
        if event.kind == "epoch" and fetch(Store(tmp_path / "slow" / one.folder_name).workspace(event.trial)):
            leap[0] = LONG

    notes = Notes(react)
    crew = Crew(executor="ray", address=cluster.address, memory=1e9, timeout=LONG, retries=0)
    outcome = run(one, tmp_path / "slow", crew=crew, watch=notes)
    assert [(record.status, record.reason) for record in outcome.failed] == [
        ("timeout", f"stopped after {LONG:g} s, the limit that --timeout sets")
    ]
    kinds = [event.kind for event in notes.events]
    assert kinds[0] == "started"
    assert "epoch" in kinds  # live, from another process
    assert fetch(outcome.store.workspace(notes.events[0].trial)) is not None  # the next run goes on from there
    wait_until_idle()


def test_ctrl_c_stops_the_tasks_on_all_nodes_and_keeps_their_way_so_far(
    tmp_path: Path, study: Path, cluster: Any
) -> None:
    study.write_text(study.read_text().replace("epochs = 40", "epochs = 100_000"))
    log, store = tmp_path / "log", Store(tmp_path / "r" / "far")
    runner = start(study, tmp_path / "r", cluster.address, log)
    wait_for(lambda: list(store.workspace("any").parent.glob("*/*.checkpoint")), runner, log)
    assert tasks()
    runner.send_signal(signal.SIGINT)
    assert runner.wait(LONG) == 130
    assert "stopped. What is finished is kept; the same command goes on from there" in log.read_text()
    wait_until_idle()
    assert {one.status for one in store.ledger.attempts()} == {"interrupted"}


@AT_FULL_SIZE
def test_trials_pause_at_rungs_and_go_on_on_any_node(tmp_path: Path, study: Path, cluster: Any) -> None:
    table = tomllib.loads(study.read_text())
    table |= {"fixed": table["fixed"] | {"epochs": 30}, "stop": {"rungs": [10, 20], "keep": 0.5}}
    calm = run(Study.from_dict(table), tmp_path / "calm", crew=Crew(executor="inline", threads=1))
    notes = Notes()
    crew = Crew(executor="ray", address=cluster.address, memory=1e9)
    wild = run(Study.from_dict(table), tmp_path / "wild", crew=crew, watch=notes)
    epochs = Counter(event.trial for event in notes.events if event.kind == "epoch")
    statuses = {record.trial: record.status for record in wild.records}
    assert statuses == {record.trial: record.status for record in calm.records}
    assert Counter(statuses.values()) == {"done": TRIALS // 2, "pruned": TRIALS // 2}
    assert epochs == {name: 30 if status == "done" else 10 for name, status in statuses.items()}
    done = [name for name, status in statuses.items() if status == "done"]
    assert [found for name in done for found in differences(calm.store, wild.store, name)] == []
    assert not (wild.store.root / "work").exists()


@AT_FULL_SIZE
def test_hyperband_goes_on_from_shorter_trainings_on_any_node(tmp_path: Path, study: Path, cluster: Any) -> None:
    table = tomllib.loads(study.read_text())
    table |= {
        "fixed": table["fixed"] | {"epochs": 3},
        "axes": {"learning_rate": {"min": 1e-4, "max": 1e-2, "log": True}},
        "tune": {"tuner": "hyperband", "trials": 5, "parallel": 2},
    }
    of = Study.from_dict(table)
    calm = tune(of, tmp_path / "calm", crew=Crew(executor="inline", threads=1))
    wild = tune(of, tmp_path / "wild", crew=Crew(executor="ray", address=cluster.address, memory=1e9))
    searches = [read_search(of, outcome.store) for outcome in (calm, wild)]
    assert [entry.result for entry in searches[0].entries] == [entry.result for entry in searches[1].entries]
    assert [found for name in wild.store.names() for found in differences(calm.store, wild.store, name)] == []
    longer = [record for record in wild.records if record.axes["epochs"] == 3 and "resumed" in record.notes]
    assert longer  # from the rung below, whichever node has trained that
    assert not (wild.store.root / "work").exists()


def test_a_runner_outside_of_the_cluster_reaches_it_as_a_client(tmp_path: Path, study: Path, cluster: Any) -> None:
    study.write_text(STUDY.format(seeds=[0]).replace("epochs = 40", "epochs = 4") + "[stop]\nrungs = [2]\nkeep = 0.5\n")
    calm = run(Study.load(study), tmp_path / "calm", crew=Crew(executor="inline", threads=1))
    log, wild = tmp_path / "log", Store(tmp_path / "wild" / "far")
    assert start(study, tmp_path / "wild", cluster.client, log).wait(LONG) == 0, log.read_text()[-3000:]
    (done,) = [record.trial for record in calm.records if record.status == "done"]
    assert differences(calm.store, wild, done) == []
    assert len(wild.names()) == 2


OTHERS = """
name = "others"
plugins = ["resnet.py", "critic.py", "mixture.py", "frechet.py"]
[fixed]
model = "resnet"
prior = "own_mixture"
loss.critic.weight = 0.1
latent_dim = 2
data.limit = 64
data.test_limit = 32
[axes]
epochs = [2]
seed = [0, 1]
[evaluate]
metrics = ["default", "own_frechet"]
[evaluate.own_frechet]
count = 32
"""


def test_parts_of_ones_own_travel_by_their_text(tmp_path: Path, cluster: Any) -> None:
    for name in ("resnet.py", "critic.py", "mixture.py", "frechet.py"):
        shutil.copy(ROOT / "tests" / "plugins" / name, tmp_path)
    (tmp_path / "others.toml").write_text(OTHERS)
    study = Study.load(tmp_path / "others.toml")
    for path in tmp_path.glob("*.py"):
        path.unlink()  # no node could read them
    far = run(study, tmp_path / "far", crew=Crew(executor="ray", address=cluster.address, memory=1e9))
    assert [record.reason for record in far.records] == [None, None]
    near = run(study, tmp_path / "near", crew=Crew(workers=1, threads=1))
    assert far.table["own_frechet"].notna().all()
    assert [found for name in near.store.names() for found in differences(far.store, near.store, name)] == []


def test_a_token_that_may_be_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, study: Path) -> None:
    for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH", "RAY_AUTH_MODE"):
        monkeypatch.setenv(name, "set, so that it is put back")
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(VaebenchError, match="set RAY_AUTH_TOKEN to what `ray get-auth-token` says"):
        run(Study.load(study), tmp_path / "r", crew=Crew(executor="ray", address="ray://127.0.0.1:1", retries=0))
    assert "RAY_AUTH_MODE" not in os.environ
    monkeypatch.setenv("RAY_AUTH_TOKEN", "0" * 64)
    with pytest.raises(VaebenchError, match=r"for this machine alone$"):
        run(Study.load(study), tmp_path / "r", crew=Crew(executor="ray", address="ray://127.0.0.1:1", retries=0))
    assert os.environ["RAY_AUTH_MODE"] == "token"


def test_no_room_is_said_before_anything_waits_for_ever() -> None:
    nodes = [{"Alive": True, "Resources": {"CPU": 8.0, "memory": 16e9}}, {"Alive": False, "Resources": {"GPU": 8.0}}]
    assert room(nodes, needs(2, None, 3e9)) == 4
    assert room(nodes, needs(1, None, 3e9)) == 5
    assert room([{"Alive": True, "Resources": {"CPU": 8.0, "GPU": 1.0}}], needs(1, 0.25, 0)) == 4
    with pytest.raises(VaebenchError, match=r"asks for 1 CPU, 0\.25 GPU, .* of 1 nodes the most is 8 CPU, 0 GPU"):
        room(nodes, needs(1, 0.25, 1e9))


def test_what_ray_says_becomes_our_status() -> None:
    from ray import exceptions as said

    assert explain(said.WorkerCrashedError())[0] == "crashed"
    assert explain(said.NodeDiedError("gone")) == ("crashed", "its node died, or lost the connection to the cluster")
    assert explain(said.OutOfMemoryError("node low on memory"))[0] == "out_of_memory"
    status, reason = explain(said.RuntimeEnvSetupError("no such module\nmore"))
    assert status == "failed"
    assert reason.endswith("no such module more")


def test_no_cluster_is_one_clear_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, study: Path) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    with pytest.raises(VaebenchError, match=r"no Ray cluster at '127\.0\.0\.1:1'.*ray start --head"):
        run(Study.load(study), tmp_path / "r", crew=Crew(executor="ray", address="127.0.0.1:1", retries=0))


def test_without_ray_the_extra_is_named_and_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == "ray" else found(name, *rest))
    assert main(["run", str(study), "--results", str(tmp_path / "r"), "--executor", "ray"]) == 2
    assert "python -m pip install 'vaebench[ray]'" in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "r").exists()


def test_a_parcel_says_nothing_of_the_results_and_needs_no_data_set(tmp_path: Path, study: Path) -> None:
    trial = next(iter(Study.load(study).trials()))
    job = Job(trial, tmp_path / "hidden" / "far")
    data = load(trial.spec.data)
    place(Store(job.root).workspace(job.name), "step-0000000001.checkpoint", b"so far")
    parcel = driver.parcel_of(job, 1, 10)
    assert str(tmp_path).encode() not in pickle.dumps(parcel)
    assert parcel.checkpoint == ("step-0000000001.checkpoint", b"so far")
    # A trial whose images are nowhere on this machine's disk, but in its hand.
    away = trial.spec.model_copy(
        update={
            "data": trial.spec.data.model_copy(update={"name": "image_folder", "path": "/nowhere"}),
            "train": trial.spec.train.model_copy(update={"epochs": 1}),
        }
    )
    far = Job(replace(trial, spec=away, recorded="0" * 64), tmp_path / "node")
    assert perform(far, 1, None, data).status == "done"
    assert perform(replace(far, root=tmp_path / "other"), 1).status == "data_error"


def test_the_mailbox_keeps_every_event_and_one_checkpoint_a_trial() -> None:
    import asyncio

    async def scene() -> list[Message]:
        box = Mailbox()
        taking = asyncio.create_task(box.take())
        await asyncio.sleep(0)
        assert not taking.done()
        for number in range(3):
            events = (Event("epoch", "a", number),)
            await box.put(Message("a", "node", 1, events, (f"step-{number}", bytes(9))))
        await box.put(Message("b", "node", 2, (), ("step-1", b"b")))
        return await taking

    messages = asyncio.run(scene())
    assert [event.epoch for message in messages for event in message.events] == [0, 1, 2]
    assert [message.checkpoint and message.checkpoint[0] for message in messages] == [None, None, "step-2", "step-1"]


def test_a_checkpoint_travels_whole_or_not_at_all(tmp_path: Path) -> None:
    assert fetch(tmp_path / "nothing") is None
    for step in (1, 2):
        place(tmp_path / "there", f"step-{step}.checkpoint", bytes([step]))
    assert fetch(tmp_path / "there") == ("step-2.checkpoint", b"\x02")
    assert fetch(tmp_path / "there", after="step-2.checkpoint") is None
    assert [path.name for path in (tmp_path / "there").iterdir()] == ["step-2.checkpoint"]
    place(tmp_path / "there", "../../step-3.checkpoint", b"3")  # a name from elsewhere leaves the folder no more
    assert sorted(path.name for path in tmp_path.rglob("*.checkpoint")) == ["step-3.checkpoint"]
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OSError, match="file"):
        place(tmp_path / "file", "step-1.checkpoint", b"")


def test_what_a_thread_tells_is_heard_in_beats_and_its_error_is_raised() -> None:
    def work(tell: Callable[[int], None]) -> None:
        for number in range(3):
            tell(number)
        time.sleep(0.2)
        tell(3)
        raise ValueError("broken")

    heard: list[list[int]] = []
    with pytest.raises(ValueError, match="broken"):
        heard.extend(live("test", work, beat=0.05))  # keeps what came before the error
    assert [item for items in heard for item in items] == [0, 1, 2, 3]
    assert heard[0] == [0, 1, 2]
    assert [] in heard  # a beat without news
