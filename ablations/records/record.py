"""What a trial leaves: the record that tables and reports read, and nothing else."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from ablations.records.shapes import Count, Date, Number, Table, Text, Value, part
from ablations.records.status import Status

__all__ = ["FORMAT", "MOST_THREADS", "SEED", "Record", "dataset_of", "epochs_of", "measured", "model_of"]


FORMAT = 2
"""Of `record.json`, as this version writes it; it reads all up to it."""

MOST_THREADS = 4096
"""Of one process; what asks for more is no record of a training."""

_Length = Annotated[Count, Field(ge=1)]

_SPEC = part(
    data=Annotated[Table, part(name=Text)],
    model=Annotated[Table, part(name=Text)],
    loss=Mapping[Text, Table],
    train=Annotated[Table, part(epochs=_Length, batch_size=_Length)],
)
_ENVIRONMENT = part(
    threads=Annotated[_Length, Field(le=MOST_THREADS)] | None,
    packages=Mapping[Text, Text],
    processor=Text | None,
)
_DATA = part(
    name=Text,
    checksum=Text,
    licence=Text | None,
    source=Text | None,
    shape=list[Count],
    train_images=Count,
    test_images=Count,
    class_names=list[Text] | None,
)


def _kind_and_name(part_of: str) -> str:
    if not all(part_of.partition(" ")):
        raise ValueError(f"got {part_of!r}, expected the kind of a part and its name")
    return part_of


_CODE = part(
    vae=Text | None,
    core=Text | None,
    git=Text | None,
    parts=Mapping[Annotated[Text, AfterValidator(_kind_and_name)], Text],
)


@dataclass(frozen=True)
class Record:
    """One trial, finished or failed; exactly what `record.json` holds.

    Trials that left none have one in tables and reports all the same: those that a rule of the study leaves out
    (`skipped`, with the rule as reason), and those whose last attempt nobody saw the end of (`interrupted`). A trial
    that waits at a rung of the study's `[stop]` for its rivals is `paused`, one that was stopped there is `pruned`. One
    whose record.json can't be read is `damaged`, with what is wrong as reason.

    The types are those that a file is held to when it is read (`ablations.records.shapes`).

    Attributes:
        trial: the folder's name, slug and first digits of the digest.
        digest: SHA-256 of the spec and the data's checksum.
        axes: axis -> value in the study's order, `seed` last; None where an axis does not apply to the model.
        status: done, diverged, data_error, crashed, timeout, out_of_memory or failed; skipped, interrupted, paused,
            pruned or damaged.
        reason: why it is not done; None when it is.
        spec: the RunSpec as plain values.
        metrics: metric -> value, or None where it does not apply.
        timings: name -> seconds (or the unit in the name).
        environment: machine, versions, backend, threads, device, and `arithmetic`: what is set that changes numbers.
        data: name, checksum, licence, source, shape, train_images, test_images, class_names.
        code: `vae` (one hash of the code it ran through), `core` and `parts` (each by itself: `vae.code`), `git`
            (commit, or None).
        evaluation: metric -> settings that it was measured with, of those that were given any.
        notes: choices made on the way, such as how batch statistics were obtained.
        started: and `finished`: ISO 8601, UTC.
        format: of this record; 1, which says nothing of it, has digests that terms without a weight are a part of, and
            one hash for all code.
    """

    trial: Text
    digest: Text
    axes: Mapping[Text, Value]
    status: Status
    reason: Text | None = None
    spec: Annotated[Table, _SPEC] = field(default_factory=dict)
    metrics: Mapping[Text, Number | None] = field(default_factory=dict)
    timings: Mapping[Text, Number] = field(default_factory=dict)
    environment: Annotated[Table, _ENVIRONMENT] = field(default_factory=dict)
    data: Annotated[Table, _DATA] = field(default_factory=dict)
    code: Annotated[Table, _CODE] = field(default_factory=dict)
    evaluation: Mapping[Text, Table] = field(default_factory=dict)
    notes: Table = field(default_factory=dict)
    started: Date = ""
    finished: Date = ""
    format: _Length = FORMAT

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


def epochs_of(record: Record) -> int:
    """Return the epochs that a trial was asked for; 0 where its record doesn't say."""
    train = record.spec.get("train")
    return int(train.get("epochs", 0)) if isinstance(train, Mapping) else 0


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
