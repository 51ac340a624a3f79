"""What the running trials are at: a file for who looks on, on which nothing depends."""

import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field

from ablations.records.shapes import Count, DamagedError, Text, of_json, shaped
from vae.files import partial

__all__ = ["read", "write"]


@dataclass(frozen=True)
class _Progress:
    epoch: Count
    began: Annotated[float, Field(strict=True, ge=0, allow_inf_nan=False)]


@dataclass(frozen=True)
class _Running:
    trials: Mapping[Text, _Progress]


def write(path: Path, running: Mapping[str, Mapping[str, float]]) -> None:
    """Tell what the running trials are at, trial -> numbers; a full disk is no error."""
    draft = partial(path.parent, "progress")
    with contextlib.suppress(OSError):
        draft.write_text(json.dumps(running), encoding="utf-8")
        draft.replace(path)


def read(path: Path) -> dict[str, dict[str, float]]:
    """Return what the running trials are at; nothing where none runs, or the file says anything else."""
    try:
        found = of_json(path.read_text(encoding="utf-8"))
        return {name: vars(one) for name, one in shaped(_Running, {"trials": found}).trials.items()}
    except (OSError, UnicodeDecodeError, DamagedError):
        return {}
