"""The environment of a peer that is none of our dependencies: made once, by pip, or the reason why it can't be."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from ablations.text.numbers import shorten

__all__ = ["PYTHAE", "Environment", "prepare"]

PYTHAE = ("torch==2.13.0", "pythae==0.1.2", "numpy>=2", "pydantic>=2.12", "psutil>=6.0")
REASON_LINES, LINE_LENGTH = 2, 200


@dataclass(frozen=True)
class Environment:
    """A Python to run a peer with, or the reason why there is none."""

    python: Path | None
    reason: str = ""


def prepare(folder: Path, requirements: tuple[str, ...] = PYTHAE) -> Environment:
    """Return the environment in `folder`, made and filled where it isn't there yet."""
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    stamp, wanted = folder / "installed.txt", "\n".join(requirements)
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == wanted:
        return Environment(python)
    steps = [
        [sys.executable, "-m", "venv", "--clear", str(folder)],
        [str(python), "-m", "pip", "install", "--disable-pip-version-check", "--quiet", *requirements],
        # Installed is not yet usable: an old package may not load beside its newest dependencies.
        [str(python), "-c", "import pythae.models, pythae.trainers"],
    ]
    for step in steps:
        done = subprocess.run(step, capture_output=True, text=True, check=False)  # noqa: S603 - our own words
        if done.returncode:
            lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
            said = ([line for line in lines if "Error" in line or line.startswith("ERROR")] or lines)[-REASON_LINES:]
            reason = " / ".join(shorten(line, LINE_LENGTH) for line in said)
            return Environment(None, f"{' '.join(step[1:4])} ended with code {done.returncode}: {reason}")
    stamp.write_text(wanted, encoding="utf-8")
    return Environment(python)
