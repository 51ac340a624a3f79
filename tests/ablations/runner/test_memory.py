from collections import namedtuple
from pathlib import Path

import psutil
import pytest

from ablations.runner.memory import available, oom_kills

Memory = namedtuple("Memory", "available")  # noqa: PYI024 - as psutil gives it


def test_a_containers_limit_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(psutil, "virtual_memory", lambda: Memory(16e9))
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
