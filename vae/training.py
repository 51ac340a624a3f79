"""One run, trained: the same spec on the same machine gives the same bits, in one go or taken up again."""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from vae.batches import Batches
from vae.checkpoint import Checkpoints, State
from vae.code import code_of
from vae.counting import layers_of
from vae.datasets import Data, as_float, load
from vae.environment import describe, keras_defaults
from vae.errors import REMEDY, DivergedError, SpecError
from vae.model import VAE
from vae.on_arrays import Arrays, as_data
from vae.reuse import Models, build
from vae.spec import RunSpec

__all__ = ["Progress", "Trained", "train"]

STATISTICS_IMAGES = 10_000  # training images from which batch statistics are re-estimated
STATISTICS_BATCH = 500
CHECKPOINT_SECONDS = 60.0  # within an epoch, so long after the last checkpoint comes the next
CHECKPOINT_SHARE = 0.02  # of the time at most is spent on them: very short epochs don't get one each

_HeldOut = tuple[NDArray[np.float32], NDArray[np.int64] | None]
Progress = Callable[[int, Mapping[str, float]], None]


@dataclass(frozen=True)
class Trained:
    """A trained model and how it got there.

    Attributes:
        spec: what was asked for.
        model: the trained model.
        history: a row an epoch: `epoch` (from 1), `loss`, each term and its `val_` twin (unweighted means over the
            images), each `<term>_weight` as it was in the last step, `seconds`.
        timings: `first_step_seconds` (tracing and compiling; summed over the processes that had a part in the
            training), `train_seconds` (the rest, without validation and checkpoints), `seconds_per_epoch` (median),
            `images_per_second`; of a training that has no step but first ones, there is no rest to be told.
        notes: choices made on the way; `resumed`, from which steps, and `checkpoints`, what went wrong with them, only
            where there is something to say.
    """

    spec: RunSpec
    model: VAE
    history: list[dict[str, float]]
    timings: dict[str, float]
    notes: dict[str, str]


@keras_defaults()
def train(
    spec: RunSpec,
    data: Data | Arrays | None = None,
    on_epoch: Progress | None = None,
    checkpoints: Path | None = None,
    models: Models | None = None,
    until: int | None = None,
) -> Trained:
    """Train what `spec` describes.

    Args:
        spec: the run.
        data: the data set; loaded from `spec.data` without it. Images alone (n, height, width, channels), or (images,
            labels), are one too, whatever `spec.data` names: of them a share is held out as it says.
        on_epoch: called after each epoch with its number (from 1) and its row of the history.
        checkpoints: a folder for this run alone: the training goes on from the newest checkpoint there, to the bits
            that it would have reached in one go, and saves its own after each epoch, and each minute of a long one.
            Very short epochs, of which saving would take more than 2 %, don't get one each. A folder that can't be
            written is noted, and harmless.
        models: traced models of earlier trainings, of which one is used where it fits, to the same bits; the model
            that is returned is then good until the next training with them.
        until: pause after so many epochs, with the state saved to `checkpoints`; the next call goes on from there, to
            the same bits. At `spec.train.epochs` the state of the finished training is kept, from which one of more
            epochs may go on where no term's weight is scheduled (a schedule is told in shares of the whole training).

    Raises:
        DataError: the data set is missing or damaged.
        DivergedError: the loss is no longer a finite number; names the step, the epoch and the terms.
        SpecError: pixels, output activation and reconstruction term don't agree.
    """
    data = load(spec.data) if data is None else as_data(data, spec)
    about = data.shape, _classes(spec, data), len(data.train.images)
    with models.lend(spec, *about) if models else nullcontext(build(spec, *about)) as model:
        monitor, batches = _prepared(model, spec, data, on_epoch)
        if checkpoints is not None:
            monitor.resume(checkpoints, _training(spec, data.checksum))
        return _fit(model, monitor, batches, data, until)


def _classes(spec: RunSpec, data: Data) -> int:
    """Return the number of classes, where a part of the run looks at them.

    Raises:
        SpecError: the data have none.
    """
    if not spec.wants_labels:
        return 0
    if data.train.labels is None or data.chosen_on.labels is None or data.test.labels is None:
        asks = "model.conditional = true" if spec.model.conditional else "a term of the loss"
        raise SpecError(f"{asks} needs labels, and the data set '{data.name}' has none")
    return len(data.class_names)


def _prepared(model: VAE, spec: RunSpec, data: Data, on_epoch: Progress | None) -> "tuple[_Monitor, Batches]":
    images = data.train.images if data.intensities is None else data.intensities
    labels = data.train.labels if spec.wants_labels else None
    batches = Batches(images, spec, labels, redrawn=data.intensities is not None)
    held_out = as_float(data.chosen_on.images[: spec.train.validation_limit], spec.data.range)
    labels = data.chosen_on.labels if spec.wants_labels else None
    labels = None if labels is None else labels[: spec.train.validation_limit]
    model.check_range(held_out)
    return _Monitor(model, batches, (held_out, labels), spec, on_epoch), batches


