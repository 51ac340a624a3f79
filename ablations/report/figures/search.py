"""Figures of a search: how fast it got better, where it looked, which axes matter, and the front of two metrics."""

from collections.abc import Iterator, Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize

from ablations.report.drawn import Drawn, LeftOut
from ablations.report.style import GREY, PALETTE, log_scale, new_figure, shown, styled
from ablations.search.found import Entry, Search, coordinates
from ablations.text.columns import axis_label, quantity
from ablations.text.numbers import clean, count, value_text

__all__ = ["axis_importance", "best_so_far", "parallel_coordinates", "search_figures", "search_front"]

_MOST_TICKS = 9
_MOST_AXES = 10
_WIDE = 20.0
_FEWEST = 2


def search_figures(search: Search) -> Iterator[Drawn | LeftOut]:
    """Draw all figures of a search."""
    yield search_front(search) if search.tune.pareto else best_so_far(search)
    yield parallel_coordinates(search)
    yield axis_importance(search)


def best_so_far(search: Search) -> Drawn | LeftOut:
    """Draw each score and the best so far, over proposals and over seconds of work."""
    title = "Best so far"
    known = search.scored
    best = search.best
    if best is None:
        return LeftOut(title, "no proposal has a score")
    values = np.array([search.shown(entry) for entry in known])
    higher = isinstance(search.tune.objective, str) and quantity(search.tune.objective).better == "higher"
    running = (np.maximum if higher else np.minimum).accumulate(values)
    numbers = [entry.proposal.number for entry in search.entries]
    elapsed = dict(zip(numbers, np.cumsum([entry.seconds for entry in search.entries]), strict=True))
    own = [entry.proposal.number for entry in known]
    places: list[list[float]] = [[number + 1 for number in own], [float(elapsed[number]) for number in own]]
    failed = [entry for entry in search.entries if not entry.scored]
    with styled():
        figure, panels = new_figure(2, columns=2, size=(3.4, 2.8), share=False)
        labels = "proposals", "seconds of training and evaluation"
        for axes, across, label in zip(panels, places, labels, strict=True):
            axes.plot(across, values, "o", color=PALETTE[5], markersize=4, label="a proposal")
            axes.step(across, running, where="post", color=PALETTE[0], label="best so far")
            axes.set_xlabel(label)
            axes.set_ylabel(shown(search.score_label, 40))
            if values.min() > 0 and values.max() / values.min() > _WIDE:
                log_scale(axes.yaxis)
        bottom = panels[0].get_xaxis_transform()
        for entry in failed:
            panels[0].plot(entry.proposal.number + 1, 0.02, "x", color=PALETTE[1], transform=bottom)
        figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    crosses = f" Crosses at the bottom: {count(len(failed), 'proposal')} without a score." if failed else ""
    return Drawn(
        "search-best",
        title,
        "Score of each proposal, and the best so far; seconds are summed over the trials, as one worker would take."
        f"{crosses}",
        f"From {values[0]:.4g} at the first proposal to {running[-1]:.4g}, found at proposal "
        f"{best.proposal.number + 1} of {len(search.entries)}.",
        figure,
    )


def search_front(search: Search) -> Drawn | LeftOut:
    """Draw two metrics against one another, a point a proposal, with the front."""
    title = "The front that the search found"
    if len(search.scored) < _FEWEST:
        return LeftOut(title, f"{count(len(search.scored), 'proposal')} with both metrics: there is nothing to trade")
    across, up = search.tune.names
    points = np.array([[entry.result.metrics[name] for name in (across, up)] for entry in search.scored])
    line = np.array([[entry.result.metrics[name] for name in (across, up)] for entry in search.front])
    with styled():
        figure, (axes,) = new_figure(1, size=(6.2, 3.6))
        axes.plot(points[:, 0], points[:, 1], "o", color=PALETTE[5], markersize=4.5)
        axes.plot(line[:, 0], line[:, 1], "o-", color=PALETTE[0], linewidth=1.2)
        for axis, values in ((axes.xaxis, points[:, 0]), (axes.yaxis, points[:, 1])):
            if values.min() > 0 and values.max() / values.min() > _WIDE:
                log_scale(axis)
        axes.set_xlabel(quantity(across).heading)
        axes.set_ylabel(quantity(up).heading)
        for (x, y), entry in list(zip(line, search.front, strict=True))[:: max(len(line) // 6, 1)]:
            text = shown(search.label(entry, short=True), 44)
            right = x > (points[:, 0].min() + points[:, 0].max()) / 2  # it must not leave the axes
            side, offset = ("right", -5) if right else ("left", 5)
            axes.annotate(text, (x, y), xytext=(offset, 4), textcoords="offset points", fontsize=7, color=GREY, ha=side)
        axes.margins(0.12)
    places = zip(line, search.front, strict=True)
    told = "; ".join(f"{search.label(entry)} ({x:.4g}, {y:.4g})" for (x, y), entry in places)
    return Drawn(
        "search-front",
        title,
        f"{quantity(across).label} against {quantity(up).label} of each proposal, means over the seeds. On the line: "
        "proposals that no other beats in both.",
        f"{count(len(points), 'proposal')}; on the front {told}.",
        figure,
    )


def parallel_coordinates(search: Search) -> Drawn | LeftOut:
    """Draw each proposal as a line across the axes, its colour the score; the best on top."""
    title = "Where the search looked"
    known = search.scored
    if len(known) < _FEWEST or not search.axes:
        axes_ = count(len(search.axes), "axis", "axes")
        return LeftOut(title, f"{count(len(known), 'proposal')} with a score over {axes_}: there is nothing to compare")
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
        axes.set_xticks(range(len(names)), [shown(axis_label(name)) for name in names])
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
    return Drawn(
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

    signs = {name: -1.0 if quantity(name).better == "higher" else 1.0 for name in search.tune.names}
    ranks = [rankdata([signs[name] * entry.result.metrics[name] for entry in known]) for name in search.tune.names]
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
            shown(text, 18),
            (at, height),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=7.5,
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 0.6},
        )


def axis_importance(search: Search) -> Drawn | LeftOut:
    """Draw how much each axis matters to the score."""
    title = "Which axes matter"
    found = search.importance
    if isinstance(found, str):
        return LeftOut(title, found)
    names = sorted(found.drops, key=lambda axis: found.drops[axis])
    drops, spreads = ([of[name] for name in names] for of in (found.drops, found.spreads))
    with styled():
        figure, (axes,) = new_figure(1, size=(5.4, max(0.34 * len(names) + 0.7, 1.5)))
        axes.barh(range(len(names)), drops, xerr=spreads, color=PALETTE[0], height=0.6, error_kw={"elinewidth": 0.9})
        axes.set_yticks(range(len(names)), [shown(axis_label(name)) for name in names])
        axes.grid(visible=False, axis="y")
        axes.set_xlabel("drop of R² when the axis is shuffled")
    told = ", ".join(f"{name} {found.drops[name]:.3f}" for name in reversed(names))
    return Drawn(
        "search-importance",
        title,
        f"Permutation importance of a random forest fitted to {count(found.n, 'proposal')}, with standard deviations "
        f"over the shuffles. The forest's R² on proposals that a tree had not seen is {found.r2:.2f}: near 0 or below, "
        "the bars say nothing.",
        f"{told}.",
        figure,
    )
