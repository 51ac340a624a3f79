"""Figures of a study: each takes data and returns a drawing with its words, or says why it is left out."""

from collections.abc import Callable, Iterator
from functools import partial

from ablations.configurations import Grid
from ablations.figures._style import Drawn, LeftOut, Loaders
from ablations.figures.curves import against_latent, training_curves
from ablations.figures.maps import latent_maps
from ablations.figures.pictures import interpolations, reconstructions, samples
from ablations.figures.search import search_figures
from ablations.figures.tradeoffs import error_against_time, rate_distortion
from ablations.quantities import MAIN
from ablations.searched import Search
from vae.latent import Embedding, Walk

__all__ = [
    "Drawn",
    "LeftOut",
    "Loaders",
    "against_latent",
    "draw",
    "error_against_time",
    "interpolations",
    "latent_maps",
    "rate_distortion",
    "reconstructions",
    "samples",
    "training_curves",
]


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
    if search is not None:
        yield from search_figures(search)
    for dataset in grid.datasets:
        figures: list[Callable[[], Drawn | LeftOut]] = [partial(against_latent, grid, dataset, name) for name in MAIN]
        figures += [partial(rate_distortion, grid, dataset), partial(error_against_time, grid, dataset)]
        figures += [partial(reconstructions, grid, dataset, loaders)]
        figures += [partial(interpolations, grid, dataset, loaders, path)]
        figures += [partial(samples, grid, dataset, loaders)]
        figures += [partial(latent_maps, grid, dataset, loaders, embedding)]
        figures += [partial(training_curves, grid, dataset, loaders)]
        for figure in figures:
            yield figure()
