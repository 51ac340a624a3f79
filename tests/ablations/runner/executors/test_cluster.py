"""What Ray says of trials that did not come back, told by its own exceptions; no cluster is needed for that."""

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from needs import package

from ablations.runner.executors import _cluster, _remote
from ablations.runner.executors._cluster import connected, explain
from ablations.runner.executors._remote import Parcel, UnfitError, perform_here
from ablations.study.study import Study
from vae.errors import VaebenchError

said = package("ray.exceptions")

LACKING = """The remote function failed to import on the worker. This may be because needed library dependencies are
not installed:

Traceback (most recent call last):
  File "function_manager.py", line 314, in fetch_and_register_remote_function
    function = pickle.loads(serialized_function)
ModuleNotFoundError: No module named 'pydantic'
"""


def lost(cause: Exception) -> Exception:
    """Return what Ray raises of a task that ended with `cause`."""
    error: Exception = said.RayTaskError("perform_here", "its traceback", cause, "ray::perform_here", 1, "192.0.2.7")
    return error


def test_a_node_that_can_not_import_our_code_ends_the_run() -> None:
    with pytest.raises(VaebenchError) as raised:
        explain(lost(RuntimeError(LACKING)))
    first, *last = str(raised.value).splitlines()
    assert first == (
        "workers on the node 192.0.2.7 can't start: ModuleNotFoundError: No module named 'pydantic'. Install what it "
        "names on every node (python -m pip install 'vaebench[ray]'), or take that node away; the same command then "
        "goes on from there"
    )
    assert last[-1] == "  ModuleNotFoundError: No module named 'pydantic'"


def test_a_node_that_can_not_import_tensorflow_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(threads: int) -> None:
        raise ImportError("half an installation")

    class Outbox:
        def __init__(self, *_: object) -> None:
            self.sent: list[object] = []

        def send(self, events: object) -> None:
            self.sent.append(events)

    monkeypatch.setattr(_remote, "warm", broken)
    monkeypatch.setattr(_remote, "_Outbox", Outbox)
    parcel = Parcel(next(iter(Study.from_dict({"name": "far", "axes": {"latent_dim": [2]}}).trials())), threads=1)
    with pytest.raises(UnfitError, match=r"in broken\n(.*\n)+ImportError: half an installation") as unfit:
        perform_here(parcel, data=None, mailbox=None)  # type: ignore[arg-type]
    with pytest.raises(VaebenchError, match=r"192\.0\.2\.7 can't start: ImportError: half an installation\. Install"):
        explain(lost(unfit.value))


def test_a_trial_that_a_node_can_not_read_fails_alone() -> None:
    system = said.RaySystemError(ModuleNotFoundError("No module named 'only_here'"), "its traceback")
    status, reason = explain(lost(system))
    assert status == "failed"
    assert reason.startswith("it can't be handed to another process (ModuleNotFoundError: No module named 'only_here')")
    assert explain(lost(ValueError("of the trial")))[1] == "ValueError: of the trial"
    assert explain(system)[1].startswith("RaySystemError: System error")  # of Ray itself, whatever was sent


def test_workers_of_a_cluster_get_our_packages_alone_and_the_variables_that_change_arithmetic(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Ray puts the folder that the command is started in before all packages, unless it is given another."""
    seen: dict[str, Any] = {}

    def init(*, runtime_env: dict[str, Any], **_: object) -> None:
        seen.update(runtime_env["env_vars"], files=names_in(runtime_env["working_dir"]))

    fake = SimpleNamespace(is_initialized=lambda: False, init=init, shutdown=lambda: None)
    monkeypatch.setitem(sys.modules, "ray", fake)
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "0")
    monkeypatch.setenv("MPLBACKEND", "module://of_a_notebook")
    with connected("local") as ray:
        assert ray is fake
    assert (seen["files"], seen["TF_ENABLE_ONEDNN_OPTS"]) == (["ablations", "vae", "vaebench"], "0")
    assert "MPLBACKEND" not in seen


def names_in(folder: str) -> list[str]:
    return sorted(path.name for path in Path(folder).iterdir())


class Sleepy(SimpleNamespace):
    """Stands for Ray with a cluster whose first processes for a client come to nothing."""

    def __init__(self, fails: int, why: str) -> None:
        super().__init__(started=0, is_initialized=lambda: False, shutdown=lambda: None)
        self._fails, self._why = fails, why

    def init(self, **_: object) -> None:
        self.started += 1
        if self.started <= self._fails:
            raise ConnectionAbortedError(f"Initialization failure from server:\n{self._why}. See its log")


@pytest.mark.parametrize(
    ("fails", "why", "started", "joins"),
    [
        (1, "Starting Ray client server failed", 2, True),
        (9, "Starting Ray client server failed", 3, False),
        (9, "no such version", 1, False),
    ],
)
def test_a_process_for_a_client_that_comes_to_nothing_is_asked_for_again(
    monkeypatch: pytest.MonkeyPatch, fails: int, why: str, started: int, joins: bool
) -> None:
    ray = Sleepy(fails, why)
    monkeypatch.setitem(sys.modules, "ray", ray)
    monkeypatch.setattr(_cluster, "_knock", lambda _: None)
    if joins:
        with connected("ray://192.0.2.7:1") as found:
            assert found is ray
    else:
        with pytest.raises(VaebenchError, match=why), connected("ray://192.0.2.7:1"):
            pass
    assert ray.started == started
