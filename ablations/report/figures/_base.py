"""What a figure is: a function of what is shown, which draws or says why it can't."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ablations.analysis.grid import Grid
from ablations.report.drawn import Drawn, LeftOut
from ablations.report.loaders import Loaders
from ablations.search.found import Search
from vae.latent import Embedding, Walk
from vae.registry import Registry

__all__ = ["FIGURES", "Figure", "Shown", "figure"]


@dataclass(frozen=True)
class Shown:
    """What a figure may look at.

    Attributes:
        grid: the configurations of all data sets, and the metrics that the study's question is answered by.
        dataset: the one that the figure is of; "" for a figure of the study as a whole.
        loaders: how to get at curves and pictures.
        embedding: `tsne` or `pca`, for latent maps of more than two dimensions.
        path: of interpolations, `linear` or `spherical`.
        search: what was proposed, where the study was searched.
    """

    grid: Grid
    dataset: str
    loaders: Loaders
    embedding: Embedding = "tsne"
    path: Walk = "linear"
    search: Search | None = None


Draw = Callable[[Shown], Iterator[Drawn | LeftOut]]


@dataclass(frozen=True)
class Figure:
    """One kind of figure.

    Attributes:
        name: names it.
        order: its place in the report, the lowest first.
        draw: gives as many drawings as there are, each with its words, or the reason why one is left out.
        whole: it is of the study as a whole, and stands before those of each data set.
    """

    name: str
    order: int
    draw: Draw
    whole: bool = False


FIGURES: Registry[Figure] = Registry("figure", "ablations.report.figures")


def figure(name: str, *, order: int, whole: bool = False) -> Callable[[Draw], Figure]:
    """Register the decorated function as the figure `name`; see `Figure`."""

    def wrap(draw: Draw) -> Figure:
        return FIGURES.register(name)(Figure(name, order, draw, whole))

    return wrap
