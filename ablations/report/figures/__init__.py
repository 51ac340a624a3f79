"""Figures of a study, one file each: a figure looks at what is shown and draws it, or says why it is left out."""

from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import replace

from ablations.analysis.grid import Grid
from ablations.records.record import Record
from ablations.report.drawn import Drawn, LeftOut
from ablations.report.figures._base import FIGURES, Figure, Shown, figure
from ablations.report.loaders import Arrays, Loaders
from ablations.search.found import Search
from vae.latent import Embedding, Walk

__all__ = ["FIGURES", "Drawn", "Figure", "LeftOut", "Shown", "draw", "figure"]

_KEPT = 16  # trials whose arrays are held at once


def draw(
    grid: Grid,
    loaders: Loaders,
    *,
    embedding: Embedding = "tsne",
    path: Walk = "linear",
    search: Search | None = None,
) -> Iterator[Drawn | LeftOut]:
    """Draw every figure of a study: those of the study as a whole, then the others data set by data set.

    Args:
        grid: the configurations.
        loaders: how to get at curves and pictures.
        embedding: `tsne` or `pca`, for latent maps of more than two dimensions.
        path: of interpolations, `linear` or `spherical`.
        search: what was proposed, where the study was searched.
    """
    loaders = replace(loaders, arrays=_remembering(loaders.arrays))
    every = sorted(FIGURES.values(), key=lambda one: (one.order, one.name))
    for dataset in ("", *grid.datasets):
        shown = Shown(grid, dataset, loaders, embedding, path, search)
        for one in every:
            if one.whole == (dataset == ""):
                yield from one.draw(shown)


def _remembering(
    arrays: Callable[[Record], Arrays],
) -> Callable[[Record], Arrays]:
    """Return `arrays` with the last few answers kept: many figures show the same few trials."""
    kept: OrderedDict[str, Arrays] = OrderedDict()

    def remembered(record: Record) -> Arrays:
        if record.trial not in kept:
            kept[record.trial] = arrays(record)
        kept.move_to_end(record.trial)
        while len(kept) > _KEPT:
            kept.popitem(last=False)
        return kept[record.trial]

    return remembered
