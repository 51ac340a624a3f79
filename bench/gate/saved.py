"""Where runs are kept: results/bench/saved by pytest-benchmark, results/bench/gate by the gate, a folder a machine."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bench.gate._revision import ROOT
from vae.files import write_atomically

__all__ = ["GATE", "HISTORY", "SAVED", "VALIDATION", "gate_runs", "keep", "machine_key", "saved_runs"]

SAVED = ROOT / "results" / "bench" / "saved"
GATE = ROOT / "results" / "bench" / "gate"
VALIDATION = ROOT / "results" / "bench" / "validation"
HISTORY = ROOT / "results" / "bench" / "history.html"


def machine_key(machine: Mapping[str, Any]) -> str:
    """Return a folder's name for a machine: times of equal names may be compared.

    The host's name plays no part, since a container has another each time; nor do versions, whose effect is looked for.

    >>> machine_key({"processor": "AMD EPYC", "cores": 2, "device": "cpu", "host": "a1b2"})
    'amd-epyc-2-cores-cpu'
    """
    text = f"{machine.get('processor', 'unknown')} {machine.get('cores', 0)} cores {machine.get('device', 'cpu')}"
    return re.sub(r"[^a-z0-9]+", "-", text.casefold()).strip("-")


def keep(run: Mapping[str, Any], folder: Path = GATE) -> Path:
    """Write a run of the gate, which has `when` (ISO 8601), `head` and `machine`, and return its file."""
    stamp = re.sub(r"[^0-9TZ]", "", str(run["when"]).replace("+00:00", "Z"))
    path = folder / machine_key(run["machine"]) / f"{stamp}-{run['head'].strip('+')}.json"
    write_atomically(path, (json.dumps(run, indent=1) + "\n").encode())
    return path


def gate_runs(folder: Path = GATE) -> Iterator[dict[str, Any]]:
    """Yield the gate's runs, oldest first, each with the `key` of its machine."""
    yield from _runs(folder, "*/*.json")


def saved_runs(folder: Path = SAVED) -> Iterator[dict[str, Any]]:
    """Yield pytest-benchmark's runs, oldest first, each with the `key` of its machine."""
    yield from _runs(folder, "*/*/*.json")


def _runs(folder: Path, pattern: str) -> Iterator[dict[str, Any]]:
    found = []
    for path in folder.glob(pattern):
        try:
            run = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):  # one that was cut off in the middle of writing
            continue
        if isinstance(run, dict):
            found.append(run | {"key": path.relative_to(folder).parts[0]})
    yield from sorted(found, key=lambda run: str(run.get("when") or run.get("datetime")))
