"""Training batches: their order, their scale, and how a backend is fed with them."""

import math
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from vae.datasets import as_float, drawn
from vae.spec import RunSpec

__all__ = ["Batches"]

AHEAD = 2  # batches that are made while the model is busy with one


class Batches(keras.utils.PyDataset):
    """Shuffled, scaled training batches; the order is a function of seed and epoch alone."""

    def __init__(
        self,
        images: NDArray[np.uint8],
        spec: RunSpec,
        labels: NDArray[np.int64] | None = None,
        *,
        redrawn: bool = False,
    ) -> None:
        """Take the training images (n, height, width, channels) of a run, and their labels where they are wanted.

        Args:
            images: uint8.
            spec: the run.
            labels: (n,).
            redrawn: make them black or white in each epoch anew, by a draw that is a function of seed, epoch and step.
        """
        super().__init__()
        self._redrawn = redrawn
        self._images, self._range = images, spec.data.range
        self._labels = None if labels is None else labels.astype(np.int32)
        self._size, self._seed = spec.train.batch_size, spec.train.seed
        self.start(0)

    def start(self, epoch: int, skip: int = 0) -> None:
        """Draw the order of `epoch` (from 0) and leave out its first `skip` batches."""
        order = np.random.default_rng([self._seed, epoch]).permutation(len(self._images))
        self._order = order[skip * self._size :]
        self._epoch, self._skip = epoch, skip

    def __len__(self) -> int:
        """Return how many batches are left of the epoch."""
        return math.ceil(len(self._order) / self._size)

    def __getitem__(self, index: int) -> tuple[Any]:
        """Return one batch: images (batch, height, width, channels), with labels a tuple of them and these (batch,)."""
        chosen = self._order[index * self._size : (index + 1) * self._size]
        levels = self._images[chosen]
        if self._redrawn:
            levels = drawn(levels, np.random.default_rng([self._seed, self._epoch, self._skip + index]))
        images = as_float(levels, self._range)
        return (images if self._labels is None else (images, self._labels[chosen]),)

    def feed(self) -> Any:
        """Return what `keras.Model.fit` is to be given; each of its epochs follows the order that `start` drew last.

        Keras would make a `tf.data` pipeline of a PyDataset with autotuning on, whose thread sleeps up to a minute
        between two looks at the pipeline, and TensorFlow joins that thread before it frees an epoch's iterator: every
        third epoch of ten seconds was followed by nine of idling. There is nothing to tune here, so it is off.
        """
        if keras.backend.backend() != "tensorflow":
            return self
        import tensorflow as tf

        def one_epoch() -> Iterator[tuple[Any]]:
            return (self[index] for index in range(len(self)))

        images = tf.TensorSpec((None, *self._images.shape[1:]), tf.float32)
        signature = (images if self._labels is None else (images, tf.TensorSpec((None,), tf.int32)),)
        pipeline = tf.data.Dataset.from_generator(one_epoch, output_signature=signature)
        options = tf.data.Options()
        options.autotune.enabled = False
        return pipeline.apply(tf.data.experimental.assert_cardinality(len(self))).prefetch(AHEAD).with_options(options)
