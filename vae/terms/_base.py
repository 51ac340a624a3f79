"""The contract of a term, and what it may look at."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

from pydantic import Field

from vae.parts import Part
from vae.registry import Registry

__all__ = ["TERMS", "Outputs", "Term"]

TERMS: Registry[type["Term"]] = Registry("term", "vae.terms")


class Outputs(NamedTuple):
    """What one batch gives to the terms; backend tensors.

    Attributes:
        image: (batch, height, width, channels), in the data's range.
        reconstruction: the same shape.
        z_mean: (batch, latent_dim).
        z_log_var: (batch, latent_dim), or None for a deterministic autoencoder.
        z: (batch, latent_dim), what was decoded.
        bounds: (low, high) of the data's range.
        scalars: the trainable scalars that the terms asked for, by name.
    """

    image: Any
    reconstruction: Any
    z_mean: Any
    z_log_var: Any
    z: Any
    bounds: tuple[float, float]
    scalars: Mapping[str, Any]


class Term(Part):
    """One summand of the loss, with its settings.

    Attributes:
        weight: what it is multiplied by in the sum.
    """

    registry: ClassVar[Registry[Any] | None] = TERMS
    needs_posterior: ClassVar[bool] = False  # left out for deterministic autoencoders

    weight: float = Field(1.0, ge=0)

    @abstractmethod
    def __call__(self, outputs: Outputs) -> Any:
        """Return the term's value for each image, (batch,), unweighted."""

    def weight_at(self, progress: float) -> float:  # noqa: ARG002 - constant unless a term has a schedule
        """Return the weight when `progress` (0 to 1) of the training steps are done."""
        return self.weight

    @property
    def scalars(self) -> tuple[str, ...]:
        """Names of the trainable scalars that the term wants from the model; they start at zero."""
        return ()

    @property
    def scheduled(self) -> bool:
        """Whether the weight changes during training."""
        return False

    def noise_variance(self, kl_weight: float) -> float | None:  # noqa: ARG002 - most terms are no likelihood
        """Return the variance that makes the term, beside a weighted KL term, a Gaussian likelihood of the pixels.

        Args:
            kl_weight: the KL term's weight.

        Returns:
            The variance in the data's range, squared; None for a term that is no such likelihood, or learns its own.
        """
        return None

    def check(self, data_range: str, output: str) -> None:
        """Refuse a data range or an output activation that the term cannot work with.

        Raises:
            SpecError: naming both and what would fit.
        """
