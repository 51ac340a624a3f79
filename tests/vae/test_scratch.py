"""Temporary folders: private, removed, and swept where their owner was killed, never where it lives."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from vae import scratch as module
from vae.scratch import abandoned, scratch, sweep

OWNER = """
import sys, time
from pathlib import Path
from vae.scratch import scratch
with scratch("test", Path(sys.argv[1])) as folder:
    (folder / "work").write_text("")
    print(folder, flush=True)
    time.sleep(600)
"""


def owner(parent: Path) -> tuple["subprocess.Popen[str]", Path]:
    process = subprocess.Popen([sys.executable, "-c", OWNER, str(parent)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


@pytest.fixture(autouse=True)
def _no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "YOUNG_SECONDS", -1.0)


def test_only_the_user_can_enter_and_nothing_stays(tmp_path: Path) -> None:
    with scratch("test", tmp_path) as folder:
        assert folder.parent == tmp_path
        if os.name == "posix":
            assert folder.stat().st_mode & 0o777 == 0o700
        assert abandoned("test", tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_what_killed_owners_left_is_swept_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dead, left = owner(tmp_path)
    alive, used = owner(tmp_path)
    dead.kill()
    dead.communicate()
    others = [tmp_path / name for name in ("vaebench-test-by-hand", "vaebench-other-x", "elsewhere")]
    for folder in others:
        folder.mkdir()
    (tmp_path / "vaebench-test-link").symlink_to(others[2])
    (others[2] / module.LOCK).write_text("")
    monkeypatch.setattr(module, "YOUNG_SECONDS", 600.0)
    assert abandoned("test", tmp_path) == [], "its owner may be about to take its lock"
    monkeypatch.setattr(module, "YOUNG_SECONDS", -1.0)
    assert abandoned("test", tmp_path) == [left]
    sweep("test", tmp_path)
    assert set(tmp_path.iterdir()) == {used, tmp_path / "vaebench-test-link", *others}
    alive.kill()
    alive.communicate()


def test_what_another_process_still_works_in_stays(tmp_path: Path) -> None:
    dead, left = owner(tmp_path)
    dead.kill()
    dead.communicate()
    child = subprocess.Popen([sys.executable, "-c", "input()"], cwd=left, stdin=subprocess.PIPE)
    assert abandoned("test", tmp_path) == []
    child.communicate(b"\n")
    assert abandoned("test", tmp_path) == [left]
