"""The front of two metrics that a search found."""

from collections.abc import Iterator

import numpy as np

from ablations.report.drawn import Drawn, LeftOut
from ablations.report.figures._base import Shown, figure
from ablations.report.style import GREY, PALETTE, drawable, log_scale, new_figure, styled
from ablations.text.columns import quantity
from ablations.text.numbers import count

__all__ = ["search_front"]

_WIDE = 20.0
_FEWEST = 2


@figure("search_front", order=10, whole=True)
def search_front(shown: Shown) -> Iterator[Drawn | LeftOut]:
    """Draw two metrics against one another, a point a proposal, with the front."""
    search = shown.search
    if search is None or not search.tune.pareto:
        return
    title = "The front that the search found"
    if len(search.scored) < _FEWEST:
        yield LeftOut(title, f"{count(len(search.scored), 'proposal')} with both metrics: there is nothing to trade")
        return
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
            text = drawable(search.label(entry, short=True), 44)
            right = x > (points[:, 0].min() + points[:, 0].max()) / 2  # it must not leave the axes
            side, offset = ("right", -5) if right else ("left", 5)
            axes.annotate(text, (x, y), xytext=(offset, 4), textcoords="offset points", fontsize=7, color=GREY, ha=side)
        axes.margins(0.12)
    places = zip(line, search.front, strict=True)
    told = "; ".join(f"{search.label(entry)} ({x:.4g}, {y:.4g})" for (x, y), entry in places)
    yield Drawn(
        "search-front",
        title,
        f"{quantity(across).label} against {quantity(up).label} of each proposal, means over the seeds. On the line: "
        "proposals that no other beats in both.",
        f"{count(len(points), 'proposal')}; on the front {told}.",
        figure,
    )
