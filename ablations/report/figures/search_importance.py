"""Which axes of a search matter."""

from collections.abc import Iterator

from ablations.report.drawn import Drawn, LeftOut
from ablations.report.figures._base import Shown, figure
from ablations.report.style import PALETTE, drawable, new_figure, styled
from ablations.text.columns import axis_label
from ablations.text.numbers import count

__all__ = ["search_importance"]


@figure("search_importance", order=40, whole=True)
def search_importance(shown: Shown) -> Iterator[Drawn | LeftOut]:
    """Draw how much each axis matters to the score."""
    search = shown.search
    if search is None:
        return
    title = "Which axes matter"
    found = search.importance
    if isinstance(found, str):
        yield LeftOut(title, found)
        return
    names = sorted(found.drops, key=lambda axis: found.drops[axis])
    drops, spreads = ([of[name] for name in names] for of in (found.drops, found.spreads))
    with styled():
        figure, (axes,) = new_figure(1, size=(5.4, max(0.34 * len(names) + 0.7, 1.5)))
        axes.barh(range(len(names)), drops, xerr=spreads, color=PALETTE[0], height=0.6, error_kw={"elinewidth": 0.9})
        axes.set_yticks(range(len(names)), [drawable(axis_label(name)) for name in names])
        axes.grid(visible=False, axis="y")
        axes.set_xlabel("drop of R² when the axis is shuffled")
    told = ", ".join(f"{name} {found.drops[name]:.3f}" for name in reversed(names))
    yield Drawn(
        "search-importance",
        title,
        f"Permutation importance of a random forest fitted to {count(found.n, 'proposal')}, with standard deviations "
        f"over the shuffles. The forest's R² on proposals that a tree had not seen is {found.r2:.2f}: near 0 or below, "
        "the bars say nothing.",
        f"{told}.",
        figure,
    )
