"""Training steps, in images a second: what a study spends nearly all of its time on."""

from functools import partial
from typing import Any

import numpy as np

from bench._case import Work, case

__all__ = ["BATCH", "LATENT_DIM", "NETWORKS_TIMED", "SHAPES", "batch", "build_model", "network", "operations"]

SHAPES = {"digits": (8, 8, 1), "fashion_mnist": (28, 28, 1), "cifar10": (32, 32, 3)}
NETWORKS_TIMED: dict[str, dict[str, Any]] = {
    "dense_vae": {"name": "dense_vae"},
    "conv": {"name": "conv", "decoder": "mirrored"},
    "conv-paper": {"name": "conv", "decoder": "paper"},
}
LATENT_DIM = 16
BATCH = 128

# Images of the gate's steps, so that each takes some ten milliseconds on one core.
_SMALL = {
    ("dense_vae", "digits"): 128,
    ("dense_vae", "fashion_mnist"): 128,
    ("dense_vae", "cifar10"): 64,
    ("conv", "digits"): 128,
    ("conv", "fashion_mnist"): 16,
    ("conv", "cifar10"): 8,
    ("conv-paper", "digits"): 32,
    ("conv-paper", "fashion_mnist"): 4,
    ("conv-paper", "cifar10"): 2,
}
_LEFT_OUT = {("dense_vae", "digits"), ("dense_vae", "cifar10"), ("conv-paper", "cifar10")}  # of the gate, for time


def network(kind: str) -> Any:
    """Return the network `kind` of `NETWORKS_TIMED` with 16 latent dimensions."""
    from vae.networks import NETWORKS

    settings = NETWORKS_TIMED[kind]
    return NETWORKS[settings["name"]].parse({**settings, "latent_dim": LATENT_DIM}, "model")


def operations(kind: str, shape: tuple[int, int, int]) -> int:
    """Return the floating-point operations of one image through that network, heads among them.

    From its layers, which every revision of the code describes alike: the gate runs this beside older ones.
    """
    from vae.layers import Dense

    described, total = network(kind), 0
    for layers, given in ((described.encoder_layers(shape), shape), (described.decoder_layers(shape), (LATENT_DIM,))):
        here: tuple[int, ...] = given
        for layer in layers:
            total, here = total + layer.flops(here), layer.shape(here)
        if given is shape:
            total += (1 if described.deterministic else 2) * Dense(LATENT_DIM).flops(here)
    return total


def build_model(kind: str, shape: tuple[int, int, int], **weights: float) -> Any:
    """Return the compiled model of a network; `weights` are those of terms that shall differ from their defaults."""
    from vae.reuse import build
    from vae.spec import RunSpec

    loss = {name: {"weight": weight} for name, weight in weights.items()}
    model = NETWORKS_TIMED[kind] | {"latent_dim": LATENT_DIM}
    return build(RunSpec.parse({"model": model, "loss": loss}, "benchmark"), shape)


def batch(images: int, shape: tuple[int, int, int]) -> Any:
    """Return random images (n, height, width, channels) float32 in [0, 1]."""
    return np.random.default_rng(0).random((images, *shape), dtype=np.float32)


def _step(kind: str, dataset: str, weights: dict[str, float], small: bool) -> Work:
    shape = SHAPES[dataset]
    images = batch(_SMALL[kind, dataset] if small else BATCH, shape)
    model = build_model(kind, shape, **weights)
    facts = {"images": len(images), "flops": 3 * len(images) * operations(kind, shape)}
    return Work(lambda: model.train_on_batch(images), facts)


for _kind, _dataset in _SMALL:
    case(f"step-{_kind}-{_dataset}", "training step", gate=(_kind, _dataset) not in _LEFT_OUT)(
        partial(_step, _kind, _dataset, {}),
    )
case("step-conv-ssim-fashion_mnist", "training step", gate=False)(
    partial(_step, "conv", "fashion_mnist", {"ssim": 1.0}),
)