def _fit(model: VAE, monitor: "_Monitor", batches: Batches, data: Data, until: int | None) -> Trained:
    spec = monitor.spec
    for first, last in monitor.stretches(until or spec.train.epochs):
        model.fit(
            batches.feed(),
            initial_epoch=first,
            epochs=last,
            shuffle=False,  # the batches shuffle themselves
            callbacks=[monitor],
            verbose=0,
        )
    if until is not None:
        monitor.keep()
    notes = {}
    if len(monitor.history) == spec.train.epochs:
        notes["batch_statistics"] = _settle_statistics(model, data, spec)
    notes |= monitor.notes()
    return Trained(spec, model, monitor.history, monitor.timings(len(data.train.images)), notes)


def _training(spec: RunSpec, data_checksum: str) -> str:
    """Return what identifies a training; without a schedule, how many epochs are still to come plays no part."""
    if not any(term.scheduled for term in spec.terms.values()):
        spec = spec.model_copy(update={"train": spec.train.model_copy(update={"epochs": 1})})
    return spec.digest(data_checksum)


class _Monitor(keras.callbacks.Callback):
    """Keeps time, history and checkpoints, moves the schedules, and stops a run that left the finite numbers."""

    def __init__(
        self, vae: VAE, batches: Batches, held_out: _HeldOut, spec: RunSpec, on_epoch: Progress | None
    ) -> None:
        super().__init__()
        self.spec = spec
        self.history: list[dict[str, float]] = []
        self._vae, self._batches, self._held_out, self._on_epoch = vae, batches, held_out, on_epoch
        self._epochs, self._steps = spec.train.epochs, len(batches)
        self._total = self._epochs * self._steps
        self._scheduled = [name for name, term in vae.terms.items() if term.scheduled]
        self._checkpoints: Checkpoints | None = None
        self._state: State | None = None  # to go on from
        self._step = self._skip = 0
        self._kept_step = -1  # of the newest checkpoint
        self._first_steps: list[float] = []
        self._resumed: list[int] = []
        self._carried = 0.0  # seconds that earlier processes spent in the epoch under way
        self._entered = self._began = self._ended = 0.0
        self._timed = False  # the first step of this process
        self._saved, self._cost = time.perf_counter(), 0.0

    def resume(self, folder: Path, digest: str) -> None:
        """Save to `folder` from now on, and go on from the newest checkpoint there."""
        machine = describe()
        identity = {
            "spec": digest,
            "source": code_of(self.spec, metrics=())["vae"],
            **{name: machine[name] for name in ("backend", "device", "gpu", "processor", "packages", "arithmetic")},
            "variables": [[list(variable.shape), str(variable.dtype)] for variable in self._variables()],
        }
        self._checkpoints = Checkpoints(folder, identity)
        state = self._checkpoints.latest()
        if state is None or state.step > self._total:  # of a longer training of the same kind
            return
        if state.step != state.epoch * self._steps + state.batch or state.batch >= self._steps:
            return  # no step of this training
        self._state = state
        self.history, self._first_steps = list(state.history), list(state.first_steps)
        self._resumed = [*state.resumed, state.step]
        self._step, self._skip, self._carried = state.step, state.batch, state.seconds
        self._kept_step = state.step
        if state.epoch == self._epochs:
            self._restore()

    def stretches(self, until: int) -> Iterator[tuple[int, int]]:
        """Yield (first, last) epochs to train: what is left of an epoch is shorter, so Keras is to be told apart."""
        if self._skip and len(self.history) < until:
            epoch = len(self.history)
            self._batches.start(epoch, self._skip)
            yield epoch, epoch + 1
        if len(self.history) < until:
            self._batches.start(len(self.history))
            yield len(self.history), until

    def keep(self) -> None:
        """Save the state between two epochs, unless the newest checkpoint is of this step."""
        self._restore()
        if self._checkpoints and self._step != self._kept_step:
            self._save(0)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002 - Keras' signature
        self._batches.start(epoch, self._skip)
        self._restore()  # not before: now Keras has built what it builds and reset the metrics
        self._entered = time.perf_counter()
        self._began = self._entered - self._carried

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002
        if self._scheduled:
            self._sync()
        for name in self._scheduled:
            self._vae.term_weights[name].assign(self._vae.terms[name].weight_at(self._step / self._total))

    def on_train_batch_end(self, batch: int, logs: Mapping[str, float] | None = None) -> None:
        self._step += 1
        self._ended = time.perf_counter()
        if not self._timed:
            self._timed = True
            self._first_steps.append(self._ended - self._entered)
        logs = logs or {}
        # Keras has made numbers of them already, so looking costs no wait; they are means of the epoch so far, which
        # stay what they are once they are not finite.
        if not all(map(math.isfinite, logs.values())):
            broken = [name for name in ("loss", *self._vae.trackers) if not math.isfinite(logs.get(name, 0.0))]
            epoch = len(self.history) + 1
            raise DivergedError(f"{', '.join(broken)} not finite at step {self._step} (epoch {epoch}). {REMEDY}")
        done = self._skip + batch + 1
        if self._checkpoints and done < self._steps and self._ended - self._saved > CHECKPOINT_SECONDS:
            self._save(done)
            self._began += time.perf_counter() - self._ended  # saving is no training

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        row = {"epoch": epoch + 1} | {name: float(value) for name, value in sorted((logs or {}).items())}
        row |= {f"val_{name}": value for name, value in self._vae.measure(*self._held_out).items()}
        progress = (self._step - 1) / self._total  # as it was in the last step, and is in the validation loss
        row |= {f"{name}_weight": term.weight_at(progress) for name, term in self._vae.terms.items()}
        row["seconds"] = self._ended - self._began
        self.history.append(row)
        self._skip, self._carried = 0, 0.0
        if self._checkpoints and time.perf_counter() - self._saved >= self._cost / CHECKPOINT_SHARE:
            self._save(0)
        if self._on_epoch:
            self._on_epoch(epoch + 1, row)

    def _variables(self) -> list[Any]:
        """Return all that training changes; the metrics' own come last."""
        metrics = [variable for metric in self._vae.metrics for variable in metric.variables]
        return [*self._vae.variables, *self._vae.optimizer.variables, *metrics]

    def _sync(self) -> None:
        """Have JAX, which trains on copies, put them back into the variables, and take them from there again."""
        if sync := getattr(self._vae, "jax_state_sync", None):
            sync()

    def _save(self, batch: int) -> None:
        """Save a checkpoint after `batch` steps of the epoch under way."""
        began = time.perf_counter()
        self._sync()
        state = State(
            arrays=[keras.ops.convert_to_numpy(variable) for variable in self._variables()],
            step=self._step,
            epoch=len(self.history),
            batch=batch,
            seconds=self._ended - self._began if batch else 0.0,
            history=self.history,
            first_steps=self._first_steps,
            resumed=self._resumed,
        )
        if self._checkpoints:
            self._checkpoints.save(state)
        self._kept_step = self._step
        self._saved = time.perf_counter()
        self._cost = self._saved - began

    def _restore(self) -> None:
        """Put the state to go on from into the variables, once; between two epochs the metrics stay reset."""
        if self._state is None:
            return
        for variable, value in zip(self._variables(), self._state.arrays, strict=True):
            variable.assign(value)
        if not self._state.batch:
            self._vae.reset_metrics()
        self._state = None

    def notes(self) -> dict[str, str]:
        """Return what is worth knowing of the way here: nothing, where it was gone in one go."""
        notes = {}
        if self._resumed:
            notes["resumed"] = f"{len(self._resumed)} times, from step {', '.join(map(str, self._resumed))}"
        if self._checkpoints and self._checkpoints.notes:
            notes["checkpoints"] = self._checkpoints.notes
        return notes

    def timings(self, images: int) -> dict[str, float]:
        """Summarise: seconds, and images a second once the first step is over."""
        seconds = [row["seconds"] for row in self.history]
        steady = sum(seconds) - sum(self._first_steps)
        seen = images * len(seconds) * (1 - len(self._first_steps) / (self._steps * len(seconds)))
        found = {
            "first_step_seconds": sum(self._first_steps),
            "train_seconds": steady,
            "seconds_per_epoch": float(np.median(seconds[1:] or seconds)),
        }
        if seen <= 0 or steady <= 0:
            del found["train_seconds"]
            return found
        return found | {"images_per_second": seen / steady}


