"""Runs are kept under results/bench/saved, a folder a machine, and compared with the last one there."""

from pathlib import Path
from typing import Any

import pytest

from bench.gate.saved import SAVED, machine_key
from vae.environment import describe

DEFAULT_STORAGE = "file://./.benchmarks"  # pytest-benchmark's own


def pytest_configure(config: pytest.Config) -> None:
    """Choose this machine's folder, and compare with the last run in it, unless the command line says otherwise."""
    options: Any = config.option
    if options.benchmark_storage != DEFAULT_STORAGE:
        return
    folder = SAVED / machine_key(describe())
    options.benchmark_storage = f"file://{folder}"
    if not options.benchmark_compare and any(folder.glob("*/[0-9]*.json")):
        options.benchmark_compare = True


def pytest_benchmark_generate_machine_info(config: pytest.Config) -> dict[str, Any]:  # noqa: ARG001 - a hook
    """Keep what a time depends on; a difference from the run compared with is warned of."""
    return {name: value for name, value in describe().items() if name not in {"host", "memory_gib"}}


@pytest.fixture(scope="session", autouse=True)
def _caches(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Keep decoded images and floors out of the user's own cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VAEBENCH_CACHE", str(Path(tmp_path_factory.mktemp("cache"))))
        patch.setenv("VAEBENCH_OFFLINE", "1")
        yield
