"""How every figure looks: one palette that colour-blind readers can tell apart, one type size, no state left behind."""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import matplotlib as mpl
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.axis import Axis, XAxis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import LogLocator, NullLocator, StrMethodFormatter

from ablations.analysis.grid import Grid
from ablations.text.numbers import shorten

__all__ = [
    "GREY",
    "INK",
    "MARKERS",
    "PALETTE",
    "Canvas",
    "End",
    "drawable",
    "label_ends",
    "log_scale",
    "models_of",
    "new_figure",
    "palette",
    "styled",
]

PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#8C7A00")
"""Okabe and Ito's colours (2008); their yellow is darkened, since a thin line of it is lost on white."""

GREY = "#5f6673"
INK = "#2b2f36"
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<")
_END_SIZE = 8.0
_UNKNOWN = "\N{REPLACEMENT CHARACTER}"
_STYLE: Mapping[str, Any] = {
    "axes.edgecolor": "#9aa1ac",
    "axes.grid": True,
    "axes.labelcolor": INK,
    "axes.labelsize": 9,
    "axes.linewidth": 0.8,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "figure.facecolor": "white",
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "grid.color": "#e6e8ec",
    "grid.linewidth": 0.7,
    "legend.fontsize": 8.5,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "lines.markersize": 5,
    "pdf.fonttype": 42,
    "savefig.facecolor": "white",
    "svg.fonttype": "path",  # the same letters on a machine that lacks the font
    "svg.hashsalt": "vaebench",
    "text.parse_math": False,  # a class may be called $x$
    "xtick.color": "#4a505a",
    "xtick.labelsize": 8.5,
    "ytick.color": "#4a505a",
    "ytick.labelsize": 8.5,
}


Canvas = tuple[Figure, list[Axes]]
End = tuple[float, float, str, str]
"""Where a line ends (x, y), its name and its colour."""


@contextmanager
def styled() -> Iterator[None]:
    """Draw with Matplotlib's defaults and the project's settings, and leave the caller's as they were.

    Whatever a `matplotlibrc` says, a study has the same figures everywhere.
    """
    # Matplotlib types its settings by name, newer versions only; its backend is the caller's matter.
    defaults: Any = mpl.rcParamsDefault
    with mpl.rc_context({name: value for name, value in defaults.items() if name != "backend"} | dict(_STYLE)):
        yield


def new_figure(panels: int, *, columns: int = 3, size: tuple[float, float] = (3.0, 2.6), share: bool = True) -> Canvas:
    """Return a figure with so many axes in a grid; `size` is one panel's in inches."""
    across = min(panels, columns)
    down = math.ceil(panels / across)
    layout = ConstrainedLayoutEngine(w_pad=0.07, h_pad=0.07)
    figure = Figure(figsize=(max(size[0] * across + 0.4, 5.2), size[1] * down + 0.4), layout=layout)
    FigureCanvasAgg(figure)
    grid = figure.subplots(down, across, squeeze=False, sharex=share, sharey=share)
    every = list(grid.flat)
    for unused in every[panels:]:
        unused.remove()
    for axes in every[:panels]:  # each panel can be read by itself, also above an empty place
        axes.tick_params(labelbottom=True)
    return figure, every[:panels]


def drawable(text: str, limit: int = 28) -> str:
    """Return text that the figures' font can draw: short, on one line, unknown characters marked."""
    return "".join(char if ord(char) in _drawable() else _UNKNOWN for char in shorten(text, limit))


@lru_cache(maxsize=1)
def _drawable() -> frozenset[int]:
    path = font_manager.findfont("DejaVu Sans")
    return frozenset(font_manager.get_font(path).get_charmap())


def palette(names: Sequence[str]) -> dict[str, str]:
    """Give each name a colour, the same in every figure that is handed the same names."""
    return {name: PALETTE[place % len(PALETTE)] for place, name in enumerate(names)}


def log_scale(axis: Axis) -> None:
    """Make an axis logarithmic with plain numbers at its ticks (text such as $10^2$ is not parsed here)."""
    if isinstance(axis, XAxis):
        axis.axes.set_xscale("log")
    else:
        axis.axes.set_yscale("log")
    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(StrMethodFormatter("{x:g}"))


def label_ends(axes: Axes, ends: Sequence[End]) -> None:
    """Write each line's name beside its last point, moved apart where names would overlap."""
    axes.figure.draw_without_rendering()  # type: ignore[union-attr]
    height = 1.25 * _END_SIZE * axes.figure.dpi / 72
    taken = -math.inf
    right = max((x for x, *_ in ends), default=0.0)
    for x, y, name, colour in sorted(ends, key=lambda end: end[1]):
        at = float(axes.transData.transform((x, y))[1])
        level = max(at, taken + height)
        taken = level
        axes.annotate(
            name,
            (right, y),
            xytext=(7, (level - at) * 72 / axes.figure.dpi),
            textcoords="offset points",
            ha="left",
            va="center",
            fontsize=_END_SIZE,
            color=colour,
        )


def models_of(grid: Grid) -> dict[str, str]:
    """Give each model of the study its colour."""
    return palette(list(dict.fromkeys(one.model for one in grid.configurations)))
