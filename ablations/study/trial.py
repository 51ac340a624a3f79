"""A trial: one configuration with one seed, and its name."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any, Self

from vae.datasets import fingerprint
from vae.spec import DataSpec, RunSpec

__all__ = ["HASHED", "SLUG_LENGTH", "Trial", "fingerprint_once", "slug"]

SLUG_LENGTH = 80


# Names of devices on Windows, whatever follows the first dot.
RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\.|\Z)", re.IGNORECASE)


EXPONENT = re.compile(r"(?<=\d)e\+(?=\d)")  # of a large number, as Python writes it


HASHED = re.compile(r".*-[0-9a-f]{8}")


SPEAKING = ("dataset", "model")  # axes whose values say what they are


@dataclass(frozen=True)
class Trial:
    """One configuration with one seed.

    Attributes:
        axes: axis -> value, `seed` last; None where the axis means nothing to the model.
        spec: the run.
        recorded: the digest, where it is known from a record and the data may be gone.
        folder: the name of the folder that it has already, where another version gave it, or another order of axes.
    """

    axes: Mapping[str, Any]
    spec: RunSpec
    recorded: str | None = None
    folder: str | None = None

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the spec and of the data's checksum."""
        return self.recorded or self.spec.digest(fingerprint_once(self.spec.data))

    @cached_property
    def name(self) -> str:
        """The folder's name: readable, and unique by its digest."""
        if self.folder is not None:
            return self.folder
        parts = [f"{'' if axis in SPEAKING else axis}{value}" for axis, value in self.axes.items() if value is not None]
        # 1e+16 must not read as 1e-16.
        return f"{slug(EXPONENT.sub('e', '-'.join(parts)))[:SLUG_LENGTH]}-{self.digest[:8]}"

    def under(self, folder: str) -> Self:
        """Return this trial under the name of a folder that holds it already."""
        return self if folder == self.name else replace(self, folder=folder, recorded=self.digest)


def slug(text: str) -> str:
    """Return text as a file name on any system: letters, digits, dots, dashes; anything else becomes one dash.

    >>> slug("../a b")
    'a-b'
    """
    safe = re.sub(r"[^A-Za-z0-9._]+", "-", text).strip("-.") or "study"
    return f"_{safe}" if RESERVED.match(safe) else safe


@lru_cache(maxsize=256)
def fingerprint_once(data: DataSpec) -> str:
    """Return the checksum of a data set, found out once for all trials of a study."""
    return fingerprint(data)
