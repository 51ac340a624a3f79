"""Patches and attention: the decoder attends from every patch of the image to tokens of the code."""

from typing import Any

import keras
from keras import layers, ops

import vaebench as vb

SIDE = 4  # pixels of a patch


@vb.network("attention")
def attention(shape: tuple[int, int, int], latent_dim: int, width: int = 16, heads: int = 2) -> tuple[Any, Any]:
    rows, columns, depth = -(-shape[0] // SIDE), -(-shape[1] // SIDE), shape[2] * SIDE**2
    image = keras.Input(shape)
    x = layers.Conv2D(width, SIDE, SIDE, padding="same")(image)
    x = layers.Reshape((rows * columns, width))(x)
    x = layers.LayerNormalization()(x + layers.MultiHeadAttention(heads, width // heads)(x, x))

    z = keras.Input((latent_dim,))
    tokens = layers.Reshape((4, width))(layers.Dense(4 * width)(z))
    every = ops.zeros_like(z[:, :1], dtype="int32") + ops.arange(rows * columns)
    places = layers.Embedding(rows * columns, width)(every)
    y = layers.LayerNormalization()(places + layers.MultiHeadAttention(heads, width // heads)(places, tokens))
    y = layers.Reshape((rows, columns, SIDE, SIDE, shape[2]))(layers.Dense(depth, activation="sigmoid")(y))
    y = layers.Reshape((rows * SIDE, columns * SIDE, shape[2]))(layers.Permute((1, 3, 2, 4, 5))(y))
    y = layers.Cropping2D(((0, rows * SIDE - shape[0]), (0, columns * SIDE - shape[1])))(y)
    return keras.Model(image, x), keras.Model(z, y)
