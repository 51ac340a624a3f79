"""A part of the page for each trial: its settings, curve, pictures, all digits, and the command that repeats it."""

import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ablations.analysis.grid import Grid, ranked
from ablations.records.record import SEED, Record, measured
from ablations.records.status import Status
from ablations.report.loaders import Loaders
from ablations.report.sprites import Sprite, sprite
from ablations.report.tables.view import Cell, Column, TableView
from ablations.study.settings import flatten
from ablations.text.columns import order, quantity
from ablations.text.numbers import ABSENT, clean, count, setting, value_text

__all__ = ["Curve", "Line", "Part", "Parts", "linked", "trial_parts"]

_PICTURES_OF_ALL = 60  # trials up to which each has pictures
_MOST = 300  # trials up to which each has a part
_PICTURE_LETTERS = 6_000_000  # of all parts' pictures together, as the page holds them
_ACROSS = 10  # pictures in a row
_DIGEST = 8  # letters that tell trials apart: those at the end of the folder's name
_WIDTH, _HEIGHT = 240, 72  # of a curve, in its own units
_POINTS = 120  # of a curve: more than its width can show
_LOG_RATIO = 20.0
_CURVES = (("loss", "training"), ("val_loss", "validation"))
_ROWS = (("examples", "test images"), ("reconstructions", "their reconstructions"), ("samples", "samples of the prior"))


@dataclass(frozen=True)
class Line:
    """One line of a curve.

    Attributes:
        name: training or validation.
        points: as SVG's polyline takes them.
    """

    name: str
    points: str


@dataclass(frozen=True)
class Curve:
    """The weighted loss over the epochs.

    Attributes:
        lines: one or two.
        text: first, last and lowest value, in words.
        width: of the drawing.
        height: of the drawing.
    """

    lines: tuple[Line, ...]
    text: str
    width: int = _WIDTH
    height: int = _HEIGHT


@dataclass(frozen=True)
class Part:
    """One trial in full.

    Attributes:
        anchor: the part's id in the page.
        title: the settings that tell it from others, in words.
        status: done, or what else.
        reason: why it is not done; "" where it is.
        settings: (field of the spec, value) where trials of this study differ.
        digest: of the spec and the data's checksum.
        folder: under the study's results.
        command: what trains it again.
        headline: the main metric in short; "" where it has none.
        numbers: (heading, value with all digits) of each metric and timing.
        curve: None where no history was kept.
        pictures: None where there are none, or the page holds enough.
        alt: what the pictures show.
    """

    anchor: str
    title: str
    status: str
    reason: str
    settings: tuple[tuple[str, str], ...]
    digest: str
    folder: str
    command: str
    headline: str
    numbers: tuple[tuple[str, str], ...]
    curve: Curve | None = None
    pictures: Sprite | None = None
    alt: str = ""


@dataclass(frozen=True)
class Parts:
    """The parts of a study's trials, and what is not among them.

    Attributes:
        items: a trial each.
        note: which trials or pictures are left out and where they lie; "" where nothing is.
    """

    items: tuple[Part, ...]
    note: str = ""


def trial_parts(grid: Grid, records: Sequence[Record], loaders: Loaders, results: str) -> Parts:
    """Return a part for each trial, or where there are too many, for the median seed of the best configurations.

    Args:
        grid: the configurations.
        records: the trials'.
        loaders: how to get at curves and pictures.
        results: the study's folder, as the command that repeats a trial names it.
    """
    tried = [record for record in records if record.trial]
    known = [one for one in grid.configurations if one.trials]
    medians = [one.representative(grid.main).trial for one in (*ranked(known, grid.main), *known)]
    chosen = set(list(dict.fromkeys(medians))[:_MOST]) if len(tried) > _MOST else {record.trial for record in tried}
    pictured = set(medians) if len(tried) > _PICTURES_OF_ALL else chosen
    differing = _differing(tried)
    items: list[Part] = []
    left, dropped = _PICTURE_LETTERS, False
    for record in (record for record in tried if record.trial in chosen):
        part = _part(grid, record, loaders.history(record), (differing, results))
        made, alt = _pictures(loaders.arrays(record)) if record.trial in pictured and left > 0 else (None, "")
        dropped |= record.trial in pictured and left <= 0
        left -= len(made.uri) if made else 0
        items.append(replace(part, pictures=made, alt=alt))
    note = _note(grid.main, len(tried), len(items), some_pictured=not chosen <= pictured or dropped)
    return Parts(tuple(items), f"{note} {clean(results)}/trials/." if note else "")


def linked(view: TableView, records: Sequence[Record], parts: Parts) -> TableView:
    """Return the table of trials with a first column that names each in short and links to its part, if it has one."""
    known = {part.anchor for part in parts.items}
    rows = []
    for row, record in zip(view.rows, records, strict=True):
        anchor = _anchor(record)
        text = clean(record.digest[:_DIGEST] or record.trial) or ABSENT
        rows.append((Cell(text, text, link=f"#{anchor}" if anchor in known else ""), *row))
    columns = [replace(column, label="folder") if column.key == "trial" else column for column in view.columns]
    return replace(view, columns=(Column("id", "trial", numeric=False), *columns), rows=tuple(rows))


