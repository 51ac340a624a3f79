from collections import namedtuple
from pathlib import Path

import psutil
import pytest

from ablations.records.record import Record
from ablations.runner.crew import available, budget, crew_size, oom_kills

Memory = namedtuple("Memory", "available")  # noqa: PYI024 - as psutil gives it


@pytest.fixture(autouse=True)
def sixteen_gigabytes_free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(psutil, "virtual_memory", lambda: Memory(16e9))
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(64)), raising=False)


def record(peak: float) -> Record:
    return Record("trial", "digest", {}, "done", timings={"peak_rss_mb": peak})


def test_as_many_workers_as_memory_holds(tmp_path: Path) -> None:
    assert crew_size("processes", None, None, budget([])) == (8, 8)
    assert crew_size("processes", None, None, budget([record(900), record(3200)])) == (4, 16)
    assert crew_size("processes", None, None, 64e9) == (1, 64)  # one always may try
    assert crew_size("processes", 12, None, budget([])) == (12, 5)  # who asks for more gets it


def test_a_containers_limit_counts(tmp_path: Path) -> None:
    (tmp_path / "memory.current").write_text("1000000000\n")
    (tmp_path / "memory.max").write_text("5000000000\n")
    assert available(tmp_path) == 4e9
    (tmp_path / "memory.max").write_text("max\n")
    assert available(tmp_path) == 16e9
    assert available(tmp_path / "none") == 16e9


def test_kills_by_the_kernel_are_counted(tmp_path: Path) -> None:
    file = tmp_path / "vmstat"
    file.write_text("nr_free_pages 12\noom_kill 3\npgfault 7\n")
    assert oom_kills(file) == 3
    assert oom_kills(tmp_path / "none") == 0
