"""One run, trained: the same spec on the same machine gives the same bits."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from vae.datasets import Data, as_float, load
from vae.errors import DivergedError
from vae.model import VAE
from vae.spec import RunSpec

__all__ = ["REMEDY", "Progress", "Trained", "train"]

STATISTICS_IMAGES = 10_000  # training images from which batch statistics are re-estimated
STATISTICS_BATCH = 500
REMEDY = "Lower train.learning_rate, or set train.clip_norm (1 is a common choice)"

Progress = Callable[[int, Mapping[str, float]], None]


@dataclass(frozen=True)
class Trained:
    """A trained model and how it got there.

    Attributes:
        spec: what was asked for.
        model: the trained model.
        history: a row an epoch: `epoch` (from 1), `loss`, each term and its `val_` twin (unweighted means over the
            images), each `<term>_weight`, `seconds`.
        timings: `first_step_seconds` (tracing and compiling), `train_seconds` (the rest, without validation),
            `seconds_per_epoch` (median), `images_per_second`.
        notes: choices made on the way.
    """

    spec: RunSpec
    model: VAE
    history: list[dict[str, float]]
    timings: dict[str, float]
    notes: dict[str, str]


def train(spec: RunSpec, data: Data | None = None, on_epoch: Progress | None = None) -> Trained:
    """Train what `spec` describes.

    Args:
        spec: the run.
        data: the loaded data set; loaded from `spec.data` without it.
        on_epoch: called after each epoch with its number (from 1) and its row of the history.

    Raises:
        DataError: the data set is missing or damaged.
        DivergedError: the loss is no longer a finite number; names the epoch and the terms.
        SpecError: pixels, output activation and reconstruction term don't agree.
    """
    data = data or load(spec.data)
    keras.utils.set_random_seed(spec.train.seed)  # the initial weights; shuffling and noise have streams of their own
    model = VAE(spec.model, spec.loss, data.shape, data_range=spec.data.range, seed=spec.train.seed)
    model.compile(optimizer=_optimizer(spec))
    batches = _Batches(data.train.images, spec)
    held_out = as_float(data.test.images[: spec.train.validation_limit], spec.data.range)
    model.check_range(held_out)
    monitor = _Monitor(model, batches, held_out, spec, on_epoch)
    model.fit(
        batches,
        epochs=spec.train.epochs,
        shuffle=False,  # the batches shuffle themselves
        callbacks=[monitor],
        verbose=0,
    )
    notes = {"batch_statistics": _settle_statistics(model, data.train.images, spec)}
    return Trained(spec, model, monitor.history, monitor.timings(len(data.train.images)), notes)


def _optimizer(spec: RunSpec) -> Any:
    optimizer = keras.optimizers.Adam(spec.train.learning_rate, global_clipnorm=spec.train.clip_norm)
    if keras.backend.backend() == "tensorflow":
        # The sum over replicas, of which there is one, registers a gradient function that TensorFlow never forgets:
        # each model trained in a process would leave its graphs behind, 15 MB of them for a small network.
        optimizer._all_reduce_sum_gradients = list  # noqa: SLF001
    return optimizer


class _Batches(keras.utils.PyDataset):
    """Shuffled, scaled training batches; the order is a function of seed and epoch alone."""

    def __init__(self, images: NDArray[np.uint8], spec: RunSpec) -> None:
        super().__init__()
        self._images, self._range = images, spec.data.range
        self._size, self._seed = spec.train.batch_size, spec.train.seed
        self.start(0)

    def start(self, epoch: int) -> None:
        """Draw the order of `epoch` (from 0)."""
        self._order = np.random.default_rng([self._seed, epoch]).permutation(len(self._images))

    def __len__(self) -> int:
        return math.ceil(len(self._images) / self._size)

    def __getitem__(self, index: int) -> tuple[NDArray[np.float32]]:
        chosen = self._order[index * self._size : (index + 1) * self._size]
        return (as_float(self._images[chosen], self._range),)


class _Monitor(keras.callbacks.Callback):
    """Keeps time and history, moves the schedules, and stops a run that left the finite numbers."""

    def __init__(
        self, vae: VAE, batches: _Batches, held_out: NDArray[np.float32], spec: RunSpec, on_epoch: Progress | None
    ) -> None:
        super().__init__()
        self.history: list[dict[str, float]] = []
        self.first_step_seconds = 0.0
        self._vae, self._batches, self._held_out, self._on_epoch = vae, batches, held_out, on_epoch
        self._total = spec.train.epochs * len(batches)
        self._step = 0
        self._began = self._ended = 0.0
        self._scheduled = [name for name, term in vae.terms.items() if term.scheduled]

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002 - Keras' signature
        self._batches.start(epoch)
        self._began = time.perf_counter()

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002
        for name in self._scheduled:
            self._vae.term_weights[name].assign(self._vae.terms[name].weight_at(self._step / self._total))

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002
        self._step += 1
        self._ended = time.perf_counter()
        if self._step == 1:
            self.first_step_seconds = self._ended - self._began

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        row = {"epoch": epoch + 1} | {name: float(value) for name, value in sorted((logs or {}).items())}
        row |= {f"val_{name}": value for name, value in self._vae.measure(self._held_out).items()}
        progress = self._step / self._total
        row |= {f"{name}_weight": term.weight_at(progress) for name, term in self._vae.terms.items()}
        row["seconds"] = self._ended - self._began
        broken = [name for name in ("loss", *self._vae.terms) if not math.isfinite(row[name])]
        if broken:
            raise DivergedError(
                f"{', '.join(broken)} not finite in epoch {epoch + 1}. {REMEDY}",
            )
        self.history.append(row)
        if self._on_epoch:
            self._on_epoch(epoch + 1, row)

    def timings(self, images: int) -> dict[str, float]:
        """Summarise: seconds, and images a second once the first step is over."""
        seconds = [row["seconds"] for row in self.history]
        steady = max(sum(seconds) - self.first_step_seconds, 1e-9)
        seen = images * len(seconds) * (1 - 1 / self._total)
        return {
            "first_step_seconds": self.first_step_seconds,
            "train_seconds": steady,
            "seconds_per_epoch": float(np.median(seconds[1:] or seconds)),
            "images_per_second": seen / steady,
        }


def _settle_statistics(model: VAE, images: NDArray[np.uint8], spec: RunSpec) -> str:
    """Re-estimate the statistics of batch normalisation on training images, and say what was done.

    The moving averages of a short run lag behind the weights; the plain mean over large batches does not (Wu and
    Johnson, 2021). A momentum of k / (k + 1) in the k-th batch makes Keras' own moving average that plain mean.
    """
    parts = (*model.encoder.layers, *model.decoder.layers)
    layers = [layer for layer in parts if isinstance(layer, keras.layers.BatchNormalization)]
    if not layers:
        return "none"
    if getattr(spec.model, "statistics", "moving") == "moving":
        return f"moving averages, momentum {layers[0].momentum:g}"
    momentum = layers[0].momentum
    chosen = np.random.default_rng([spec.train.seed, spec.train.epochs]).permutation(len(images))[:STATISTICS_IMAGES]
    for k, start in enumerate(range(0, len(chosen), STATISTICS_BATCH)):
        for layer in layers:
            layer.momentum = k / (k + 1)
        batch = np.sort(chosen[start : start + STATISTICS_BATCH])
        model(as_float(images[batch], spec.data.range), training=True)
    for layer in layers:
        layer.momentum = momentum
    return f"re-estimated on {len(chosen)} training images"
