"""The contract of a prior p(z)."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from vae.parts import Part
from vae.registry import Registry

__all__ = ["PRIORS", "Bound", "Prior"]

PRIORS: Registry[type["Prior"]] = Registry("prior", "vae.priors")

SCALE_DRAWS = 4096  # from which the prior's width is estimated


class Prior(Part):
    """p(z): where the codes of images are expected to lie.

    Attributes:
        name: its entry in `PRIORS`.
    """

    registry: ClassVar[Registry[Any] | None] = PRIORS
    unit_normal: ClassVar[bool] = False  # it is N(0, I), of which formulas are known

    name: str

    def build(self, latent_dim: int) -> Any:  # noqa: ARG002 - most train nothing
        """Return a Keras layer with what trains, which belongs to one model; None where nothing does."""
        return None

    @abstractmethod
    def log_prob(self, z: Any, own: Any) -> Any:
        """Return log p(z) in nats, (batch,), of backend tensors (batch, latent_dim), with `keras.ops`.

        Args:
            z: the points.
            own: the layer that `build` made for this model, built by then.
        """

    @abstractmethod
    def sample(self, rng: np.random.Generator, n: int, latent_dim: int, own: Any) -> NDArray[np.float32]:
        """Return n draws (n, latent_dim), made of the generator's numbers alone, in NumPy."""


@dataclass(frozen=True)
class Bound:
    """The prior of one model.

    Attributes:
        part: its settings.
        latent_dim: number of latent dimensions.
        own: the layer that `Prior.build` made for this model.
    """

    part: Prior
    latent_dim: int
    own: Any = None

    def log_prob(self, z: Any) -> Any:
        """Return log p(z), (batch,), in nats."""
        return self.part.log_prob(z, self.own)

    def sample(self, rng: np.random.Generator, n: int) -> NDArray[np.float32]:
        """Return n draws (n, latent_dim)."""
        return np.asarray(self.part.sample(rng, n, self.latent_dim, self.own), dtype=np.float32)

    @property
    def scale(self) -> float:
        """Root mean square of its draws: 1 for N(0, I)."""
        if self.part.unit_normal:
            return 1.0
        draws = self.sample(np.random.default_rng(0), SCALE_DRAWS).astype(np.float64)
        return float(np.sqrt(np.mean(draws**2)))
