"""Features of a convolutional network that was never trained."""

from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from vae.datasets import Data, as_float, spread_over
from vae.features._base import FEATURES, Extract, FeatureSpace

__all__ = ["RandomNetwork", "weights"]

SEED = 20_201_119
FITTED = 2_000  # training images of which mean and deviation are taken
FILTERS = (32, 64, 64)
SIZE = 3  # of a filter
SLOPE = 0.2
BATCH = 500


@FEATURES.register("random")
class RandomNetwork(FeatureSpace):
    """64 channels of three convolutions of stride 2 with random weights, averaged over the image.

    Untrained features suit images far from photographs (Naeem et al., 2020): they see edges and texture, and know no
    class. The weights are orthogonal filters of NumPy's Philox with a fixed seed: the same on every machine, without a
    download. Pixels are standardised by mean and deviation of training images.
    """

    version: ClassVar[int] = 1

    name: Literal["random"] = "random"

    def fit(self, data: Data) -> Extract:
        """Draw the weights for the images' channels."""
        from keras import ops

        known = as_float(data.train.images[spread_over(len(data.train.images), FITTED)], "unit")
        centre, scale = float(known.mean()), float(known.std()) or 1.0
        kernels = [ops.convert_to_tensor(one) for one in weights(known.shape[-1])]

        def features(batch: NDArray[np.float32]) -> Any:
            x = ops.convert_to_tensor((batch - centre) / scale)
            for kernel in kernels:
                x = ops.leaky_relu(ops.conv(x, kernel, strides=2, padding="same"), SLOPE)
            return ops.convert_to_numpy(ops.mean(x, axis=(1, 2)))

        def extract(images: NDArray[np.float32]) -> NDArray[np.float32]:
            parts = [features(images[at : at + BATCH]) for at in range(0, len(images), BATCH)]
            return np.concatenate(parts).astype(np.float32)

        return extract


def weights(channels: int) -> list[NDArray[np.float32]]:
    """Return the kernels (3, 3, in, out) of the three layers, orthogonal over their inputs, scaled for the ReLU."""
    rng = np.random.Generator(np.random.Philox(SEED))
    kernels = []
    for filters in FILTERS:
        inputs = SIZE * SIZE * channels
        drawn = rng.standard_normal((max(inputs, filters), min(inputs, filters)))
        found, upper = np.linalg.qr(drawn)
        found *= np.sign(np.diag(upper))  # else the signs are the linear algebra library's choice
        matrix = found if inputs >= filters else found.T
        gain = np.sqrt(2 * max(filters / inputs, 1.0))
        kernels.append((gain * matrix).reshape(SIZE, SIZE, channels, filters).astype(np.float32))
        channels = filters
    return kernels
