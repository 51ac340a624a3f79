"""Training, in images a second: what a study spends nearly all of its time on."""

from typing import Any

import numpy as np
import pytest

SHAPES = {"digits": (8, 8, 1), "fashion_mnist": (28, 28, 1), "cifar10": (32, 32, 3)}
BATCH = 128


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("decoder", ["mirrored", "paper"])
def test_training_step(benchmark: Any, shape: tuple[int, int, int], decoder: str) -> None:
    """Time one step of the convolutional VAE with 16 latent dimensions on a batch of 128."""
    import keras

    from vae.model import VAE
    from vae.networks import NETWORKS
    from vae.terms import TERMS

    network = NETWORKS["conv"].parse({"name": "conv", "decoder": decoder, "latent_dim": 16}, "model")
    model = VAE(network, {name: term() for name, term in TERMS.items()}, shape)
    model.compile(optimizer=keras.optimizers.Adam(1e-3))
    images = np.random.default_rng(0).random((BATCH, *shape), dtype=np.float32)
    losses = [model.train_on_batch(images)]  # traces the step

    benchmark.extra_info["flops"] = 3 * BATCH * network.cost(shape).flops_per_image
    benchmark(lambda: losses.append(model.train_on_batch(images)))
    assert losses[-1] < losses[0]
