"""What can have become of a trial."""

from enum import StrEnum

__all__ = ["Status"]


class Status(StrEnum):
    """How a trial ended, or where it stands; `record.json`, `table.csv` and the ledger hold the text.

    Attributes:
        DONE: trained to its end and measured.
        DIVERGED: its loss left the finite numbers.
        DATA_ERROR: its data set is missing, damaged, or no longer the same.
        CRASHED: its process died.
        TIMEOUT: it took longer than `--timeout` allows.
        OUT_OF_MEMORY: memory ran out.
        FAILED: anything else went wrong.
        SKIPPED: a rule of the study leaves it out.
        INTERRUPTED: nobody saw the end of its last attempt; the next run goes on from there.
        PAUSED: it waits at a rung of the study's `[stop]` for its rivals.
        PRUNED: it was stopped at such a rung.
        REFUSED: a search proposed settings that don't go together.
        DAMAGED: its record.json does not hold what a record does; the next run trains it again.
    """

    DONE = "done"
    DIVERGED = "diverged"
    DATA_ERROR = "data_error"
    CRASHED = "crashed"
    TIMEOUT = "timeout"
    OUT_OF_MEMORY = "out_of_memory"
    FAILED = "failed"
    SKIPPED = "skipped"
    INTERRUPTED = "interrupted"
    PAUSED = "paused"
    PRUNED = "pruned"
    REFUSED = "refused"
    DAMAGED = "damaged"

    @property
    def failed(self) -> bool:
        """Whether it was tried to its end and is not done."""
        return self not in {Status.DONE, Status.SKIPPED, Status.INTERRUPTED, Status.PAUSED, Status.PRUNED}

    @property
    def settled(self) -> bool:
        """Whether it needs nothing more: it is done, or was stopped at a rung."""
        return self in {Status.DONE, Status.PRUNED}

    @property
    def has_curve(self) -> bool:
        """Whether the trial's folder holds the curves that it was trained to."""
        return self in {Status.DONE, Status.PAUSED, Status.PRUNED}

    @property
    def transient(self) -> bool:
        """Whether another try may not meet what it ended by: the machine's doing rather than the trial's."""
        return self in {Status.CRASHED, Status.OUT_OF_MEMORY}
