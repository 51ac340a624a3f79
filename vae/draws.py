"""Noise that is a function of what it is for: the same in each run, each model and on each machine."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["drawn_noise", "generator"]


def generator(purpose: str) -> np.random.Generator:
    """Return NumPy's generator of a purpose, whose numbers no other purpose has."""
    return np.random.default_rng(list(purpose.encode()))


def drawn_noise(purpose: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Return standard normal numbers; those of fewer rows begin as those of more do."""
    return generator(purpose).standard_normal(shape, dtype=np.float32)
