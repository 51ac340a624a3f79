"""Figures of a study: each takes data and returns a drawing with its words, or says why it is left out."""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from numpy.typing import NDArray

from ablations.analysis.grid import Grid
from ablations.records.record import Record
from ablations.report.drawn import Drawn, LeftOut
from ablations.report.figures.axes import against_axis, varying_axes
from ablations.report.figures.bars import error_by_class, kl_by_dimension
from ablations.report.figures.curves import against_latent, training_curves
from ablations.report.figures.heat import heat_map, heat_pairs
from ablations.report.figures.inspection import extremes, latent_plane, nearest_training_images, traversals
from ablations.report.figures.maps import latent_maps
from ablations.report.figures.pictures import interpolations, reconstructions, samples
from ablations.report.figures.search import search_figures
from ablations.report.figures.tradeoffs import error_against_time, rate_distortion
from ablations.report.loaders import Loaders
from ablations.search.found import Search
from ablations.text.columns import MAIN
from vae.latent import Embedding, Walk

__all__ = [
    "Drawn",
    "LeftOut",
    "Loaders",
    "against_axis",
    "against_latent",
    "draw",
    "error_against_time",
    "error_by_class",
    "extremes",
    "heat_map",
    "heat_pairs",
    "interpolations",
    "kl_by_dimension",
    "latent_maps",
    "latent_plane",
    "nearest_training_images",
    "rate_distortion",
    "reconstructions",
    "samples",
    "training_curves",
    "traversals",
    "varying_axes",
]

_KEPT = 16  # trials whose arrays are held at once


def draw(
    grid: Grid,
    loaders: Loaders,
    *,
    embedding: Embedding = "tsne",
    path: Walk = "linear",
    search: Search | None = None,
) -> Iterator[Drawn | LeftOut]:
    """Draw every figure of a study, data set by data set.

    Args:
        grid: the configurations.
        loaders: how to get at curves and pictures.
        embedding: `tsne` or `pca`, for latent maps of more than two dimensions.
        path: of interpolations, `linear` or `spherical`.
        search: what was proposed, where the study was searched; its figures come first.
    """
    loaders = replace(loaders, arrays=_remembering(loaders.arrays))
    if search is not None:
        yield from search_figures(search)
    for dataset in grid.datasets:
        figures: list[Callable[[], Drawn | LeftOut]] = [partial(against_latent, grid, dataset, name) for name in MAIN]
        figures += [partial(against_axis, grid, dataset, axis) for axis in varying_axes(grid, dataset)]
        pairs: Sequence[tuple[str, str] | None] = heat_pairs(grid, dataset) or [None]
        figures += [partial(heat_map, grid, dataset, pair) for pair in pairs]
        figures += [partial(rate_distortion, grid, dataset), partial(error_against_time, grid, dataset)]
        of_arrays: list[Callable[[Grid, str, Loaders], Drawn | LeftOut]] = [
            reconstructions,
            extremes,
            error_by_class,
            partial(interpolations, path=path),
            traversals,
        ]
        of_arrays += [latent_plane, partial(latent_maps, embedding=embedding), kl_by_dimension]
        of_arrays += [samples, nearest_training_images, training_curves]
        figures += [partial(figure, grid, dataset, loaders) for figure in of_arrays]
        for figure in figures:
            yield figure()


def _remembering(
    arrays: Callable[[Record], Mapping[str, NDArray[Any]]],
) -> Callable[[Record], Mapping[str, NDArray[Any]]]:
    """Return `arrays` with the last few answers kept: many figures show the same few trials."""
    kept: OrderedDict[str, Mapping[str, NDArray[Any]]] = OrderedDict()

    def remembered(record: Record) -> Mapping[str, NDArray[Any]]:
        if record.trial not in kept:
            kept[record.trial] = arrays(record)
        kept.move_to_end(record.trial)
        while len(kept) > _KEPT:
            kept.popitem(last=False)
        return kept[record.trial]

    return remembered
