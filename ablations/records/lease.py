"""One runner at a time on a folder of results: a file says who holds it, and goes stale when its holder is gone."""

import json
import os
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread
from typing import Any
from uuid import uuid4

import psutil
from filelock import FileLock, Timeout

from ablations.records.store import unwritable
from vae.errors import VaebenchError

__all__ = ["hold", "holder"]

HEARTBEAT_SECONDS = 5.0
LOCK_SECONDS = 10.0
STALE_SECONDS = 60.0  # without a heartbeat; clocks of machines that share a folder agree better than that


@contextmanager
def hold(path: Path) -> Iterator[None]:
    """Hold the lease at `path` while the block runs, with a heartbeat.

    A lease whose holder is dead (same host), or has not been heard of for a minute (any host), is taken over.

    Raises:
        VaebenchError: somebody else holds it, or the folder can't be written.
    """
    token = uuid4().hex
    _take(path, token)
    done = Event()

    def beat() -> None:
        while not done.wait(HEARTBEAT_SECONDS):
            with suppress(OSError):
                os.utime(path)

    thread = Thread(target=beat, daemon=True, name="lease")
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
        # Somebody who took us for dead has put a lease of their own there.
        if (_read(path) or {}).get("token") == token:
            path.unlink(missing_ok=True)


def holder(path: Path) -> str | None:
    """Say who holds the lease at `path`, or None where nobody alive does."""
    found = _read(path)
    return None if found is None or _stale(path, found) else f"{found['host']}, process {found['pid']}"


def _take(path: Path, token: str) -> None:
    mine = {"host": platform.node(), "pid": os.getpid(), "token": token}
    draft = path.with_name(f".partial-lease-{token}-{os.getpid()}")
    try:
        # Of several that find a lease stale at the same moment, the lock lets one look and write at a time. The lock
        # alone would not do: it holds on one machine, and not on every file system that machines share.
        with FileLock(path.with_name(".lease.lock"), timeout=LOCK_SECONDS):
            who = holder(path)
            if who is not None:
                raise VaebenchError(
                    f"{path.parent} is in use by {who}. Wait for it, stop it, or choose another folder with --results",
                )
            draft.write_text(json.dumps(mine), encoding="utf-8")
            draft.replace(path)
    except Timeout:
        raise VaebenchError(f"{path.parent} is being taken by another process just now. Try again") from None
    except OSError as error:
        raise unwritable(path.parent, error) from None
    finally:
        draft.unlink(missing_ok=True)


def _read(path: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        return {"host": "unknown", "pid": 0, "token": ""}
    return found if isinstance(found, dict) and {"host", "pid", "token"} <= set(found) else None


def _stale(path: Path, found: dict[str, Any]) -> bool:
    if found["host"] == platform.node() and found["pid"] and not psutil.pid_exists(int(found["pid"])):
        return True
    with suppress(FileNotFoundError):
        return time.time() - path.stat().st_mtime > STALE_SECONDS
    return True
