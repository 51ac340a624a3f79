"""A functional ResNet with group normalisation, as a function of its shape."""

from typing import Any

import keras
from keras import layers

import vaebench as vb


def block(x: Any, filters: int, groups: int) -> Any:
    y = layers.GroupNormalization(groups)(x)
    y = layers.Conv2D(filters, 3, padding="same", activation="swish")(y)
    y = layers.Conv2D(filters, 3, padding="same", kernel_regularizer=keras.regularizers.L2(1e-4))(y)
    return layers.Add()([layers.Conv2D(filters, 1)(x) if x.shape[-1] != filters else x, y])


@vb.network("resnet")
def resnet(shape: tuple[int, int, int], latent_dim: int, width: int = 8, groups: int = 4) -> tuple[Any, Any]:
    image = keras.Input(shape)
    x = block(layers.Conv2D(width, 3, 2, padding="same")(image), width, groups)
    x = layers.Flatten()(block(layers.Conv2D(2 * width, 3, 2, padding="same")(x), 2 * width, groups))

    z = keras.Input((latent_dim,))
    small = (-(-shape[0] // 4), -(-shape[1] // 4), 2 * width)
    y = layers.Reshape(small)(layers.Dense(small[0] * small[1] * small[2])(z))
    y = layers.UpSampling2D()(block(y, 2 * width, groups))
    y = layers.Conv2D(shape[2], 3, padding="same", activation="sigmoid")(layers.UpSampling2D()(block(y, width, groups)))
    y = layers.Cropping2D(((0, small[0] * 4 - shape[0]), (0, small[1] * 4 - shape[1])))(y)
    return keras.Model(image, x), keras.Model(z, y)
