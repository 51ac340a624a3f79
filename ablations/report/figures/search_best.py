"""How fast a search got better."""

from collections.abc import Iterator

import numpy as np

from ablations.report.drawn import Drawn, LeftOut
from ablations.report.figures._base import Shown, figure
from ablations.report.style import PALETTE, drawable, log_scale, new_figure, styled
from ablations.text.columns import quantity
from ablations.text.numbers import count

__all__ = ["search_best"]

_WIDE = 20.0


@figure("search_best", order=20, whole=True)
def search_best(shown: Shown) -> Iterator[Drawn | LeftOut]:
    """Draw each score and the best so far, over proposals and over seconds of work."""
    search = shown.search
    if search is None or search.tune.pareto:
        return
    title = "Best so far"
    known = search.scored
    best = search.best
    if best is None:
        yield LeftOut(title, "no proposal has a score")
        return
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
            axes.set_ylabel(drawable(search.score_label, 40))
            if values.min() > 0 and values.max() / values.min() > _WIDE:
                log_scale(axes.yaxis)
        bottom = panels[0].get_xaxis_transform()
        for entry in failed:
            panels[0].plot(entry.proposal.number + 1, 0.02, "x", color=PALETTE[1], transform=bottom)
        figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    crosses = f" Crosses at the bottom: {count(len(failed), 'proposal')} without a score." if failed else ""
    yield Drawn(
        "search-best",
        title,
        "Score of each proposal, and the best so far; seconds are summed over the trials, as one worker would take."
        f"{crosses}",
        f"From {values[0]:.4g} at the first proposal to {running[-1]:.4g}, found at proposal "
        f"{best.proposal.number + 1} of {len(search.entries)}.",
        figure,
    )
