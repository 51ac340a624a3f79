"""The contract of a network: an encoder and a decoder in plain Keras."""

from abc import abstractmethod
from collections.abc import Callable, Iterator
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, create_model

from vae.layers import Shape
from vae.parts import Added, Part
from vae.registry import Registry
from vae.signature import fields_of, takes

__all__ = ["NETWORKS", "Activation", "Network", "network"]

NETWORKS: Registry[type["Network"]] = Registry("model", "vae.networks")

Activation = Literal["sigmoid", "tanh", "linear"]


class Network(Part):
    """An encoder from an image to features, and a decoder from the latent space to an image.

    The parameters of the posterior are made of the features by the posterior (`vae.posteriors`), with one dense layer
    each; labels are brought in from outside where `conditional` is set, whatever the network.

    Attributes:
        name: its entry in `NETWORKS`.
        latent_dim: number of latent dimensions.
        output: activation of the last layer, which must reach the data's range.
        precision: of the arithmetic inside: `float32`, or `bfloat16` with weights, latent heads, loss and optimizer
            still in float32 (Micikevicius et al., 2018, for the mixture; Kalamkar et al., 2019, for the format).
        conditional: whether encoder and decoder know the image's class (Sohn, Lee and Yan, 2015).
    """

    registry: ClassVar[Registry[Any] | None] = NETWORKS
    deterministic: ClassVar[bool] = False  # an autoencoder: no posterior variance, no sampling, no KL term
    latent_activation: ClassVar[Literal["linear", "relu"]] = "linear"

    name: str
    latent_dim: int = Field(16, ge=1)
    output: Activation = "sigmoid"
    precision: Literal["float32", "bfloat16"] = "float32"
    conditional: Annotated[bool, Added(before=False)] = False

    @abstractmethod
    def build(self, shape: Shape, latent: int) -> tuple[Any, Any]:
        """Return the Keras models (encoder, decoder).

        Args:
            shape: (height, width, channels) of an image.
            latent: numbers that the decoder is given: `latent_dim`, and of a conditional model one a class beside it.

        Returns:
            The encoder makes features of images (batch, height, width, channels): (batch, features), or of any other
            shape, which is then flattened. The decoder makes images of exactly `shape` of (batch, latent). Either may
            be a functional model, a `Sequential`, a subclassed model or a layer.
        """

    def pieces(self, shape: Shape, latent: int) -> Iterator[Any]:
        """Yield the encoder, then the decoder; the heads are made between the two."""
        yield from self.build(shape, latent)

    @property
    def reestimated(self) -> bool:
        """Whether the statistics of batch normalisation are re-estimated on training images after training."""
        return True


class _FunctionNetwork(Network):
    """A network that a decorated function builds."""

    function: ClassVar[Callable[..., tuple[Any, Any]]]

    def build(self, shape: Shape, latent: int) -> tuple[Any, Any]:
        """Return what the function does."""
        function = type(self).function
        known = {"shape": shape, "latent_dim": latent, "output": self.output}
        own = type(self).model_fields.keys() - Network.model_fields.keys()
        settings = {name: getattr(self, name) for name in own}
        return function(**{name: value for name, value in known.items() if takes(function, name)}, **settings)


def network(name: str, *, output: Activation = "sigmoid") -> Callable[[Callable[..., tuple[Any, Any]]], type[Network]]:
    """Register a function `(shape, latent_dim, **settings) -> (encoder, decoder)` as the network `name`.

    >>> @network("two_layers")                                                          # doctest: +SKIP
    ... def two_layers(shape, latent_dim, width: int = 256):
    ...     encoder = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(width, "relu")])
    ...     decoder = keras.Sequential([keras.layers.Dense(math.prod(shape), "sigmoid"), keras.layers.Reshape(shape)])
    ...     return encoder, decoder

    Its other arguments, each with a default, are the network's settings: `model.width = 512` in a study.

    Args:
        name: as studies call it.
        output: what the decoder's last activation is, unless a study says otherwise; given to the function where it
            has an argument of that name.
    """

    def wrap(function: Callable[..., tuple[Any, Any]]) -> type[Network]:
        fields: dict[str, Any] = fields_of(function, ("shape", "latent_dim", "output"))
        fields |= {"name": (Literal[name], name), "output": (Activation, output)}
        made = create_model(
            function.__name__,
            __base__=_FunctionNetwork,
            __module__=function.__module__,
            __doc__=function.__doc__,
            **fields,
        )
        made.function = staticmethod(function)
        return NETWORKS.register(name)(made)

    return wrap
