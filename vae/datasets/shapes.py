"""Shapes drawn from known factors: what a disentangled code would have to find."""

import math
from functools import cache, partial

import numpy as np
from numpy.typing import NDArray

from vae.datasets._arrays import Decoded, Opened, Split
from vae.datasets._base import DATASETS, Dataset, DataSpec
from vae.datasets._official import sha256
from vae.datasets._select import split_indices

__all__ = ["FACTORS", "Shapes"]

FACTORS = {"shape": 3, "size": 4, "turn": 6, "across": 8, "down": 8}
"""Factor -> how many values it has; every combination is one image."""
SIDE, FINE = 16, 4  # pixels, and points along each side of one, over which its grey is averaged
NAMES = ("square", "ellipse", "triangle")
_SMALLEST, _LARGEST = 2.2, 4.0  # radius of a shape, in pixels
_MARGIN = 4.5  # of the centres from the edge


@DATASETS.register("shapes")
class Shapes(Dataset):
    """White squares, ellipses and triangles on black, 16 x 16: 4,608 images, one of each combination of five factors.

    In the manner of dSprites (Matthey et al., 2017), small enough to train on in seconds. The class is the shape; the
    split is random, by `split_seed`.
    """

    title = "Shapes"
    licence = "CC0 1.0"
    source = "drawn by vaebench, in the manner of Matthey et al., dSprites, 2017"

    def open(self, spec: DataSpec, *, download: bool = True) -> Opened:  # noqa: ARG002
        """Draw them; see `Dataset.open`."""
        images, factors = _drawn()
        train, test = split_indices(len(images), spec.test_fraction, spec.split_seed, factors[:, 0])
        return Opened(
            where="drawn",
            content=sha256(images.tobytes() + factors.tobytes()),
            decode=partial(_split, train, test),
            settings={"test_fraction": spec.test_fraction, "split_seed": spec.split_seed},
            counts=(len(train), len(test)),
            shape=(SIDE, SIDE, 1),
            cached=False,
        )


def _split(train: NDArray[np.int64], test: NDArray[np.int64]) -> Decoded:
    images, factors = _drawn()
    sides = [Split(images[part], factors[part, 0], factors[part]) for part in (train, test)]
    return Decoded(sides[0], sides[1], NAMES, factor_names=tuple(FACTORS))


@cache
def _drawn() -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return all images, and the factors' values (n, 5) of each, read-only."""
    grid = np.meshgrid(*(np.arange(count) for count in FACTORS.values()), indexing="ij")
    factors = np.stack([values.ravel() for values in grid], axis=1).astype(np.int64)
    points = (np.arange(SIDE * FINE) + 0.5) / FINE
    images = np.empty((len(factors), SIDE, SIDE, 1), np.uint8)
    for place, (kind, size, turn, across, down) in enumerate(factors):
        radius = _SMALLEST + (_LARGEST - _SMALLEST) * size / (FACTORS["size"] - 1)
        angle = math.pi / 2 * turn / FACTORS["turn"]  # a square repeats after a quarter
        x, y = (_MARGIN + (SIDE - 2 * _MARGIN) * one / (FACTORS["across"] - 1) for one in (across, down))
        inside = _inside(int(kind), points - x, points[:, None] - y, radius, angle)
        shares = inside.reshape(SIDE, FINE, SIDE, FINE).mean(axis=(1, 3))
        images[place, :, :, 0] = np.rint(255 * shares)
    images.flags.writeable = factors.flags.writeable = False  # shared by every caller
    return images, factors


def _inside(
    kind: int, x: NDArray[np.float64], y: NDArray[np.float64], radius: float, angle: float
) -> NDArray[np.bool_]:
    u, v = math.cos(angle) * x + math.sin(angle) * y, math.cos(angle) * y - math.sin(angle) * x
    if kind == 0:
        return np.maximum(np.abs(u), np.abs(v)) < radius * 0.8
    if kind == 1:
        return (u / radius) ** 2 + (v / (0.5 * radius)) ** 2 < 1
    below = v < 0.5 * radius
    return below & (math.sqrt(3) * np.abs(u) < v + radius)
