"""Workers that can't start, can't read, or lose their runner: it is said at once, and nothing hangs."""

import os
import pickle
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import psutil
import pytest
from watching import Notes

from ablations import Crew, Study, run
from ablations.records.store import Store
from ablations.runner.executors import _base
from ablations.runner.executors._worker import ORPHANED
from ablations.runner.job import Job
from vae.errors import SpecError, VaebenchError
from vae.networks import NETWORKS

ROOT = Path(__file__).parents[4]
TABLE: dict[str, Any] = {
    "name": "tiny",
    "fixed": {"data.limit": 64, "data.test_limit": 32, "train.epochs": 1, "hidden_units": [8]},
    "axes": {"model": ["dense_vae"], "latent_dim": [2, 3], "seed": [0]},
}


def study(**axes: Any) -> Study:
    return Study.from_dict(TABLE | {"axes": TABLE["axes"] | axes})


def workers() -> list[psutil.Process]:
    return [child for child in psutil.Process().children() if "ablations.runner.executors._worker" in child.cmdline()]


@pytest.mark.parametrize("package", ["psutil", "tensorflow"])  # imported as the worker starts, and as it warms up
def test_workers_that_can_not_start_end_the_run_at_once(
    package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / f"{package}.py").write_text('raise ImportError("half an installation")\n')
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    notes = Notes()
    with pytest.raises(VaebenchError) as raised:
        run(study(latent_dim=[2, 3, 4, 5]), tmp_path, crew=Crew(workers=2, retries=3), watch=notes)
    first, *last = str(raised.value).splitlines()
    assert first.startswith(
        "worker processes can't start: ImportError: half an installation. Workers import from PYTHON"
    )
    assert first.endswith("the same command then goes on from there")
    assert last[-3:] == [
        f'    File "{tmp_path / package}.py", line 1, in <module>',
        '      raise ImportError("half an installation")',
        "  ImportError: half an installation",
    ]
    assert notes.events == []
    store = Store(tmp_path / "tiny")
    assert (store.names(), store.ledger.attempts()) == ([], [])
    assert workers() == []


HOSTILE = ("ablations", "keras", "numpy", "pickle", "psutil", "rich", "tensorflow", "vae")


