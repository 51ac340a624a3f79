"""Records to tables: one row a trial, one row a configuration; files that no reader can see half-written."""

import io
import json
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ablations.records.files import csv_text
from ablations.records.record import SEED, Record, dataset_of, measured, model_of
from ablations.records.status import Status
from ablations.statistics.intervals import mean_interval, spread
from ablations.text.columns import order
from vae.files import write_atomically

__all__ = ["FORMAT", "summary", "table", "write"]

FORMAT = 2
"""Of the tables: their last column says so. Format 1 has no such column, and `dataset` and `model` only as axes."""

DATASET, MODEL = "dataset", "model"

_TEXT = ("status", "reason", "trial", "digest", "code", "git", "started", "finished")
_BEFORE = ("status", "reason", "stale")
_AFTER = ("trial", "digest", "code", "git", "started", "finished", "format")


def table(records: Sequence[Record], stale: Collection[str] = ()) -> pd.DataFrame:
    """Return one row a trial, failed ones included.

    Columns: `dataset` and `model`, whether they are axes or fixed, so that tables of several studies can be put
    together; the other axes in the study's order, `status`, `reason`, `stale`, every metric and timing, then the
    trial's name, digest, source hash, commit and dates, and the format of the table. A column of mixed types becomes
    text, so that parquet can hold it.
    """
    named = {
        axis: [record.axes[axis] if axis in record.axes else fixed(record) for record in records]
        for axis, fixed in ((DATASET, dataset_of), (MODEL, model_of))
    }
    axes = list(dict.fromkeys([*named, *(axis for record in records for axis in record.axes)]))
    axes.sort(key=lambda axis: axis == SEED)
    numbers = [measured(record) for record in records]
    names = [name for name in order({name for row in numbers for name in row}) if name not in axes]
    columns: dict[str, pd.Series[Any]] = {}
    for axis in axes:
        columns[axis] = _typed(named.get(axis) or [record.axes.get(axis) for record in records])
    fixed: dict[str, list[Any]] = {
        "status": [record.status for record in records],
        "reason": [record.reason for record in records],
        "stale": [record.trial in stale for record in records],
        "trial": [record.trial or None for record in records],
        "digest": [record.digest or None for record in records],
        "code": [_text_or_none(record.code.get("vae")) for record in records],
        "git": [_text_or_none(record.code.get("git")) for record in records],
        "started": [record.started or None for record in records],
        "finished": [record.finished or None for record in records],
        "format": [FORMAT] * len(records),
    }
    for name in _BEFORE:
        columns.setdefault(name, _typed(fixed[name], text=name in _TEXT))
    for name in names:
        columns[name] = pd.Series([row.get(name, math.nan) for row in numbers], dtype="float64")
    for name in _AFTER:
        columns.setdefault(name, _typed(fixed[name], text=name in _TEXT))
    return pd.DataFrame(columns)


def summary(trials: pd.DataFrame, axes: Sequence[str]) -> pd.DataFrame:
    """Return one row a configuration: each number's mean, standard deviation and interval over the seeds.

    `dataset` and `model` come first, then the other axes.

    For a number `m` the columns are `m_mean`, `m_sd` (ddof=1, empty for one seed) and the 95 % t interval of the mean,
    `m_low` to `m_high`. `n` counts the trials behind the means, `failed` those that were tried and left none,
    `interrupted`, `skipped` and `pruned` those without an end, left out by a rule and stopped early, `stale` those made
    by older code; stale trials enter a mean only where the configuration has no others.

    Args:
        trials: from `table`.
        axes: the axes' names; `seed` is left out of the key.
    """
    key = [axis for axis in dict.fromkeys([DATASET, MODEL, *axes]) if axis != SEED and axis in trials.columns]
    known = {*key, SEED, *_BEFORE, *_AFTER}
    numbers = [name for name in trials.columns if name not in known and pd.api.types.is_float_dtype(trials[name])]
    groups: dict[tuple[str, ...], list[int]] = {}
    for place, row in enumerate(trials[key].itertuples(index=False, name=None)):
        groups.setdefault(tuple(_cell_key(value) for value in row), []).append(place)
    firsts = [places[0] for places in groups.values()]
    frame = trials[key].iloc[firsts].reset_index(drop=True)
    rows = [_summarise(trials.iloc[places], numbers) for places in groups.values()]
    return pd.concat([frame, pd.DataFrame(rows, index=frame.index).assign(format=FORMAT)], axis="columns")


def _summarise(group: pd.DataFrame, numbers: Iterable[str]) -> dict[str, float]:
    done = group[group["status"] == Status.DONE]
    fresh = done[~done["stale"].astype(bool)]
    used = fresh if len(fresh) else done
    counted = group["status"].value_counts()
    apart = {name: int(counted.get(name, 0)) for name in (Status.INTERRUPTED, Status.SKIPPED, Status.PRUNED)}
    apart[Status.INTERRUPTED] += int(counted.get(Status.PAUSED, 0))  # the next run goes on with either
    row: dict[str, float] = {"n": len(used), "failed": len(group) - len(done) - sum(apart.values())}
    row |= apart | {"stale": len(done) - len(fresh)}
    for name in numbers:
        # Where some seeds have the number and one has NaN the mean is NaN; where no seed has it, it does not apply.
        values = used[name].to_numpy(dtype=float)
        known: list[float] = [] if np.isnan(values).all() else values.tolist()
        found, interval = spread(known), mean_interval(known)
        row |= {f"{name}_mean": found.mean, f"{name}_sd": found.sd}
        row |= {f"{name}_low": interval.low, f"{name}_high": interval.high}
    return row


def write(trials: pd.DataFrame, configurations: pd.DataFrame, paths: Mapping[str, Path]) -> None:
    """Write the tables, each atomically.

    Args:
        trials: from `table`.
        configurations: from `summary`.
        paths: where to: `table_csv`, `table_parquet`, `summary_csv`.
    """
    write_atomically(paths["table_csv"], csv_text(trials).encode())
    buffer = io.BytesIO()
    trials.to_parquet(buffer, index=False)
    write_atomically(paths["table_parquet"], buffer.getvalue())
    write_atomically(paths["summary_csv"], csv_text(configurations).encode())


def _cell_key(value: Any) -> str:
    return "" if value is None or value is pd.NA or value != value else f"{type(value).__name__} {value}"  # noqa: PLR0124 - NaN


def _text_or_none(value: object) -> str | None:
    return None if value is None else str(value)


def _typed(values: Sequence[Any], *, text: bool = False) -> "pd.Series[Any]":
    """Return a column of one type that survives parquet: a missing whole number must not turn 16 into 16.0."""
    kinds = {type(value) for value in values if value is not None}
    missing = any(value is None for value in values)
    if not text and kinds == {bool}:
        return pd.Series(values, dtype="boolean" if missing else "bool")
    if not text and kinds == {int}:
        return pd.Series(values, dtype="Int64" if missing else "int64")
    if not text and kinds and kinds <= {int, float}:
        return pd.Series([math.nan if value is None else value for value in values], dtype="float64")
    return pd.Series([None if value is None else _plain(value) for value in values], dtype=object)


def _plain(value: Any) -> str:
    text: str = value
    if not isinstance(value, str):
        text = json.dumps(list(value) if isinstance(value, tuple) else value, ensure_ascii=False, default=str)
    return text.encode("utf-8", "backslashreplace").decode()  # parquet holds no half of a surrogate pair
