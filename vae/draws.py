"""Noise that is a function of what it is for: the same in each run, each model and on each machine."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["drawn_noise"]


def drawn_noise(purpose: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Return standard normal numbers that no other purpose has; those of fewer rows begin as those of more do."""
    return np.random.default_rng(list(purpose.encode())).standard_normal(shape, dtype=np.float32)
