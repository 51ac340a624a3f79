"""Which trial a folder's record is of, by what made it: names change with the order of axes, digests with versions."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from ablations.records.record import Record
from ablations.records.store import Store
from vae.errors import VaebenchError
from vae.spec import RunSpec

__all__ = ["Known", "by_digest", "known"]

LASTING = 2  # the format from which on a recorded digest is that of today


@dataclass(frozen=True)
class Known:
    """A record, and what identifies its trial today.

    Attributes:
        record: it.
    """

    record: Record

    @cached_property
    def _spec(self) -> RunSpec | None:
        try:
            return RunSpec.parse(self.record.spec, self.record.trial)
        except VaebenchError:  # of a part that is no longer there, or not yet
            return None

    @property
    def identity(self) -> str:
        """Of its spec, data left out (`RunSpec.identity`); "" where the spec can't be read any more."""
        return self._spec.identity if self._spec else ""

    @property
    def digest(self) -> str:
        """That a trial of this spec and these data has today: terms without a weight were part of it in format 1."""
        checksum = self.record.data.get("checksum")
        if self.record.format >= LASTING or checksum is None or self._spec is None:
            return self.record.digest
        return self._spec.digest(str(checksum))


def known(store: Store) -> list[Known]:
    """Return every record of a folder, to be asked for its identity."""
    return [Known(record) for name in store.names() if (record := store.read(name)) is not None]


def by_digest(found: Iterable[Known]) -> dict[str, Record]:
    """Return digest -> record; of several a settled one, then the one that was finished last."""
    ranked = sorted(found, key=lambda one: (one.record.status.settled, one.record.finished))
    return {one.digest: one.record for one in ranked}