def _settle_statistics(model: VAE, data: Data, spec: RunSpec) -> str:
    """Re-estimate the statistics of batch normalisation on training images, and say what was done.

    The moving averages of a short run lag behind the weights; the plain mean over large batches does not (Wu and
    Johnson, 2021). A momentum of k / (k + 1) in the k-th batch makes Keras' own moving average that plain mean.
    """
    parts = (*layers_of(model.encoder), *layers_of(model.decoder))
    layers = [layer for layer in parts if isinstance(layer, keras.layers.BatchNormalization)]
    if not layers:
        return "none"
    if not spec.model.reestimated:
        return f"moving averages, momentum {layers[0].momentum:g}"
    momentum = layers[0].momentum
    images, labels = data.train.images, data.train.labels
    chosen = np.random.default_rng([spec.train.seed, spec.train.epochs]).permutation(len(images))[:STATISTICS_IMAGES]
    for k, start in enumerate(range(0, len(chosen), STATISTICS_BATCH)):
        for layer in layers:
            layer.momentum = k / (k + 1)
        batch = np.sort(chosen[start : start + STATISTICS_BATCH])
        pixels = as_float(images[batch], spec.data.range)
        model(
            (pixels, labels[batch].astype(np.int32)) if spec.wants_labels and labels is not None else pixels,
            training=True,
        )
    for layer in layers:
        layer.momentum = momentum
    return f"re-estimated on {len(chosen)} training images"
