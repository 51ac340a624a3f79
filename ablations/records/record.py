"""What a trial leaves: the record that tables and reports read, and nothing else."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from ablations.records.status import Status

__all__ = ["FORMAT", "SEED", "Record", "dataset_of", "measured", "model_of"]


FORMAT = 2
"""Of `record.json`, as this version writes it; it reads all up to it."""


@dataclass(frozen=True)
class Record:
    """One trial, finished or failed; exactly what `record.json` holds.

    Trials that left none have one in tables and reports all the same: those that a rule of the study leaves out
    (`skipped`, with the rule as reason), and those whose last attempt nobody saw the end of (`interrupted`). A trial
    that waits at a rung of the study's `[stop]` for its rivals is `paused`, one that was stopped there is `pruned`.

    Attributes:
        trial: the folder's name, slug and first digits of the digest.
        digest: SHA-256 of the spec and the data's checksum.
        axes: axis -> value in the study's order, `seed` last; None where an axis does not apply to the model.
        status: done, diverged, data_error, crashed, timeout, out_of_memory or failed; skipped, interrupted, paused or
            pruned.
        reason: why it is not done; None when it is.
        spec: the RunSpec as plain values.
        metrics: metric -> value, or None where it does not apply.
        timings: name -> seconds (or the unit in the name).
        environment: machine, versions, backend, threads, device, and `arithmetic`: what is set that changes numbers.
        data: name, checksum, licence, source, shape, train_images, test_images, class_names.
        code: `vae` (one hash of the code it ran through), `core` and `parts` (each by itself: `vae.code`), `git`
            (commit, or None).
        notes: choices made on the way, such as how batch statistics were obtained.
        started: and `finished`: ISO 8601, UTC.
        format: of this record; 1, which says nothing of it, has digests that terms without a weight are a part of, and
            one hash for all code.
    """

    trial: str
    digest: str
    axes: Mapping[str, Any]
    status: Status
    reason: str | None = None
    spec: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, float | None] = field(default_factory=dict)
    timings: Mapping[str, float] = field(default_factory=dict)
    environment: Mapping[str, Any] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)
    code: Mapping[str, Any] = field(default_factory=dict)
    notes: Mapping[str, Any] = field(default_factory=dict)
    started: str = ""
    finished: str = ""
    format: int = FORMAT

    def __post_init__(self) -> None:
        """Take a status from its text.

        Raises:
            ValueError: there is no such status.
        """
        object.__setattr__(self, "status", Status(self.status))

    @property
    def failed(self) -> bool:
        """Whether it was tried to its end and is not done."""
        return self.status.failed

    def to_json(self) -> dict[str, Any]:
        """Return plain values, ready for json.dumps."""
        return asdict(self)


SEED = "seed"


def measured(record: Record) -> dict[str, float]:
    """Return every number that the trial left, metrics before timings; what does not apply is left out.

    A NaN stays, so that the mean over its seeds is NaN too: a mean hides nothing.
    """
    numbers: Mapping[str, object] = {**record.metrics, **record.timings}
    return {name: float(value) for name, value in numbers.items() if isinstance(value, (int, float))}


def dataset_of(record: Record) -> str:
    """Return the name of the trial's data set, whether it is an axis or fixed."""
    return _named(record, "dataset", "data", record.data.get("name"))


def model_of(record: Record) -> str:
    """Return the name of the trial's model, whether it is an axis or fixed."""
    return _named(record, "model", "model", None)


def _named(record: Record, axis: str, section: str, otherwise: object) -> str:
    fixed = record.spec.get(section)
    name = fixed.get("name") if isinstance(fixed, Mapping) else None
    return str(record.axes.get(axis) or name or otherwise or axis)
