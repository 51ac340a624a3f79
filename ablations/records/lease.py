"""One runner at a time on a folder of results: a file says who holds it, and goes stale when its holder is gone."""

import json
import os
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread
from uuid import uuid4

import psutil
from filelock import FileLock, Timeout

from ablations.records.files import unwritable
from ablations.records.shapes import DamagedError, Text, of_json, shaped
from vae.errors import VaebenchError
from vae.files import partial

__all__ = ["Lease", "LeaseLostError", "hold", "holder"]

HEARTBEAT_SECONDS = 5.0
LOCK_SECONDS = 10.0
STALE_SECONDS = 60.0  # without a heartbeat; clocks of machines that share a folder agree better than that
WATCHED_SECONDS = 3 * HEARTBEAT_SECONDS  # that a heart is listened to where the clocks can't be believed


class LeaseLostError(VaebenchError):
    """Another runner has the folder, or the folder is gone: nothing more may be written to it."""


@dataclass(frozen=True)
class Lease:
    """A right to write to a folder of results.

    Attributes:
        path: of the file that tells whose it is.
        token: of the holder, who may be another process's master.
    """

    path: Path
    token: str = field(default_factory=lambda: uuid4().hex)

    def check(self) -> None:
        """Look whether the folder is still ours.

        Raises:
            LeaseLostError: somebody took us for dead, or the file or its folder is gone.
        """
        found = _read(self.path)
        if found is None:
            raise LeaseLostError(
                f"{self.path.parent}, or its {self.path.name}, was moved or removed while this run held it. It stops, "
                "so that two don't write at once. What is done is kept; where the folder is, the same command goes on",
            )
        if found.token != self.token:
            raise LeaseLostError(
                f"{self.path.parent} was taken over by {found.host}, process {found.pid}, which heard nothing of "
                "this run for a minute: it stops, so that two don't write at once. What is finished is kept; once the "
                "other has ended, the same command goes on from there",
            )

    def beat(self) -> bool:
        """Tell the others that we live; return whether the lease is still ours."""
        try:
            self.check()
            os.utime(self.path)
        except LeaseLostError:
            return False
        except OSError:  # a disk that does not answer may do so again
            return True
        return True


@contextmanager
def hold(path: Path) -> Iterator[Lease]:
    """Hold the lease at `path` while the block runs, with a heartbeat.

    A lease whose holder is dead (same host), or has not been heard of for a minute (any host), is taken over. A holder
    that was stopped for so long finds out at the next beat, or when it next asks the lease that it was given.

    Raises:
        VaebenchError: somebody else holds it, or the folder can't be written.
    """
    lease = Lease(path)
    _take(lease)
    done = Event()

    def beat() -> None:
        while not done.wait(HEARTBEAT_SECONDS) and lease.beat():
            pass

    thread = Thread(target=beat, daemon=True, name="lease")
    thread.start()
    try:
        yield lease
    finally:
        done.set()
        thread.join()
        # Somebody who took us for dead has put a lease of their own there.
        if (_read(path) or _NOBODY).token == lease.token:
            path.unlink(missing_ok=True)


def holder(path: Path) -> str | None:
    """Say who holds the lease at `path`, or None where nobody alive does."""
    found = _read(path)
    return None if found is None or _stale(path, found) else f"{found.host}, process {found.pid}"


def _take(lease: Lease) -> None:
    path = lease.path
    mine = {"host": platform.node(), "pid": os.getpid(), "token": lease.token}
    draft = partial(path.parent, f"lease-{lease.token}")
    try:
        # Of several that find a lease stale at the same moment, the lock lets one look and write at a time. The lock
        # alone would not do: it holds on one machine, and not on every file system that machines share.
        with FileLock(path.with_name(".lease.lock"), timeout=LOCK_SECONDS + WATCHED_SECONDS):
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
        with suppress(OSError):
            draft.unlink(missing_ok=True)


@dataclass(frozen=True)
class _Holder:
    host: Text
    pid: int
    token: Text


_NOBODY = _Holder("unknown", 0, "")


def _read(path: Path) -> _Holder | None:
    """Return what a lease says; None where there is none, and of one that can't be understood that nobody is known."""
    try:
        return shaped(_Holder, of_json(path.read_text(encoding="utf-8")))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, UnicodeDecodeError, DamagedError):
        return _NOBODY


def _stale(path: Path, found: _Holder) -> bool:
    if found.host == platform.node() and found.pid > 0 and not _alive(found.pid):
        return True
    try:
        age = time.time() - path.stat().st_mtime
    except OSError:
        return True
    # A beat from the future tells nothing of now: a clock was set back. Then only the next beat does.
    return age > STALE_SECONDS or (age < -STALE_SECONDS and not _beats(path))


def _alive(pid: int) -> bool:
    try:
        return psutil.pid_exists(pid)
    except OverflowError:  # no system has such a process
        return False


def _beats(path: Path) -> bool:
    """Listen for a beat."""
    with suppress(OSError):
        before, until = path.stat().st_mtime_ns, time.monotonic() + WATCHED_SECONDS
        while time.monotonic() < until:
            time.sleep(HEARTBEAT_SECONDS / 10)
            if path.stat().st_mtime_ns != before:
                return True
    return False
