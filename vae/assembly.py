"""A network, a posterior and labels put together: the encoder to the posterior's parameters, and the decoder."""

from collections.abc import Mapping
from math import prod
from typing import Any

import keras
from keras import ops

from vae.errors import SpecError
from vae.layers import Shape
from vae.networks import LayeredNetwork, Network
from vae.posteriors import Posterior

__all__ = ["assemble"]


def assemble(network: Network, posterior: Posterior, shape: Shape, classes: int) -> tuple[Any, Any]:
    """Return the Keras models (encoder, decoder) of a network.

    The encoder gives a list of the posterior's heads in their order, the decoder an image; all outputs are float32.
    Where the network is conditional, both take a list of two: images or latent vectors, and labels (batch,). To the
    encoder a label is an image of its own, learned from zero on, that is added to the given one; to the decoder it is
    one number a class, of which one is 1, beside the latent vector (Sohn, Lee and Yan, 2015).

    Args:
        network: what is built.
        posterior: whose heads stand on the encoder's features.
        shape: (height, width, channels) of an image.
        classes: of the labels; 0 where there are none.

    Raises:
        SpecError: the network is conditional and there are no labels, or what it built is no encoder and decoder of
            such images.
    """
    if network.conditional and not classes:
        raise SpecError(
            "model.conditional = true needs labels, and the data set has none. Take another data set, or conditional = "
            "false"
        )
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float32" if network.precision == "float32" else f"mixed_{network.precision}")
    try:
        pieces = network.pieces(shape, network.latent_dim + (classes if network.conditional else 0))
        first, features = _features(_next(pieces, network), network, shape, classes)
        encoder = keras.Model(first, _heads(features, network, posterior), name="encoder")
        z, image = _image(_next(pieces, network), network, shape, classes)
        return encoder, keras.Model(z, image, name="decoder")
    finally:
        keras.config.set_dtype_policy(policy)


def _next(pieces: Any, network: Network) -> Any:
    piece = next(pieces, None)
    if not callable(piece):
        raise SpecError(
            f"the network '{network.name}' built {type(piece).__name__}, expected two Keras models, encoder and decoder"
        )
    return piece


def _features(encoder: Any, network: Network, shape: Shape, classes: int) -> tuple[Any, Any]:
    """Return the inputs, and the features that the encoder makes of them."""
    if isinstance(network, LayeredNetwork) and not network.conditional:
        return encoder.input, encoder.output  # as one flat model, which files of every version hold
    image = keras.Input(shape, name="image")
    if not network.conditional:
        return image, _one(encoder(image), network, "encoder")
    label = keras.Input((), dtype="int32", name="label")
    plane = keras.layers.Embedding(classes, prod(shape), embeddings_initializer="zeros", name="label_image")(label)
    features = encoder(image + ops.reshape(plane, (-1, *shape)))
    return [image, label], _one(features, network, "encoder")


def _heads(features: Any, network: Network, posterior: Posterior) -> list[Any]:
    if len(features.shape) != 2:  # noqa: PLR2004 - (batch, features)
        features = keras.layers.Flatten(name="features")(features)
    activation = None if network.latent_activation == "linear" else network.latent_activation
    heads: Mapping[str, int] = posterior.heads(network.latent_dim)
    return [
        keras.layers.Dense(width, activation=activation, name=name, dtype="float32")(features)
        for name, width in heads.items()
    ]


def _image(decoder: Any, network: Network, shape: Shape, classes: int) -> tuple[Any, Any]:
    """Return the inputs, and the image that the decoder makes of them."""
    if isinstance(network, LayeredNetwork) and not network.conditional:
        first, image = decoder.input, decoder.output
    else:
        first = z = keras.Input((network.latent_dim,), name="z")
        if network.conditional:
            label = keras.Input((), dtype="int32", name="label")
            first, z = [z, label], ops.concatenate([z, ops.one_hot(label, classes, dtype=z.dtype)], axis=-1)
        image = _one(decoder(z), network, "decoder")
    if tuple(image.shape[1:]) != tuple(shape):
        raise SpecError(
            f"the network '{network.name}': its decoder makes images of shape {tuple(image.shape[1:])}, expected "
            f"{tuple(shape)}, that of the data. A last layer of keras.layers.Reshape or Cropping2D mends it"
        )
    if keras.backend.standardize_dtype(image.dtype) != "float32":
        image = keras.layers.Activation("linear", dtype="float32", name="to_float32")(image)
    return first, image


def _one(made: Any, network: Network, who: str) -> Any:
    if isinstance(made, list | tuple) and len(made) == 1:
        return made[0]
    if isinstance(made, list | tuple | dict):
        raise SpecError(
            f"the network '{network.name}': its {who} makes {len(made)} tensors, expected one. Mean and variance are "
            "made of the encoder's features by the posterior, not by the network"
        )
    return made
