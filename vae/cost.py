"""What a model costs: its parameters, and the operations of one image."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from vae.layers import Dense, Shape
from vae.networks import LayeredNetwork, Network
from vae.posteriors import Posterior, usual_posterior
from vae.priors import Prior

if TYPE_CHECKING:
    from vae.model import VAE

__all__ = ["Cost", "cost", "cost_of_model", "is_described"]


@dataclass(frozen=True)
class Cost:
    """Trainable parameters, and the floating-point operations of one image through encoder and decoder.

    A multiplication and an addition count as two operations; a training step costs about three times as much.

    Attributes:
        parameters: of network, posterior and prior.
        flops_per_image: None where something could not be counted.
        uncounted: its names.
    """

    parameters: int
    flops_per_image: int | None
    uncounted: tuple[str, ...] = ()


def is_described(network: Network, posterior: Posterior, prior: Prior | None) -> bool:
    """Tell whether all of a model is described by layers, so that nothing need be built to know what it costs."""
    plain = type(posterior).build is Posterior.build and (prior is None or type(prior).build is Prior.build)
    return isinstance(network, LayeredNetwork) and not network.conditional and plain


def cost(
    network: Network, shape: Shape, posterior: Posterior | None = None, prior: Prior | None = None, classes: int = 0
) -> Cost:
    """Return what a model costs: by its description where it has one, else by building and running it once.

    Args:
        network: it.
        shape: (height, width, channels) of an image.
        posterior: on the network's features; the network's own default without one.
        prior: of the latent space.
        classes: of a conditional network.

    Raises:
        SpecError: the network can't be built for such images.
    """
    posterior = posterior or usual_posterior(network.deterministic)
    if is_described(network, posterior, prior) and isinstance(network, LayeredNetwork):
        return _described(network, shape, posterior)
    from vae.model import VAE

    height, width, channels = shape
    return cost_of_model(VAE(network, {}, (height, width, channels), posterior=posterior, prior=prior, classes=classes))


def cost_of_model(model: "VAE") -> Cost:
    """Return what a built model costs."""
    network = model.network
    if is_described(network, model.posterior, model.prior) and isinstance(network, LayeredNetwork):
        return _described(network, model.shape, model.posterior)
    from vae.counting import operations

    flops, uncounted = operations(model.one_image, model)
    return Cost(model.parameters, None if uncounted else flops, uncounted)


def _described(network: LayeredNetwork, shape: Shape, posterior: Posterior) -> Cost:
    parameters = flops = 0
    here: Shape = shape
    for layer in network.encoder_layers(shape):
        parameters, flops = parameters + layer.parameters(here), flops + layer.flops(here)
        here = layer.shape(here)
    for width in posterior.heads(network.latent_dim).values():
        head = Dense(width)
        parameters, flops = parameters + head.parameters(here), flops + head.flops(here)
    here = (network.latent_dim,)
    for layer in network.decoder_layers(shape):
        parameters, flops = parameters + layer.parameters(here), flops + layer.flops(here)
        here = layer.shape(here)
    return Cost(parameters, flops)