def test_what_lies_in_the_current_folder_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files and folders of the names of packages do, and a checkout of other code; a stray colon lets none of it in."""
    here = tmp_path / "here"
    for name in HOSTILE:
        (here / name).mkdir(parents=True)
        for file in (here / f"{name}.py", here / name / "__init__.py"):
            file.write_text(f"raise ImportError('{file} was imported')\n")
    plain = run(study(latent_dim=[2]), tmp_path / "plain", crew=Crew(workers=1))
    monkeypatch.chdir(here)
    monkeypatch.setenv("PYTHONPATH", os.pathsep)
    outcome = run(study(latent_dim=[2]), tmp_path / "hostile", crew=Crew(workers=1))
    assert outcome.table["status"].tolist() == ["done"]
    assert outcome.records[0].metrics == plain.records[0].metrics
    assert outcome.records[0].code == plain.records[0].code


def test_what_a_shell_means_for_other_programs_is_kept_from_workers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MPLBACKEND", "module://of_a_notebook.that_is_elsewhere")
    monkeypatch.setenv("PYTHONWARNINGS", "error")
    assert run(study(latent_dim=[2]), tmp_path, crew=Crew(workers=1)).table["status"].tolist() == ["done"]


@pytest.mark.parametrize("executor", ["inline", "processes"])
def test_a_backend_that_can_not_train_here_is_refused_before_anything_is_written(
    executor: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "keras", raising=False)  # as on the command line, which looks before it imports
    monkeypatch.setitem(sys.modules, "torch", None)
    for chosen, said in (
        ("torch", r"KERAS_BACKEND=torch: No module named 'torch' .* pip install 'vaebench\[torch\]'"),
        ("trch", r"KERAS_BACKEND=trch: unknown backend 'trch': did you mean 'torch'\?"),
    ):
        monkeypatch.setenv("KERAS_BACKEND", chosen)
        with pytest.raises(SpecError, match=said):
            run(study(), tmp_path / "results", crew=Crew(executor=executor))
    assert not (tmp_path / "results").exists()


def test_a_worker_that_is_killed_as_it_starts_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """That is somebody's doing, or the kernel's, and no fault of the installation."""
    (tmp_path / "sitecustomize.py").write_text(
        "import os, signal, sys\nfrom pathlib import Path\n"
        f"once = Path({str(tmp_path)!r}, 'once')\n"
        "if '-m' in sys.orig_argv and not once.exists():\n"
        "    once.touch()\n    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    notes = Notes()
    outcome = run(study(latent_dim=[2]), tmp_path, crew=Crew(workers=1), watch=notes)
    assert [(one.number, one.status) for one in outcome.store.ledger.attempts()] == [(1, "crashed"), (2, "done")]
    assert [event.kind for event in notes.events] == ["started", "finished", "started", "epoch", "finished"]


@contextmanager
def network_of(module: str) -> Iterator[None]:
    """Have a network `mine`, of a module that no file holds."""

    class Mine(NETWORKS["dense_vae"]):  # type: ignore[misc]
        name: Literal["mine"] = "mine"

    Mine.__module__, Mine.__qualname__ = module, "Mine"
    with NETWORKS.temporarily("mine", Mine):
        yield


@pytest.mark.parametrize(
    ("module", "why"),
    [
        pytest.param("only_here", "ModuleNotFoundError: No module named 'only_here'", id="unreadable-there"),
        pytest.param("__main__", "SpecError: model 'mine' is defined in a notebook, ", id="unsendable-here"),
    ],
)
def test_a_job_that_a_worker_can_not_read_fails_and_the_others_are_done(tmp_path: Path, module: str, why: str) -> None:
    notes = Notes()
    with network_of(module):
        outcome = run(study(model=["mine", "dense_vae"]), tmp_path, crew=Crew(workers=1), watch=notes)
    assert outcome.table["status"].tolist() == ["failed", "failed", "done", "done"]
    for reason in outcome.table["reason"][:2]:
        assert reason.startswith("it can't be handed to another process (")
        assert why in reason
    if module == "__main__":
        assert 'plugins = ["my_mine.py"]' in reason, "the way out"
    assert len(outcome.store.ledger.attempts()) == 4  # no job is tried again in vain
    assert [event.kind for event in notes.events if event.kind != "epoch"] == ["started", "finished"] * 4
    assert workers() == []


def test_a_worker_whose_words_can_not_be_read_costs_its_trial_and_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        f"import sys\nsys.path.insert(0, {str(ROOT)!r})\n"
        "from dataclasses import replace\nfrom ablations.runner import trial\nfrom only_there import Odd\n"
        "whole = trial.perform\n"
        "def perform(job, *rest):\n"
        "    if job.trial.axes['latent_dim'] == 3:\n"
        "        return replace(trial.failed(job, 'failed', ''), notes={'odd': Odd()})\n"
        "    return whole(job, *rest)\n"
        "trial.perform = perform\n"
    )
    (tmp_path / "only_there.py").write_text("class Odd:\n    pass\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    outcome = run(study(latent_dim=[3, 2]), tmp_path, crew=Crew(workers=1))
    assert outcome.table["status"].tolist() == ["failed", "done"]
    assert outcome.table["reason"][0] == (
        "what the worker process told can't be read (ModuleNotFoundError: No module named 'only_there')"
    )
    assert workers() == []


def test_a_worker_that_nobody_listens_to_leaves_its_checkpoints(tmp_path: Path) -> None:
    long = Study.from_dict(TABLE | {"fixed": TABLE["fixed"] | {"train.epochs": 9000}, "axes": {"latent_dim": [2]}})
    trial = next(iter(long.trials()))
    store = Store(tmp_path)
    command = [sys.executable, "-m", "ablations.runner.executors._worker", "0", "1"]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[4])}
    with subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as worker:
        pickle.dump(pickle.dumps(Job(trial, tmp_path)), worker.stdin)  # type: ignore[arg-type]
        worker.stdin.flush()  # type: ignore[union-attr]
        deadline = time.monotonic() + 600
        while not list(store.workspace(trial.name).glob("*.checkpoint")) and time.monotonic() < deadline:
            pickle.load(worker.stdout)  # type: ignore[arg-type]  # noqa: S301 - from our own worker
        worker.stdout.close()  # type: ignore[union-attr]
        assert worker.wait(300) == ORPHANED
    assert list(store.workspace(trial.name).glob("*.checkpoint"))
    assert store.read(trial.name) is None


@contextmanager
def worker() -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "ablations.runner.executors._worker", "0", "1"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize(
    "torn", [b"", pickle.dumps(bytes(1000))[:100], b"no pickle at all"], ids=["whole", "torn", "rubbish"]
)
def test_an_idle_worker_ends_with_its_input_however_that_ends(torn: bytes) -> None:
    with worker() as idle:
        idle.stdin.write(torn)  # type: ignore[union-attr]
        idle.stdin.close()  # type: ignore[union-attr]
        assert idle.wait(300) == 0


def test_a_busy_worker_ends_with_its_input(tmp_path: Path) -> None:
    long = Study.from_dict(TABLE | {"fixed": TABLE["fixed"] | {"train.epochs": 9000}, "axes": {"latent_dim": [2]}})
    with worker() as busy:
        pickle.dump(pickle.dumps(Job(next(iter(long.trials())), tmp_path)), busy.stdin)  # type: ignore[arg-type]
        busy.stdin.flush()  # type: ignore[union-attr]
        kinds = [pickle.load(busy.stdout).kind for _ in range(2)]  # type: ignore[arg-type]  # noqa: S301
        assert kinds == ["started", "epoch"]
        busy.stdin.close()  # type: ignore[union-attr]
        while busy.stdout.read(1 << 16):  # type: ignore[union-attr]
            pass
        assert busy.wait(300) == ORPHANED


def test_a_worker_says_why_it_can_not_start() -> None:
    where = [f"  line {number}" for number in range(9)]
    said = "\n".join(["a warning", "Traceback (most recent call last):", *where, "mine.Error: too old", ""])
    error = str(_base.unfit("worker processes", said, "Mend it"))
    assert error.splitlines()[0] == (
        "worker processes can't start: mine.Error: too old. Mend it; the same command then goes on from there"
    )
    assert error.splitlines()[1:] == [*(f"  {line}" for line in where[4:]), "  mine.Error: too old"]
    assert "can't start: exit code 7. Mend it" in str(_base.unfit("worker processes", "exit code 7", "Mend it"))
