"""Rows of images laid out as one picture, with words at its sides, above it and under single images."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ablations.report.style import drawable, styled

__all__ = ["MOST_COLUMNS", "Row", "as_rgb", "mosaic"]

MOST_COLUMNS = 12
"""Images in a row, at most."""

_FINE = 64  # pixels of the longer side from which images are laid out as they are
_INCHES = 7.4  # width of the widest grid of images
_LETTER = 0.075  # inches a letter of the labels takes
_NOTE = 0.15  # inches a line under images takes
_WIDEST = 0.8  # inches an image takes at most
_GREY = "#2e2e2e"  # without a tint: a page of grey images stays one of grey levels, and small


@dataclass(frozen=True)
class Row:
    """Images side by side.

    Attributes:
        images: (n, height, width, 3).
        left: words to their left.
        right: and to their right.
        gap: leave more space above.
        notes: a few letters under each image.
    """

    images: NDArray[np.uint8]
    left: str
    right: str = ""
    gap: bool = False
    notes: tuple[str, ...] = ()


def as_rgb(images: NDArray[Any]) -> NDArray[np.uint8]:
    """Return (n, h, w, c) images as (n, h, w, 3): one channel is grey, of more than three the first three are taken."""
    images = np.asarray(images, dtype=np.uint8)
    if images.ndim == 3:  # noqa: PLR2004 - without a channel axis
        images = images[..., None]
    channels = images.shape[-1]
    return images[..., :3] if channels >= 3 else np.repeat(images[..., :1], 3, axis=-1)  # noqa: PLR2004 - red, green, blue


def mosaic(rows: Sequence[Row], heads: Sequence[str] = ()) -> Figure:
    """Lay rows of images out, all of one size, with `heads` above the columns."""
    height, width = rows[0].images.shape[1:3]
    scale = max(math.ceil(_FINE / max(height, width)), 1)  # small images: thinner gaps than a pixel of theirs
    rows = [replace(row, images=row.images.repeat(scale, axis=1).repeat(scale, axis=2)) for row in rows]
    height, width = rows[0].images.shape[1:3]
    across = max(len(row.images) for row in rows)
    line = max(round(0.05 * width), 1)
    margins = _margin([row.left for row in rows], 30), _margin([row.right for row in rows], 18)
    inches = min(_INCHES - sum(margins), _WIDEST * across)
    note = math.ceil(_NOTE * across * (width + line) / inches)
    tops: list[int] = []
    bottom = 0
    for row in rows:
        bottom += 3 * line if row.gap else 0
        tops.append(bottom)
        bottom += height + (note if row.notes else line)
    canvas = np.full((bottom - (0 if rows[-1].notes else line), across * (width + line) - line, 3), 255, dtype=np.uint8)
    for row, top in zip(rows, tops, strict=True):
        for place, image in enumerate(row.images):
            left = place * (width + line)
            canvas[top : top + height, left : left + width] = image
    with styled():
        figure, axes = _framed(canvas, inches, margins, [drawable(head, 14) for head in heads])
        step = width + line
        for row, top in zip(rows, tops, strict=True):
            _label(axes, row, (top, step), (height, width))
        for place, head in enumerate(heads):
            _head(axes, drawable(head, 14), place * step + width / 2, slanted=_slanted(heads), above=0.12 * height)
    return figure


def _margin(words: Sequence[str], limit: int) -> float:
    return max(len(drawable(word, limit)) for word in words) * _LETTER + 0.15


def _slanted(heads: Sequence[str]) -> bool:
    return max((len(drawable(head, 14)) for head in heads), default=0) > 7  # noqa: PLR2004 - what fits over one image


def _framed(
    canvas: NDArray[np.uint8], wide: float, margins: tuple[float, float], heads: Sequence[str]
) -> tuple[Figure, Axes]:
    slanted = _slanted(heads)
    above = (max(map(len, heads)) * _LETTER * 0.75 + 0.15 if slanted else 0.25) if heads else 0.05
    high = wide * canvas.shape[0] / canvas.shape[1]
    slant = 0.7 * above if slanted else 0.0
    whole = (margins[0] + wide + max(margins[1], slant), above + high + 0.05)
    figure = Figure(figsize=whole)
    FigureCanvasAgg(figure)
    axes = figure.add_axes((margins[0] / whole[0], 0.05 / whole[1], wide / whole[0], high / whole[1]))
    axes.imshow(canvas, interpolation="nearest", aspect="auto")
    axes.set_axis_off()
    return figure, axes


def _label(axes: Axes, row: Row, at: tuple[int, int], size: tuple[int, int]) -> None:
    (top, step), (height, width) = at, size
    right = axes.get_xlim()[1] + 0.5
    middle = top + height / 2 - 0.5
    axes.text(-0.012 * right, middle, drawable(row.left, 30), ha="right", va="center", color=_GREY)
    axes.text(1.012 * right, middle, drawable(row.right, 18), ha="left", va="center", color=_GREY)
    for place, note in enumerate(row.notes):
        x = place * step + width / 2 - 0.5
        axes.text(x, top + height + 1, drawable(note, 10), ha="center", va="top", color=_GREY, fontsize=7)


def _head(axes: Axes, name: str, x: float, *, slanted: bool, above: float) -> None:
    side, angle = ("left", 40) if slanted else ("center", 0)
    axes.text(x, -above, name, ha=side, va="bottom", rotation=angle, fontsize=8, color=_GREY)
