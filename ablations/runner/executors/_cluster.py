"""The way to a Ray cluster: how to connect, how much room there is, what an error means."""

import logging
import os
import shutil
import signal
import socket
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import current_thread, main_thread
from typing import Any
from urllib.parse import urlsplit

from ablations.records.status import Status
from ablations.runner.executors._alone import cluster_alone
from ablations.runner.executors._base import refusal, unfit
from ablations.runner.executors._remote import UnfitError
from vae.environment import ARITHMETIC, BACKEND
from vae.errors import VaebenchError

__all__ = ["connected", "explain", "needs", "room"]

PASSED_ON = (*ARITHMETIC, BACKEND, "TF_CPP_MIN_LOG_LEVEL")  # of the runner's environment
PACKAGES = ("vae", "ablations", "vaebench")  # our code, which goes along; plugins import the last
SECONDS = 10.0  # to wait for an answer
MOST = 300  # characters of what Ray says
STARTS = 3  # of the process that a cluster starts for a client
NOT_STARTED = "Starting Ray client server failed"  # Ray's words where that did not answer within 30 s
NOT_IMPORTED = "failed to import on the worker"  # Ray's words where a node lacks what our code imports
REMEDY = "Install what it names on every node (python -m pip install 'vaebench[ray]'), or take that node away"
START = "Start one (ray start --head), name it (--address HOST:PORT), or take --address local for this machine alone"
ASKED = ". Newer versions of Ray ask for a token: set RAY_AUTH_TOKEN to what `ray get-auth-token` says on the cluster"


@contextmanager
def connected(address: str) -> Iterator[Any]:
    """Give the module `ray`, connected to a cluster; a connection that was there before is used, and kept.

    The source of our packages goes along, so that the nodes need only what we depend on.

    Args:
        address: `auto` for the cluster of this machine (or of $RAY_ADDRESS), `local` to start one of this machine's
            cores that nobody else reaches, HOST:PORT of a cluster that this machine is a part of, ray://HOST:PORT of
            any other.

    Raises:
        VaebenchError: there is no such cluster.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # it would call home
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    if urlsplit(address).scheme == "ray" and _has_token():
        os.environ.setdefault("RAY_AUTH_MODE", "token")  # with any other address Ray does so by itself
    import ray

    if ray.is_initialized():
        yield ray
        return
    variables = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    quiet = {"logging_level": logging.ERROR, "log_to_driver": False}
    with ExitStack() as stack:
        try:
            _knock(address)
            alone = stack.enter_context(cluster_alone()) if address == "local" else {}
            with _own_signals(), _our_code() as folder:
                environment = {"working_dir": str(folder), "env_vars": variables}
                _join(ray, address=address, runtime_env=environment, **quiet, **alone)
        except (OSError, ValueError, RuntimeError) as error:
            hint = "" if _has_token() else ASKED
            raise VaebenchError(f"no Ray cluster at '{address}': {_short(error)}. {START}{hint}") from None
        stack.callback(ray.shutdown)
        yield ray


@contextmanager
def _our_code() -> Iterator[Path]:
    """Give a folder of our packages and nothing else, which Ray copies to the nodes: workers import from it first.

    One folder, for the packages ask whether they lie beside each other; without any, workers would import from the one
    that the command is started in.
    """
    root = Path(__file__).parents[3]
    with tempfile.TemporaryDirectory(prefix="vaebench-code-") as name:
        for package in PACKAGES:
            shutil.copytree(root / package, Path(name, package), ignore=shutil.ignore_patterns("__pycache__"))
        yield Path(name)


def _join(ray: Any, **options: Any) -> None:
    """Connect, once more where the process that the cluster starts for a client came to nothing.

    It is forked from one that may be talking to somebody just then, and hangs now and again; the next one does not.
    """
    for tries_left in range(STARTS - 1, -1, -1):
        try:
            ray.init(**options)
        except (OSError, RuntimeError) as error:
            if not tries_left or NOT_STARTED not in str(error):
                raise
        else:
            return


def _has_token() -> bool:
    """Tell whether this machine has a token for clusters that ask for one."""
    named = os.environ.get("RAY_AUTH_TOKEN") or os.environ.get("RAY_AUTH_TOKEN_PATH")
    return bool(named) or (Path.home() / ".ray" / "auth_token").is_file()


def _knock(address: str) -> None:
    """Look whether anybody answers at an address, for Ray would try for minutes.

    Raises:
        OSError: nobody does.
        ValueError: it is no address.
    """
    if address == "auto":
        address = os.environ.get("RAY_ADDRESS", "auto")
    if address in {"auto", "local"}:
        return
    place = urlsplit(address if "://" in address else f"//{address}")
    if not place.hostname or not place.port:
        raise ValueError("expected auto, local, HOST:PORT or ray://HOST:PORT")
    socket.create_connection((place.hostname, place.port), timeout=SECONDS).close()


@contextmanager
def _own_signals() -> Iterator[None]:
    """Keep what SIGTERM does here: Ray would have it end the process without a word."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if current_thread() is main_thread():
            signal.signal(signal.SIGTERM, before)


