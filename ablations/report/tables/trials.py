"""The table of trials, and what failed or was left out."""

from collections import Counter
from collections.abc import Collection, Sequence

from ablations.analysis.grid import Grid
from ablations.records.record import SEED, Record, measured
from ablations.records.status import Status
from ablations.report.tables.summary import number_column
from ablations.report.tables.view import Cell, Column, TableView, is_numeric, sortable
from ablations.text.columns import MAIN, axis_label, in_tables, order
from ablations.text.numbers import clean, count, value_text

__all__ = ["failures", "skips", "trial_table"]

_REASON = "reason"


def trial_table(grid: Grid, records: Sequence[Record], stale: Collection[str]) -> TableView:
    """Return one row a trial, those that failed included with their reason."""
    names = in_tables(order({name for record in records for name in measured(record)}), grid.metrics)
    axes = [axis for axis in dict.fromkeys(axis for record in records for axis in record.axes) if axis != SEED]
    axes = [axis for axis in axes if axis in grid.varying or (axis == "dataset" and len(grid.datasets) > 1)]
    columns = [Column(axis, axis_label(axis), is_numeric(grid.configurations, axis)) for axis in axes]
    columns += [Column(SEED, "seed"), Column("status", "status", numeric=False, rank=1)]
    columns += [Column(_REASON, "reason", numeric=False, rank=98)] if any(record.reason for record in records) else []
    ranks = _ranks(grid.metrics)
    columns += [number_column(name, ranks) for name in names]
    columns += [Column("trial", "trial", numeric=False, rank=99)]
    rows = tuple(tuple(_trial_cell(grid, record, column.key, stale) for column in columns) for record in records)
    return TableView("trials", "Every trial, one row each", tuple(columns), rows)


def _trial_cell(grid: Grid, record: Record, key: str, stale: Collection[str]) -> Cell:
    if key == "status":
        text = record.status + (", stale" if record.trial in stale else "")
        return Cell(
            text, text, status="stale" if record.trial in stale and record.status == Status.DONE else record.status
        )
    if key in {_REASON, "trial"}:
        text = clean(getattr(record, key) or "")
        return Cell(text, text)
    if key in record.axes or key in {"dataset", SEED}:
        value = record.axes.get(key)
        return Cell(clean(value_text(value)), sortable(value))
    value = measured(record).get(key)
    return Cell(grid.formats.number(key, value), sortable(value))


def failures(records: Sequence[Record]) -> list[tuple[str, str]]:
    """Return what should be done and is not as (which trials, why), trials with the same reason together."""
    groups: dict[str, list[Record]] = {}
    for record in records:
        if record.status not in (Status.DONE, Status.SKIPPED, Status.PRUNED):
            reason = clean(record.reason or "no reason was recorded")
            groups.setdefault(f"{record.status}: {reason}", []).append(record)
    told = []
    for reason, group in groups.items():
        named = ", ".join(clean(record.trial) for record in group[:3])
        more = f" and {len(group) - 3} more" if len(group) > 3 else ""  # noqa: PLR2004 - three name the kind
        told.append((named + more, reason))
    return told


def skips(records: Sequence[Record]) -> list[str]:
    """Return what the study's rules left out or stopped, a sentence a rule."""
    counted = Counter(clean(record.reason or "") for record in records if record.status == Status.SKIPPED)
    told = [f"{count(number, 'row')} of the grid skipped {reason}." for reason, number in counted.items()]
    # Which epoch it was is all that many reasons have in common; each trial's own is in the table.
    stopped = Counter(
        clean(record.reason or "").partition(":")[0] for record in records if record.status == Status.PRUNED
    )
    for reason, number in stopped.items():
        told.append(f"{count(number, 'trial')} {reason}, behind their rivals; no mean includes them.")
    return told


def _ranks(metrics: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(["status", *metrics[:2], "kl", "train_seconds", *metrics[2:], *MAIN, "sse"]))
