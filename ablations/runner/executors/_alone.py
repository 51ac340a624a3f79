"""A Ray cluster of this machine that nobody else reaches, and that leaves nothing behind."""

import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import Any

from vae.errors import VaebenchError
from vae.scratch import scratch, sweep

__all__ = ["cluster_alone"]

SCRATCH = "ray"
LONGEST = (
    12  # characters of the place for the folder: a socket's path holds 103, of which Ray's own part takes the rest
)
OTHERS = 0o077  # what a file's mode gives to other users
BEYOND = "Ray can't be kept to this machine: {}. Take a version that vaebench was tested with, or --executor processes"


@contextmanager
def cluster_alone() -> Iterator[dict[str, Any]]:
    """Give the settings by which `ray.init` starts such a cluster in the block; what killed ones left is removed.

    It listens at the loopback address, asks for a token that only this user can read, and keeps its files in a folder
    that only this user can enter.

    Raises:
        VaebenchError: this version of Ray is built in another way.
        OSError: there is no place for the token.
    """
    _keep_token_private()
    _ask_for_token()
    place = _place()
    sweep(SCRATCH, place)
    with scratch(SCRATCH, place) as folder, _at_loopback():
        yield {"include_dashboard": False, "_temp_dir": str(folder / "ray")}


def _keep_token_private() -> None:
    """Write a token where there is none; Ray would write, and leave, one that all users can read."""
    if os.environ.get("RAY_AUTH_TOKEN") or os.environ.get("RAY_AUTH_TOKEN_PATH"):
        return
    path = Path.home() / ".ray" / "auth_token"
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, draft = tempfile.mkstemp(dir=path.parent)
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(32))
        with suppress(FileExistsError):  # another process was faster, and has given its token to others
            os.link(draft, path)
        Path(draft).unlink()
    if os.name == "posix" and path.stat().st_mode & OTHERS:
        path.chmod(0o600)


def _ask_for_token() -> None:
    """Have Ray ask for the token, whatever the surroundings say."""
    os.environ["RAY_AUTH_MODE"] = "token"
    import_module("ray._raylet").Config.initialize("")  # it was read when Ray was imported


def _place() -> Path | None:
    """Return where the folder can be: where Ray would have it, unless a socket's path gets too long there."""
    for place in (os.environ.get("RAY_TMPDIR"), tempfile.gettempdir(), "/tmp"):  # noqa: S108 - short, as sockets need it
        if place and len(place) <= LONGEST and Path(place).is_dir():
            return Path(place)
    return None


@contextmanager
def _at_loopback() -> Iterator[None]:
    """Have Ray take the loopback address, by the switch with which it does so on other systems.

    Asked for that address it would take one that other machines reach; and its services listen at what the node takes.

    Raises:
        VaebenchError: it has no such switch, or does not heed it.
    """
    from ray._private import ray_constants, services

    before = getattr(ray_constants, "ENABLE_RAY_CLUSTER", None)
    if before is None:
        raise VaebenchError(BEYOND.format("it has no switch for that"))
    ray_constants.ENABLE_RAY_CLUSTER = False
    try:
        address = services.get_node_ip_address()
        if address not in {"127.0.0.1", "::1"}:
            raise VaebenchError(BEYOND.format(f"it takes the address {address}"))
        yield
    finally:
        ray_constants.ENABLE_RAY_CLUSTER = before
