"""Where a search looked."""

from collections.abc import Iterator, Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize

from ablations.report.drawn import Drawn, LeftOut
from ablations.report.figures._base import Shown, figure
from ablations.report.style import GREY, PALETTE, drawable, new_figure, styled
from ablations.search.found import Entry, Search, coordinates
from ablations.text.columns import axis_label, directed
from ablations.text.numbers import clean, count, value_text

__all__ = ["search_axes"]

_MOST_TICKS = 9
_MOST_AXES = 10
_FEWEST = 2


@figure("search_axes", order=30, whole=True)
def search_axes(shown: Shown) -> Iterator[Drawn | LeftOut]:
    """Draw each proposal as a line across the axes, its colour the score; the best on top."""
    search = shown.search
    if search is None:
        return
    title = "Where the search looked"
    known = search.scored
    if len(known) < _FEWEST or not search.axes:
        axes_ = count(len(search.axes), "axis", "axes")
        yield LeftOut(title, f"{count(len(known), 'proposal')} with a score over {axes_}: there is nothing to compare")
        return
    names = list(search.axes)[:_MOST_AXES]
    costs = _costs(search, known)
    order = np.argsort(-costs, kind="stable")
    places = {name: coordinates(search, name, known) for name in names}
    scale = Normalize(0, max(len(known) - 1, 1))
    ranks = np.empty(len(known))
    ranks[order] = np.arange(len(known))[::-1]
    colours = colormaps["viridis_r"]
    with styled():
        figure, (axes,) = new_figure(1, size=(max(1.5 * len(names), 5.6), 3.4))
        for place in order:
            heights = [_height(places[name], place) for name in names]
            first = ranks[place] == 0
            colour = PALETTE[1] if first else colours(scale(ranks[place]))
            axes.plot(
                range(len(names)), heights, color=colour, linewidth=2.4 if first else 1.4, alpha=1 if first else 0.6
            )
        for at, name in enumerate(names):
            axes.axvline(at, color=GREY, linewidth=0.8)
            _ticks(axes, search, name, at, places[name])
        axes.set_xticks(range(len(names)), [drawable(axis_label(name)) for name in names])
        axes.set_yticks([])
        axes.grid(visible=False)
        axes.spines["left"].set_visible(False)
        axes.spines["bottom"].set_visible(False)
        axes.set_xlim(-0.15, len(names) - 0.55)
        bar = figure.colorbar(ScalarMappable(scale, colours), ax=axes, ticks=[0, len(known) - 1], pad=0.02)
        bar.ax.set_yticklabels(["best", "worst"])
        bar.ax.invert_yaxis()
    best = known[int(np.argmin(costs))]
    more = f" Of {len(search.axes)} axes the first {_MOST_AXES} are shown." if len(search.axes) > _MOST_AXES else ""
    by = "by the sum of its ranks in the two metrics" if search.tune.pareto else f"by {search.score_label}"
    yield Drawn(
        "search-axes",
        title,
        f"Each line is a proposal, its colour the rank {clean(by)}; the best is drawn thick.{more}",
        f"{count(len(known), 'proposal')} across {', '.join(names)}; the best has {search.label(best)}.",
        figure,
    )


def _costs(search: Search, known: Sequence[Entry]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return what ranks the entries: the score, or the sum of the two metrics' ranks, low is better."""
    if not search.tune.pareto:
        return np.array([entry.result.score for entry in known], dtype=float)
    from scipy.stats import rankdata

    costs = [[directed(name) * entry.result.metrics[name] for entry in known] for name in search.tune.names]
    ranks = [rankdata(values) for values in costs]
    return np.asarray(np.sum(ranks, axis=0), dtype=np.float64)


def _height(values: np.ndarray[tuple[int], np.dtype[np.float64]], place: int) -> float:
    low, high = values.min(), values.max()
    return 0.5 if high == low else float((values[place] - low) / (high - low))


def _ticks(
    axes: Axes, search: Search, name: str, at: int, values: np.ndarray[tuple[int], np.dtype[np.float64]]
) -> None:
    """Write values beside an axis: each choice of a list, the ends and the middle of a range."""
    low, high = values.min(), values.max()
    if name in search.ranges:
        marks = sorted({low, (low + high) / 2, high})
        plain = [10**mark if search.ranges[name].log else mark for mark in marks]
        texts = [f"{round(number)}" if search.ranges[name].whole else f"{number:.3g}" for number in plain]
    else:
        marks = sorted(set(values))[:: max(len(set(values)) // _MOST_TICKS, 1)]
        texts = [value_text(search.axes[name][int(mark)]) for mark in marks]
    for mark, text in zip(marks, texts, strict=True):
        height = 0.5 if high == low else (mark - low) / (high - low)
        axes.annotate(
            drawable(text, 18),
            (at, height),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=7.5,
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 0.6},
        )
