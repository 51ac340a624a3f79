"""The standard normal prior."""

from math import log, pi
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from vae.priors._base import PRIORS, Prior

__all__ = ["Standard"]


@PRIORS.register("standard")
class Standard(Prior):
    """p(z) = N(0, I)."""

    unit_normal: ClassVar[bool] = True

    name: Literal["standard"] = "standard"

    def log_prob(self, z: Any, own: Any) -> Any:  # noqa: ARG002
        """Return -1/2 sum (log 2 pi + z^2)."""
        from keras import ops

        return -0.5 * ops.sum(log(2 * pi) + ops.square(z), axis=-1)

    def sample(self, rng: np.random.Generator, n: int, latent_dim: int, own: Any) -> NDArray[np.float32]:  # noqa: ARG002
        """Return standard normal numbers."""
        return rng.standard_normal((n, latent_dim), dtype=np.float32)
