"""A study whose workers and runners are killed at random moments ends as if nothing had happened, bit for bit.

`nox -s chaos` runs it at full size; the test suite at a small one.
"""

import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import psutil
from comparison import differences

from ablations.records.store import Store
from ablations.study.study import Study

KILLS = int(os.environ.get("VAEBENCH_CHAOS_KILLS", "2"))  # even: the last falls on a runner
TRIALS = int(os.environ.get("VAEBENCH_CHAOS_TRIALS", "2"))
SEED = int(os.environ.get("VAEBENCH_CHAOS_SEED", "0"))
STUDY = """
name = "chaos"
[fixed]
model = "dense_vae"
hidden_units = [8]
latent_dim = 2
data.limit = 256
data.test_limit = 64
epochs = 200
batch_size = 32
loss.kl.schedule = "warmup"
[axes]
learning_rate = [1e-3, 3e-3]
seed = {seeds}
"""


def start(file: Path, results: Path, log: Path) -> subprocess.Popen[bytes]:
    command = [
        sys.executable,
        "-m",
        "vaebench",
        "run",
        str(file),
        "--results",
        str(results),
        "--no-pdf",
        "--workers",
        "2",
    ]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    with log.open("ab") as output:
        return subprocess.Popen(command, env=environment, stdout=output, stderr=subprocess.STDOUT)


def workers(runner: subprocess.Popen[bytes]) -> list[psutil.Process]:
    try:
        children = psutil.Process(runner.pid).children()
        return [child for child in children if "ablations.runner.executors._worker" in child.cmdline()]
    except psutil.NoSuchProcess:
        return []


def strike(runner: subprocess.Popen[bytes], turn: int, dice: random.Random) -> bool:
    """Kill a worker or, every second time, the runner; tell whether there was one to kill."""
    if turn % 2:
        runner.kill()
        runner.wait()
        return True
    crew = workers(runner)
    if not crew:
        return False
    try:
        dice.choice(crew).kill()
    except psutil.NoSuchProcess:
        return False
    return True


def wait_for_a_moment(store: Store, runner: subprocess.Popen[bytes], turn: int, dice: random.Random) -> None:
    """Sleep until a random moment; a runner's end comes when there is a checkpoint to go on from, if it trains at all.

    So the last blow, which always falls on a runner, leaves a training that must be resumed.
    """
    time.sleep(dice.uniform(0, 4))
    deadline = time.monotonic() + 600
    while turn % 2 and runner.poll() is None and time.monotonic() < deadline:
        if any(store.workspace("any").parent.glob("*/*.checkpoint")):
            break
        time.sleep(0.05)


def test_kills_leave_no_trace(tmp_path: Path) -> None:
    file = tmp_path / "chaos.toml"
    file.write_text(STUDY.format(seeds=list(range(TRIALS // 2))))
    log = tmp_path / "log"
    assert start(file, tmp_path / "calm", log).wait() == 0, log.read_text()
    calm, wild = Store(tmp_path / "calm" / "chaos"), Store(tmp_path / "wild" / "chaos")
    names = [trial.name for trial in Study.load(file).trials()]
    assert len(names) == TRIALS

    dice = random.Random(SEED)  # noqa: S311 - no secret
    kills = restarts = 0
    expected = Counter(names)  # how often each trial is to be done
    deadline = time.monotonic() + 600 + 600 * KILLS
    runner = start(file, tmp_path / "wild", log)
    while time.monotonic() < deadline:
        finished = runner.poll() is not None
        if finished and all((record := wild.read(name)) and record.status == "done" for name in names):
            if kills >= KILLS:
                break
            # All is done and there are blows left: take a trial back, by hand, and go on.
            victim = dice.choice(names)
            expected[victim] += 1
            for path in sorted((wild.trials / victim).iterdir()):
                path.unlink()
            (wild.trials / victim).rmdir()
        if finished:
            restarts += 1
            runner = start(file, tmp_path / "wild", log)
        elif kills < KILLS:
            wait_for_a_moment(wild, runner, kills, dice)
            kills += strike(runner, kills, dice)
        else:
            time.sleep(0.2)
    assert runner.wait(600) == 0, log.read_text()[-3000:]

    mismatches = [found for name in names for found in differences(calm, wild, name)]
    resumed = sum("resumed" in record.notes for name in names if (record := wild.read(name)))
    told = {
        "kills": kills,
        "restarts": restarts,
        "trials": len(names),
        "resumed": resumed,
        "mismatches": len(mismatches),
    }
    sys.stdout.write(f"{json.dumps(told)}\n")
    assert kills >= KILLS
    assert mismatches == []
    assert sorted(wild.names()) == sorted(names)
    left = [path.relative_to(wild.root).as_posix() for path in wild.root.rglob("*") if ".partial" in path.name]
    assert left == []
    assert not (wild.root / "work").exists()
    assert Counter(one.trial for one in wild.ledger.attempts() if one.status == "done") == expected
    assert resumed
    assert not [child for child in psutil.Process().children(recursive=True) if child.status() != psutil.STATUS_ZOMBIE]
