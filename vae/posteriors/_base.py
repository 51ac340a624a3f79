"""The contract of a posterior q(z|x), and its divergence from a prior."""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar

from vae.parts import Part
from vae.priors import PRIORS, Bound, Prior
from vae.registry import Registry

__all__ = ["POSTERIORS", "Given", "Posterior", "divergence", "usual_posterior", "usual_prior"]

POSTERIORS: Registry[type["Posterior"]] = Registry("posterior", "vae.posteriors")


class Posterior(Part):
    """q(z|x): a family of distributions, whose parameters are made of the encoder's features.

    Each parameter that `heads` names is one dense layer over the features; what else trains is made by `build`. All
    functions take backend tensors, and are written with `keras.ops`.

    Attributes:
        name: its entry in `POSTERIORS`.
    """

    registry: ClassVar[Registry[Any] | None] = POSTERIORS
    deterministic: ClassVar[bool] = False  # a point: there is nothing to draw, and no divergence from a prior

    name: str

    @abstractmethod
    def heads(self, latent_dim: int) -> Mapping[str, int]:
        """Return the name and the width of each parameter; the first is what an activation of the network's acts on."""

    def build(self, latent_dim: int) -> Any:  # noqa: ARG002 - most have nothing beside the heads
        """Return a Keras layer with what else trains, which belongs to one model; None where there is nothing."""
        return None

    def parameters(self, heads: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the parameters made of the heads' raw values, such as a variance kept within bounds."""
        return heads

    @abstractmethod
    def mean(self, values: Mapping[str, Any], own: Any) -> Any:
        """Return the point (batch, latent_dim) that stands for an image where nothing is drawn."""

    @abstractmethod
    def sample(self, values: Mapping[str, Any], noise: Any, own: Any) -> Any:
        """Return draws (batch, latent_dim) by reparametrisation of standard normal noise of the same shape."""

    def log_prob(self, values: Mapping[str, Any], z: Any, own: Any) -> Any:
        """Return log q(z|x) in nats, (batch,), of draws z (batch, latent_dim).

        Raises:
            NotImplementedError: the family has no density, as that of a point.
        """
        raise NotImplementedError(f"the posterior '{self.name}' has no density")

    def kl(self, values: Mapping[str, Any], prior: Prior, xp: Any) -> Any:  # noqa: ARG002
        """Return KL(q(z|x) || p(z)) of each latent dimension in nats, (batch, latent_dim), by a formula.

        Args:
            values: the parameters.
            prior: p(z), by its settings.
            xp: `keras.ops` in the loss, `numpy` in the metrics.

        Returns:
            None where the pair knows no formula: the divergence is then estimated from a draw.
        """
        return None

    def variance(self, values: Mapping[str, Any], xp: Any) -> Any:  # noqa: ARG002
        """Return the variance of each latent dimension, (batch, latent_dim); None where it is not known."""
        return None


def usual_posterior(deterministic: bool) -> Posterior:
    """Return the posterior of a network for which none is chosen: a Gaussian, or the point of an autoencoder."""
    name = "deterministic" if deterministic else "gaussian"
    found: Posterior = _plain(POSTERIORS[name], name)
    return found


def usual_prior(posterior: Posterior) -> Prior | None:
    """Return the prior of a posterior for which none is chosen; None of a point, which needs none."""
    return None if posterior.deterministic else _plain(PRIORS["standard"], "standard")


@cache
def _plain(part: Any, name: str) -> Any:
    """Return a part without settings, the same object for each of the thousands of runs that have it."""
    return part.shared({"name": name}, "")


@dataclass(frozen=True)
class Given:
    """The posterior of a batch of images.

    Attributes:
        part: the family.
        values: its parameters, name -> (batch, width).
        own: the layer that `Posterior.build` made for this model.
    """

    part: Posterior
    values: Mapping[str, Any]
    own: Any = None

    @property
    def mean(self) -> Any:
        """The point (batch, latent_dim) that stands for each image."""
        return self.part.mean(self.values, self.own)

    def sample(self, noise: Any) -> Any:
        """Return draws (batch, latent_dim) made of standard normal noise of that shape."""
        return self.part.sample(self.values, noise, self.own)

    def log_prob(self, z: Any) -> Any:
        """Return log q(z|x), (batch,), in nats."""
        return self.part.log_prob(self.values, z, self.own)

    def kl(self, prior: Bound, xp: Any) -> Any:
        """Return the divergence of each dimension (batch, latent_dim) where the pair has a formula, else None."""
        return self.part.kl(self.values, prior.part, xp)


def divergence(posterior: Given, prior: Bound, z: Any) -> Any:
    """Return KL(q(z|x) || p(z)) in nats, (batch,): by formula, else the estimate log q(z|x) - log p(z) of the draw z.

    The estimate is unbiased for a draw of q, and may be negative for one image (Kingma and Welling, 2014).
    """
    from keras import ops

    known = posterior.kl(prior, ops)
    if known is not None:
        return ops.sum(known, axis=-1)
    return posterior.log_prob(z) - prior.log_prob(z)
