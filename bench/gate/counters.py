"""What can be counted rather than timed: the same every time, so that any increase is a change of the code.

Sizes and FLOPs of each network, and of a training of three epochs whose last batch is smaller: how often the step was
traced (once more is a bug: it costs seconds), the operations in the largest graph, the bytes of a checkpoint.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import numpy as np

from bench.cases.training import LATENT_DIM, NETWORKS_TIMED, SHAPES, build_model, operations

__all__ = ["PLANTS", "count", "planted"]

TRAINED = (("dense_vae", "digits"), ("conv", "fashion_mnist"), ("conv-paper", "digits"))
EPOCHS, BATCH, IMAGES = 3, 16, 40


def count() -> dict[str, int]:
    """Return counter -> number, of the code that is imported here; one that it lacks the means for is left out."""
    found: dict[str, int] = {}
    for kind in NETWORKS_TIMED:
        for dataset, shape in SHAPES.items():
            model = build_model(kind, shape)
            weights = sum(int(np.prod(weight.shape)) for weight in model.trainable_variables)
            found[f"parameters {kind} {dataset}"] = weights
            found[f"flops per image {kind} {dataset}"] = operations(kind, shape)
    for kind, dataset in TRAINED:
        found |= {f"{name} {kind} {dataset}": number for name, number in _of_training(kind, dataset).items()}
    return found


def _of_training(kind: str, dataset: str) -> dict[str, int]:
    from vae.checkpoint import State, encode
    from vae.datasets import Data, Split
    from vae.spec import RunSpec
    from vae.training import train

    images = np.random.default_rng(0).integers(0, 256, (IMAGES, *SHAPES[dataset]), dtype=np.uint8)
    data = Data(dataset, Split(images), Split(images[:BATCH]), (), checksum="random", licence="", source="")
    settings = {
        "model": {**NETWORKS_TIMED[kind], "latent_dim": LATENT_DIM},
        "train": {"epochs": EPOCHS, "batch_size": BATCH},
    }
    with _traces() as graphs:
        model = train(RunSpec.parse(settings, "run"), data).model
    variables = [*model.variables, *model.optimizer.variables]
    arrays = [np.asarray(variable.numpy()) for variable in variables]
    return {
        "traces": len(graphs),
        "graph operations": max((len(graph.get_operations()) for graph in graphs), default=0),
        "checkpoint bytes": len(encode(State(arrays), {})),
    }


@contextmanager
def _traces() -> Iterator[list[Any]]:
    """Give a list that gains the graph of every trace of the step: each passes `compute_loss` once."""
    import tensorflow as tf

    from vae.model import VAE

    graphs: list[Any] = []
    plain = VAE.compute_loss

    def compute_loss(self: Any, *args: Any, **kwargs: Any) -> Any:
        if not tf.executing_eagerly():
            graphs.append(tf.compat.v1.get_default_graph())
        return plain(self, *args, **kwargs)

    with patch.object(VAE, "compute_loss", compute_loss):
        yield graphs


def _plant_parameter() -> Any:
    """Give every model one more trained number."""
    from vae.model import VAE

    plain = VAE.__init__

    def initialise(self: Any, *args: Any, **kwargs: Any) -> None:
        plain(self, *args, **kwargs)
        self.add_weight(shape=(), initializer="zeros", name="planted")

    return patch.object(VAE, "__init__", initialise)


def _plant_trace() -> Any:
    """Have the step traced again in the second epoch, as a new Python object among its arguments would."""
    import keras

    from vae.model import VAE

    plain = VAE.fit

    class Retrace(keras.callbacks.Callback):  # type: ignore[misc]
        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002 - Keras' signature
            if epoch == 1:
                self.model.make_train_function(force=True)

    def fit(self: Any, *args: Any, callbacks: Any = (), **kwargs: Any) -> Any:
        return plain(self, *args, callbacks=[*callbacks, Retrace()], **kwargs)

    return patch.object(VAE, "fit", fit)


PLANTS = {"parameter": _plant_parameter, "trace": _plant_trace}


def planted(fault: str) -> dict[str, int]:
    """Return the counters with one of `PLANTS` in the code: what the gate must find."""
    with PLANTS[fault]():
        return count()
