"""The diagonal Gaussian of Kingma and Welling (2014)."""

from collections.abc import Mapping
from math import log, pi
from typing import Any, Literal

from vae.posteriors._base import POSTERIORS, Posterior
from vae.priors import Prior

__all__ = ["LOG_VARIANCE_BOUNDS", "Gaussian"]

LOG_VARIANCE_BOUNDS = (-20.0, 10.0)  # exp stays finite, and a variance of e-20 is already exact to float32


@POSTERIORS.register("gaussian")
class Gaussian(Posterior):
    """q(z|x) = N(m, diag(s^2)), with m and log s^2 linear in the features; z = m + s * noise."""

    name: Literal["gaussian"] = "gaussian"

    def heads(self, latent_dim: int) -> Mapping[str, int]:
        """Return mean and log-variance."""
        return {"z_mean": latent_dim, "z_log_var": latent_dim}

    def parameters(self, heads: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return them with the log-variance in [-20, 10]."""
        from keras import ops

        return {"z_mean": heads["z_mean"], "z_log_var": ops.clip(heads["z_log_var"], *LOG_VARIANCE_BOUNDS)}

    def mean(self, values: Mapping[str, Any], own: Any) -> Any:  # noqa: ARG002
        """Return m."""
        return values["z_mean"]

    def sample(self, values: Mapping[str, Any], noise: Any, own: Any) -> Any:  # noqa: ARG002
        """Return m + s * noise."""
        from keras import ops

        return values["z_mean"] + ops.exp(0.5 * values["z_log_var"]) * noise

    def log_prob(self, values: Mapping[str, Any], z: Any, own: Any) -> Any:  # noqa: ARG002
        """Return -1/2 sum (log 2 pi + log s^2 + (z - m)^2 / s^2)."""
        from keras import ops

        mean, log_var = values["z_mean"], values["z_log_var"]
        return -0.5 * ops.sum(log(2 * pi) + log_var + ops.square(z - mean) * ops.exp(-log_var), axis=-1)

    def kl(self, values: Mapping[str, Any], prior: Prior, xp: Any) -> Any:
        """Return -1/2 (1 + log s^2 - m^2 - s^2) against N(0, I); None against any other prior."""
        if not prior.unit_normal:
            return None
        mean, log_var = values["z_mean"], values["z_log_var"]
        return -0.5 * (1 + log_var - xp.square(mean) - xp.exp(log_var))

    def variance(self, values: Mapping[str, Any], xp: Any) -> Any:
        """Return s^2."""
        return xp.exp(values["z_log_var"])
