"""What trials leave, and the only room that knows its file names."""

from ablations.records.record import Record
from ablations.records.store import Store

__all__ = ["Record", "Store"]