def needs(threads: int, gpus: float | None, memory: float) -> dict[str, float]:
    """Return what a trial asks a node for, by Ray's names."""
    wanted = {"CPU": float(threads), "GPU": float(gpus or 0), "memory": float(int(memory))}
    return {name: amount for name, amount in wanted.items() if amount}


def room(nodes: Sequence[Mapping[str, Any]], wanted: Mapping[str, float]) -> int:
    """Return how many trials fit in a cluster at a time.

    Args:
        nodes: as `ray.nodes()` lists them.
        wanted: as `needs` gives it.

    Raises:
        VaebenchError: no node is large enough for one; the message says what the largest has.
    """
    alive = [node["Resources"] for node in nodes if node["Alive"]]
    slots = sum(min(int(node.get(name, 0.0) / amount + 1e-9) for name, amount in wanted.items()) for node in alive)
    if not slots:
        asked = ", ".join(f"{_amount(name, amount)}" for name, amount in wanted.items())
        most = ", ".join(_amount(name, max((node.get(name, 0.0) for node in alive), default=0.0)) for name in wanted)
        raise VaebenchError(
            f"a trial asks for {asked}, but no node of the cluster has that: of {len(alive)} nodes the most is {most}. "
            "Lower --threads, --gpus-per-trial or --memory, or add a node"
        )
    return slots


def explain(error: Exception) -> tuple[Status, str]:
    """Return (status, reason) for what Ray says of a trial that did not come back.

    Raises:
        VaebenchError: the node can't train at all, and no trial that is sent there comes to anything.
    """
    from ray import exceptions as said

    if isinstance(error, said.OutOfMemoryError):
        return Status.OUT_OF_MEMORY, (
            "Ray stopped the worker process, for its node ran out of memory. Ask for more with --memory, "
            "or take smaller batches"
        )
    if isinstance(error, said.NodeDiedError | said.LocalRayletDiedError | said.ObjectLostError):
        return Status.CRASHED, "its node died, or lost the connection to the cluster"
    if isinstance(error, said.WorkerCrashedError | said.TaskCancelledError):
        return Status.CRASHED, "the worker process died"
    if isinstance(error, said.RuntimeEnvSetupError):
        return Status.FAILED, f"the node could not be prepared: {_short(error)}"
    cause = getattr(error, "cause", None) or error
    if isinstance(cause, UnfitError) or NOT_IMPORTED in str(cause):
        raise unfit(f"workers on the node {getattr(error, 'ip', 'of a cluster')}", str(cause), REMEDY)
    if isinstance(cause, said.RaySystemError) and cause is not error:  # of what was sent along
        why = cause.client_exc
        return refusal(f"{type(why).__name__}: {_short(why)}" if isinstance(why, Exception) else _short(cause))
    return Status.FAILED, f"{type(cause).__name__}: {_short(cause)}"


def _amount(name: str, amount: float) -> str:
    return f"{amount / 1e9:.1f} GB of memory" if name == "memory" else f"{amount:g} {name}"


def _short(error: BaseException) -> str:
    """Return what an error says as one line that is not too long."""
    text = " ".join(str(error).split()) or type(error).__name__
    return (text if len(text) <= MOST else f"{text[:MOST]} ...").rstrip(".")
