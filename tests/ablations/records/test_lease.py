import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path
from threading import Barrier, Thread

import pytest

from ablations.records import lease
from ablations.records.lease import hold, holder
from vae.errors import VaebenchError


def plant(path: Path, **changes: object) -> None:
    path.write_text(json.dumps({"host": platform.node(), "pid": os.getpid(), "token": "t"} | changes))


def dead_process() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_a_lease_is_held_by_one_and_given_back(tmp_path: Path) -> None:
    path = tmp_path / "lease.json"
    with hold(path):
        assert str(os.getpid()) in str(holder(path))
        with pytest.raises(VaebenchError, match=rf"in use by .*process {os.getpid()}.*--results"), hold(path):
            pass
        assert holder(path)
    assert holder(path) is None
    assert [file.name for file in tmp_path.iterdir()] == [".lease.lock"]


def test_a_dead_holder_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "lease.json"
    plant(path, pid=dead_process())
    assert holder(path) is None
    with hold(path):
        assert holder(path)


def test_a_holder_on_another_machine_counts_until_its_heart_stops(tmp_path: Path) -> None:
    path = tmp_path / "lease.json"
    plant(path, host="elsewhere", pid=dead_process())
    with pytest.raises(VaebenchError, match="in use by elsewhere"), hold(path):
        pass
    os.utime(path, (0, 0))
    with hold(path):
        assert "elsewhere" not in str(holder(path))


def test_a_damaged_lease_counts_until_it_is_old(tmp_path: Path) -> None:
    path = tmp_path / "lease.json"
    path.write_text("{")
    with pytest.raises(VaebenchError, match="in use by unknown"), hold(path):
        pass
    os.utime(path, (0, 0))
    with hold(path):
        pass


def test_the_heart_beats(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "HEARTBEAT_SECONDS", 0.01)
    path = tmp_path / "lease.json"
    with hold(path):
        os.utime(path, (0, 0))
        for _ in range(60_000):
            if path.stat().st_mtime > 0:
                break
            time.sleep(0.01)
        assert path.stat().st_mtime > 0


def test_what_another_has_taken_over_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "lease.json"
    with hold(path):
        plant(path, token="another")  # noqa: S106 - no secret
    assert path.is_file()


def test_of_many_at_once_that_find_a_stale_lease_one_gets_it(tmp_path: Path) -> None:
    path = tmp_path / "lease.json"
    for _ in range(10):
        plant(path, pid=dead_process())
        barrier, held, over = Barrier(8), [], Barrier(8)

        def race(barrier: Barrier = barrier, held: list[bool] = held, over: Barrier = over) -> None:
            barrier.wait()
            try:
                with hold(path):
                    held.append(True)
                    over.wait()
            except VaebenchError:
                over.wait()

        threads = [Thread(target=race) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert held == [True]
        path.unlink(missing_ok=True)