def _anchor(record: Record) -> str:
    return "trial-" + re.sub(r"[^A-Za-z0-9._-]+", "-", record.trial)


def _note(main: str, tried: int, shown: int, *, some_pictured: bool) -> str:
    what = quantity(main)
    if shown < tried:
        return (
            f"{count(tried, 'trial')} are too many for one page: here is the one with the median {what.word} of each "
            f"of {count(shown, 'configuration')}, the {what.best} {what.word} first chosen. Records, curves and "
            "pictures of the others lie in"
        )
    if some_pictured:
        return (
            f"Pictures are shown of each configuration's trial with the median {what.word}; those of the others lie in"
        )
    return ""


def _differing(records: Sequence[Record]) -> dict[str, None]:
    """Return the fields of the spec that are not the same in all trials."""
    values: dict[str, set[str]] = {}
    for record in records:
        for key, value in flatten(record.spec).items():
            values.setdefault(key, set()).add(value_text(value))
    return dict.fromkeys(key for key, found in values.items() if len(found) > 1)


def _part(grid: Grid, record: Record, history: pd.DataFrame, study: tuple[Iterable[str], str]) -> Part:
    differing, results = study
    flat = flatten(record.spec)
    axes = [*(["dataset"] if len(grid.datasets) > 1 else []), *grid.varying, SEED]
    known = [axis for axis in axes if record.axes.get(axis) is not None]
    numbers = measured(record)
    folder = f"trials/{record.trial}"
    main = numbers.get(grid.main)
    return Part(
        anchor=_anchor(record),
        title=clean(", ".join(setting(axis, record.axes[axis]) for axis in known)) or clean(record.trial),
        status=record.status,
        reason=clean(record.reason or ""),
        settings=tuple((clean(key), clean(value_text(flat[key]))) for key in differing if key in flat),
        digest=clean(record.digest),
        folder=clean(folder),
        command=clean(shlex.join(["vaebench", "rerun", f"{results}/{folder}"])) if record.status == Status.DONE else "",
        headline="" if main is None else f"{quantity(grid.main).label} {grid.formats.number(grid.main, main)}",
        numbers=tuple((quantity(name).heading, repr(numbers[name]).removesuffix(".0")) for name in order(set(numbers))),
        curve=_curve(history),
    )


def _curve(history: pd.DataFrame) -> Curve | None:
    """Draw training and validation loss; logarithmic where the highest is more than 20 times the lowest."""
    series: Mapping[str, NDArray[Any]] = {
        name: history[column].to_numpy(float)
        for column, name in _CURVES
        if column in history and np.isfinite(history[column]).any()
    }
    if not series:
        return None
    every = np.concatenate(list(series.values()))
    every = every[np.isfinite(every)]
    low, high = float(every.min()), float(every.max())
    log = low > 0 and high / low > _LOG_RATIO
    told = [_told(name, values) for name, values in series.items()]
    lines = tuple(Line(name, _points(values, (low, high), log=log)) for name, values in series.items())
    scale = ", drawn on a logarithmic scale" if log else ""
    epochs = count(len(history), "epoch")
    return Curve(lines, f"Weighted loss over {epochs}, from {low:.4g} to {high:.4g}{scale}. {' '.join(told)}")


def _told(name: str, values: NDArray[Any]) -> str:
    known = np.flatnonzero(np.isfinite(values))
    lowest = int(known[np.argmin(values[known])])
    return (
        f"{name.capitalize()}: first {values[known[0]]:.4g}, last {values[known[-1]]:.4g}, "
        f"lowest {values[lowest]:.4g} in epoch {lowest + 1}."
    )


def _points(values: NDArray[Any], bounds: tuple[float, float], *, log: bool) -> str:
    places = np.unique(np.linspace(0, len(values) - 1, min(len(values), _POINTS)).round().astype(int))
    places = places[np.isfinite(values[places])]
    scaled = np.log(values[places]) if log else values[places]
    low, high = np.log(bounds) if log else bounds
    across = places / max(len(values) - 1, 1) * (_WIDTH - 4) + 2
    down = (high - scaled) / ((high - low) or 1.0) * (_HEIGHT - 6) + 3
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(across, down, strict=True))


def _pictures(arrays: Mapping[str, NDArray[Any]]) -> tuple[Sprite | None, str]:
    """Return the first pictures of each kind, a row each, and what the rows are."""
    rows = [(arrays[name][:_ACROSS], words) for name, words in _ROWS if len(arrays.get(name, ()))]
    if not rows:
        return None, ""
    across = min(len(pictures) for pictures, _ in rows)
    made = sprite(np.stack([pictures[:across] for pictures, _ in rows]))
    return made, f"{across} pictures in a row; from top to bottom: {', '.join(words for _, words in rows)}."
