"""NVIDIA GPUs, as the driver lists them: nothing is imported, and no memory taken, to learn what there is."""

import csv
import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

__all__ = ["VISIBLE", "Gpu", "visible"]

VISIBLE = "CUDA_VISIBLE_DEVICES"
QUERY = ("nvidia-smi", "--query-gpu=index,uuid,name,memory.total", "--format=csv,noheader,nounits")
SECONDS = 20.0  # a driver that does not answer by then will not


@dataclass(frozen=True)
class Gpu:
    """One device.

    Attributes:
        index: as the driver counts.
        uuid: its own name.
        name: the product's.
        memory_gib: all that it has.
    """

    index: str
    uuid: str
    name: str
    memory_gib: float


def visible() -> tuple[Gpu, ...]:
    """Return the GPUs that this process may use, in the order of `CUDA_VISIBLE_DEVICES`; none where there are none."""
    found = _listed()
    chosen = os.environ.get(VISIBLE)
    if chosen is None:
        return found
    places = []
    for name in (part.strip() for part in chosen.split(",")):
        matching = [gpu for gpu in found if name == gpu.index or (name and gpu.uuid.startswith(name))]
        if not matching:
            break  # CUDA, too, sees none of those that follow an unknown one
        places.append(matching[0])
    return tuple(places)


@cache
def _listed() -> tuple[Gpu, ...]:
    try:
        listing = subprocess.run(QUERY, capture_output=True, text=True, check=True, timeout=SECONDS).stdout  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return ()
    return _parse(listing.splitlines())


def _parse(lines: Sequence[str]) -> tuple[Gpu, ...]:
    """Return what a listing of nvidia-smi says; lines that say something else are left out.

    >>> _parse(["0, GPU-5b1, NVIDIA L4, 23034"])
    (Gpu(index='0', uuid='GPU-5b1', name='NVIDIA L4', memory_gib=22.5),)
    """
    rows = [[field.strip() for field in row] for row in csv.reader(lines)]
    return tuple(
        Gpu(index, uuid, name, round(float(memory) / 1024, 1))
        for index, uuid, name, memory in (row for row in rows if len(row) == len(Gpu.__dataclass_fields__))
        if memory.replace(".", "", 1).isdigit()
    )
