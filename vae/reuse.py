"""Traced models, kept for the next run that differs from theirs only in what a graph holds as variables.

Tracing a step takes one to two seconds, half of a small trial. Seeds, learning rates and the weights of terms are
variables of the graph, so that trials which differ in nothing else can share it.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import keras

from vae.graph import graph_key
from vae.kernels import fast
from vae.model import VAE
from vae.spec import RunSpec

__all__ = ["Models", "build"]

Shape = tuple[int, int, int]


def build(spec: RunSpec, shape: Shape, classes: int = 0, images: int = 0) -> VAE:
    """Return a model of `spec`, compiled, with the initial weights of its seed.

    Args:
        spec: the run.
        shape: of an image.
        classes: of the labels that parts of the run look at; 0 where none does.
        images: number of training images.

    Raises:
        SpecError: it can't be built for such images.
    """
    keras.utils.set_random_seed(spec.train.seed)  # the initial weights; shuffling and noise have streams of their own
    model = VAE(
        spec.model,
        spec.loss,
        shape,
        posterior=spec.posterior,
        prior=spec.prior,
        classes=classes,
        samples=spec.train.samples,
        images=images,
        data_range=spec.data.range,
        seed=spec.train.seed,
    )
    optimizer = fast(keras.optimizers.Adam)(spec.train.learning_rate, global_clipnorm=spec.train.clip_norm)
    model.compile(optimizer=optimizer)
    optimizer.build(model.trainable_variables)  # else the first step makes its variables, and is traced twice
    return model


class Models:
    """The models of the last few runs of a process, least recently used ones dropped.

    Args:
        kept: how many; each is as large as its network, its optimizer and its graph.
    """

    def __init__(self, kept: int = 2) -> None:
        """Begin with none."""
        self._kept = kept
        self._models: dict[str, VAE] = {}

    @contextmanager
    def lend(self, spec: RunSpec, shape: Shape, classes: int = 0, images: int = 0) -> Iterator[VAE]:
        """Lend a model that is as `build` makes it, to the bit; it is used again once the block is left.

        A block that ends in an exception keeps its model, whose state nobody knows.
        """
        key = f"{graph_key(spec)} {shape} {classes} {images}"
        model = build(spec, shape, classes, images)
        known = self._models.pop(key, None)
        if known is not None:
            model = _as_new(known, model)
        yield model
        self._models[key] = model
        while len(self._models) > self._kept:
            self._models.pop(next(iter(self._models)))


def _as_new(model: VAE, fresh: VAE) -> VAE:
    """Give a used model all that a fresh one of the same graph has."""
    model.terms, model.seed = fresh.terms, fresh.seed
    for mine, other in zip(model.variables, fresh.variables, strict=True):
        mine.assign(other)
    for variable in model.optimizer.variables:
        variable.assign(keras.ops.zeros_like(variable))
    model.optimizer.learning_rate.assign(fresh.optimizer.learning_rate)
    model.stop_training = False
    return model
