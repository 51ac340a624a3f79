"""Walks and maps of the latent space."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vae.errors import SpecError, unknown_name

__all__ = ["Embedding", "Walk", "embed", "interpolate", "plane", "traverse"]

Embedding = Literal["tsne", "pca", "raw"]
Walk = Literal["linear", "spherical"]
PLANE = 2  # dimensions of a map
FEWEST = 5  # points that a map is made of
PARALLEL = 1e-6  # sine of the angle below which two directions have no one great circle between them

Array = NDArray[np.floating]


def interpolate(start: Array, end: Array, steps: int = 9, path: Walk = "linear") -> NDArray[np.float32]:
    """Return points (steps, ..., latent_dim) from `start` to `end`, both included.

    Linear: z = (1 - a) z1 + a z2 (the paper's equation 2). Spherical: along the great circle between the directions,
    the length going linearly, which keeps to the shell where a Gaussian's mass lies (White, 2016).

    >>> interpolate(np.zeros(2), np.ones(2), steps=3)[:, 0].tolist()
    [0.0, 0.5, 1.0]
    """
    a = np.linspace(0, 1, steps).reshape(-1, *([1] * np.ndim(start)))
    line = (1 - a) * start + a * end
    if path == "linear":
        return line.astype(np.float32)
    length_1, length_2 = (np.linalg.norm(z, axis=-1, keepdims=True) for z in (start, end))
    tiny = np.finfo(np.float32).tiny
    from_, to = start / np.maximum(length_1, tiny), end / np.maximum(length_2, tiny)
    angle = np.arccos(np.clip(np.sum(from_ * to, axis=-1, keepdims=True), -1, 1))
    turn = np.sin(angle)
    straight = turn < PARALLEL  # there the line serves
    arc = (np.sin((1 - a) * angle) * from_ + np.sin(a * angle) * to) / np.where(straight, 1, turn)
    return np.where(straight, line, arc * ((1 - a) * length_1 + a * length_2)).astype(np.float32)


def traverse(z: Array, dimensions: NDArray[np.int64], values: Array) -> NDArray[np.float32]:
    """Return points (dimensions, values, latent_dim): `z` (latent_dim,) with one dimension set to each of the values.

    >>> traverse(np.zeros(2), np.array([1]), np.array([-3.0, 3.0])).tolist()
    [[[0.0, -3.0], [0.0, 3.0]]]
    """
    points = np.tile(np.asarray(z, dtype=np.float32), (len(dimensions), len(values), 1))
    for row, dimension in zip(points, dimensions, strict=True):
        row[:, dimension] = values
    return points


def plane(values: Array) -> NDArray[np.float32]:
    """Return a square grid of points (n, n, 2); the point [i, j] is (values[j], values[i]).

    >>> plane(np.array([0.0, 1.0]))[0, 1].tolist()
    [1.0, 0.0]
    """
    across, up = np.meshgrid(values, values)
    return np.stack([across, up], axis=-1).astype(np.float32)


def embed(z: Array, method: Embedding = "tsne", seed: int = 0) -> NDArray[np.float32]:
    """Return a map (n, 2) of latent vectors (n, latent_dim).

    `tsne` (van der Maaten and Hinton, 2008), `pca`, or `raw`, the plane itself, for two dimensions; latent spaces of
    one or two dimensions are always shown raw, as in the paper's Listing 9.

    Raises:
        SpecError: the method is unknown, or there are fewer than five points to map.
    """
    if method not in ("tsne", "pca", "raw"):
        raise SpecError(unknown_name("embedding", method, ["tsne", "pca", "raw"]))
    z = np.asarray(z, dtype=np.float32)
    if z.shape[1] <= PLANE:
        return np.pad(z, ((0, 0), (0, PLANE - z.shape[1])))
    if method == "raw":
        return z[:, :PLANE]
    if len(z) < FEWEST:
        raise SpecError(f"a map needs at least {FEWEST} points, got {len(z)}")
    from sklearn.decomposition import PCA

    pca = PCA(PLANE, svd_solver="full").fit_transform(z)
    if method == "pca":
        return np.asarray(pca, dtype=np.float32)
    from sklearn.manifold import TSNE

    start = pca / max(float(np.std(pca[:, 0])), 1e-12) * 1e-4
    tsne = TSNE(init=start.astype(np.float32), perplexity=min(30.0, (len(z) - 1) / 3), random_state=seed)
    return np.asarray(tsne.fit_transform(z), dtype=np.float32)
