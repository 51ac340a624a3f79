"""The contract of a feature space."""

from abc import abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from vae.datasets import Data
from vae.parts import Part
from vae.registry import Registry

__all__ = ["FEATURES", "Extract", "FeatureSpace"]

FEATURES: Registry[type["FeatureSpace"]] = Registry("feature space", "vae.features")

Extract = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""Images (n, height, width, channels) in [0, 1] -> their features (n, size)."""


class FeatureSpace(Part):
    """What images are turned into before samples are held against them.

    A distance in one space says nothing about one in another: columns carry the space's name.

    Attributes:
        name: its entry in `FEATURES`.
        version: raised with each change of what comes out.
    """

    registry: ClassVar[Registry[Any] | None] = FEATURES
    version: ClassVar[int] = 1

    name: str

    @abstractmethod
    def fit(self, data: Data) -> Extract:
        """Return the function that gives the features; what it learns, it learns of training images alone."""
