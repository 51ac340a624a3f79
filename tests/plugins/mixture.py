"""A prior that is a mixture of Gaussians, learned with the model."""

from math import log, pi
from typing import Any, Literal

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

import vaebench as vb


class Components(keras.layers.Layer):  # type: ignore[misc]
    def __init__(self, number: int, latent_dim: int) -> None:
        super().__init__()
        self.means = self.add_weight(shape=(number, latent_dim), initializer="random_normal", name="means")
        self.log_weights = self.add_weight(shape=(number,), initializer="zeros", name="log_weights")


@vb.PRIORS.register("own_mixture")
class OwnMixture(vb.Prior):
    """p(z) = sum_k w_k N(z; m_k, I)."""

    name: Literal["own_mixture"] = "own_mixture"
    components: int = 4

    def build(self, latent_dim: int) -> Any:
        return Components(self.components, latent_dim)

    def log_prob(self, z: Any, own: Any) -> Any:
        means, weights = ops.convert_to_tensor(own.means), ops.log_softmax(ops.convert_to_tensor(own.log_weights))
        squared = ops.sum(ops.square(z[:, None] - means), axis=-1)
        return ops.logsumexp(weights - 0.5 * (squared + means.shape[-1] * log(2 * pi)), axis=-1)

    def sample(self, rng: np.random.Generator, n: int, latent_dim: int, own: Any) -> NDArray[np.float32]:
        means, weights = (ops.convert_to_numpy(one) for one in (own.means, ops.softmax(own.log_weights)))
        chosen = rng.choice(len(means), n, p=weights.astype(np.float64) / weights.sum(dtype=np.float64))
        return np.asarray(means[chosen] + rng.standard_normal((n, latent_dim)), dtype=np.float32)
