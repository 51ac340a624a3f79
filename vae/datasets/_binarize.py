"""Images in black and white: a threshold, or draws with each pixel's brightness as the chance that it is white."""

from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vae.datasets._arrays import Split

__all__ = ["Binarize", "binarized", "drawn"]

Binarize = Literal["dynamic", "static"] | float

WHITE = 255
ROWS = 5_000  # images at a time, which bounds the memory


def binarized(split: Split, how: Binarize, purpose: str) -> Split:
    """Return the images of a split with each value 0 or 255.

    A threshold makes white what is above it, in [0, 1]. Else each value is drawn, white with a chance of x / 255
    (Salakhutdinov and Murray, 2008), by a generator of this purpose alone: the same draw whenever and wherever.
    """
    if isinstance(how, float):
        return replace(split, images=np.where(split.images > how * WHITE, WHITE, 0).astype(np.uint8))
    rng = np.random.default_rng(list(f"binarized {purpose}".encode()))
    return replace(split, images=drawn(split.images, rng))


def drawn(images: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return one draw of images: each value 255 with a chance of x / 255, else 0."""
    found = np.empty(images.shape, np.uint8)
    for at in range(0, len(images), ROWS):
        part = images[at : at + ROWS]
        found[at : at + ROWS] = (rng.random(part.shape, dtype=np.float32) * WHITE < part) * np.uint8(WHITE)
    return found
