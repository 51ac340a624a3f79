"""`--address local` is reached by nobody else, and leaves nothing behind, even where it was killed."""

import json
import os
import secrets
import shutil
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ablations.runner.executors._alone import LONGEST, _place
from vae import scratch

ROOT = Path(__file__).parents[2]
STARTED = """
import json, sys
import psutil
from ablations.runner.executors._cluster import connected

with connected("local") as ray:
    from ray._raylet import get_authentication_mode

    @ray.remote
    def home():
        from pathlib import Path
        return str(Path.home())

    worker = ray.get(home.remote())
    ours = psutil.Process()
    processes = [ours, *ours.children(recursive=True)]
    sockets = [one for process in processes for one in process.net_connections("inet") if one.status == "LISTEN"]
    listening = [one.laddr.ip for one in sockets]
    print(json.dumps({"listening": listening, "mode": int(get_authentication_mode()), "worker": worker}), flush=True)
    input()
"""


@pytest.fixture
def place() -> Iterator[Path]:
    """Return a place for temporary files whose name is as short as Ray's sockets need it."""
    folder = Path("/tmp", secrets.token_hex(3))  # noqa: S108 - private, and its name is random
    folder.mkdir()
    yield folder
    shutil.rmtree(folder)


def started(home: Path, place: Path) -> tuple["subprocess.Popen[str]", dict[str, Any]]:
    surroundings = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    surroundings |= {"HOME": str(home), "PYTHONPATH": str(ROOT), "RAY_TMPDIR": str(place), "RAY_AUTH_MODE": "disabled"}
    process = subprocess.Popen(
        [sys.executable, "-c", STARTED], env=surroundings, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    return process, json.loads(process.stdout.readline())


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_cluster_of_this_machine_is_reached_by_nobody_else_and_leaves_nothing(tmp_path: Path, place: Path) -> None:
    process, told = started(tmp_path, place)
    (folder,) = place.iterdir()
    assert mode(folder) == 0o700  # what Ray makes in there is open to all
    process.communicate("\n")
    assert process.returncode == 0
    assert len(told["listening"]) >= 4
    assert {ip.removeprefix("::ffff:") for ip in told["listening"]} <= {"127.0.0.1", "::1"}
    assert told["mode"] == 1, "the surroundings said that no token be asked for"
    token = tmp_path / ".ray" / "auth_token"
    assert len(token.read_text()) == 64
    assert mode(token) == 0o600
    assert [path.name for path in token.parent.iterdir()] == ["auth_token"]
    assert list(place.iterdir()) == []


def test_what_a_killed_run_left_goes_with_the_next_and_an_old_token_is_closed(tmp_path: Path, place: Path) -> None:
    token = tmp_path / ".ray" / "auth_token"
    token.parent.mkdir()
    token.write_text("0" * 64)
    token.chmod(0o644)
    (place / "session_of_another").mkdir()
    killed, _ = started(tmp_path, place)
    (left,) = place.glob("vaebench-*")
    killed.kill()
    killed.communicate()
    assert left.is_dir()
    assert (mode(token), token.read_text()) == (0o600, "0" * 64)
    deadline = time.monotonic() + 600
    while any(str(left) in text for text in scratch._used()) and time.monotonic() < deadline:
        time.sleep(0.5)  # Ray's own processes look from time to time whether their starter lives
    process, _ = started(tmp_path, place)
    assert left not in set(place.iterdir())
    process.communicate("\n")
    assert [path.name for path in place.iterdir()] == ["session_of_another"]


def test_the_place_is_short_enough_for_sockets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(str(tmp_path)) > LONGEST
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    assert _place() != tmp_path
    monkeypatch.setenv("RAY_TMPDIR", "/usr")
    assert _place() == Path("/usr")
