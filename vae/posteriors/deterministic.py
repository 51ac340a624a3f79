"""A point in place of a distribution: what makes a plain autoencoder of any network."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from vae.posteriors._base import POSTERIORS, Posterior

__all__ = ["Deterministic"]


@POSTERIORS.register("deterministic")
class Deterministic(Posterior):
    """z = m, linear in the features: no draw, no density, and so no term that needs either."""

    deterministic: ClassVar[bool] = True

    name: Literal["deterministic"] = "deterministic"

    def heads(self, latent_dim: int) -> Mapping[str, int]:
        """Return the point."""
        return {"z_mean": latent_dim}

    def mean(self, values: Mapping[str, Any], own: Any) -> Any:  # noqa: ARG002
        """Return the point."""
        return values["z_mean"]

    def sample(self, values: Mapping[str, Any], noise: Any, own: Any) -> Any:  # noqa: ARG002
        """Return the point, whatever the noise."""
        return values["z_mean"]
