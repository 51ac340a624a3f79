"""Event files for TensorBoard: a run a trial, losses by epoch, metrics and pictures at its end.

TensorFlow writes them by itself; the package `tensorboard` is needed to look at them, not here.
"""

import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ablations.records.status import Status
from ablations.runner.job import Event, Job
from ablations.runner.watchers._base import WATCHERS, Subject, Watcher
from ablations.study.trial import Trial
from vae.code import code_of
from vae.errors import SpecError

__all__ = ["TensorBoard"]

FOLDER = "tensorboard"
PICTURES = ("examples", "reconstructions", "samples")
LEFT_OUT = ("epoch",)  # of a row of the history: it is the step


@WATCHERS.register("tensorboard")
class TensorBoard(Watcher):
    """Writes the event files of a study's trials.

    A trial that is taken up again goes on in its folder where its points end; the points of older code are removed.

    Args:
        subject: what is watched.
        place: the folder that holds a folder for each trial; "" for one among the study's results.
    """

    def __init__(self, subject: Subject, place: str) -> None:
        """Make the folder; TensorFlow is imported now.

        Raises:
            SpecError: the folder can't be made.
        """
        import tensorflow as tf

        self._tf, self._store = tf, subject.store
        self._folder = Path(place) if place else subject.store.root / FOLDER
        self._writers: dict[str, Any] = {}
        self._known: dict[str, int] = {}
        self._trials: dict[str, Trial] = {}
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SpecError(f"--tensorboard {self._folder}: {error.strerror or error}. Choose another folder") from None

    def on_jobs(self, jobs: Sequence[Job]) -> None:
        """Learn how long the trials are, and by what code they are made."""
        self._trials |= {job.name: job.trial for job in jobs}

    def on_event(self, event: Event) -> None:
        """Write a row of the history, or what a finished trial is."""
        if event.kind == "started":
            self._open(event.trial)
        elif event.kind == "epoch" and event.epoch > self._known.get(event.trial, 0):
            self._known[event.trial] = event.epoch
            values = {f"epoch/{name}": value for name, value in event.values.items() if name not in LEFT_OUT}
            self._write(event.trial, event.epoch, values)
        elif event.record is not None:
            if event.record.status == Status.DONE:
                epochs = self._trials[event.trial].spec.train.epochs
                metrics = {name: value for name, value in event.record.metrics.items() if value is not None}
                self._write(event.trial, epochs, {f"metric/{name}": value for name, value in metrics.items()})
                self._draw(event.trial, epochs, self._store.arrays(event.record))
            self._shut(event.trial)

    def close(self, files: Sequence[Path] = ()) -> None:  # noqa: ARG002 - there is no place for files
        """Close what is open."""
        for trial in list(self._writers):
            self._shut(trial)

    def _open(self, trial: str) -> None:
        folder = self._folder / trial
        suffix = f".{code_of(self._trials[trial].spec)['vae'][:8]}"
        mine = []
        for path in sorted(folder.glob("*tfevents*")):
            if path.name.endswith(suffix):
                mine.append(path)
            else:
                path.unlink(missing_ok=True)
        self._known[trial] = max((step for path in mine for step in self._steps(path)), default=0)
        self._writers[trial] = self._tf.summary.create_file_writer(str(folder), filename_suffix=suffix)

    def _steps(self, path: Path) -> Iterator[int]:
        """Yield the epochs in an event file, up to where a killed process broke off."""
        from tensorflow.core.util import event_pb2

        try:
            for record in self._tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
                event = event_pb2.Event.FromString(record)
                if any(value.tag.startswith("epoch/") for value in event.summary.value):
                    yield event.step
        except self._tf.errors.DataLossError:
            return

    def _write(self, trial: str, step: int, values: Mapping[str, float]) -> None:
        with self._writers[trial].as_default():
            for name, value in values.items():
                self._tf.summary.write(name, np.float32(value), step, self._metadata("scalars", "SCALAR"))
        self._writers[trial].flush()

    def _draw(self, trial: str, step: int, arrays: Mapping[str, NDArray[Any]]) -> None:
        with self._writers[trial].as_default():
            for name in PICTURES:
                if name in arrays:
                    height, width = (str(side).encode() for side in arrays[name].shape[1:3])
                    content = [width, height, *map(_png, arrays[name])]
                    self._tf.summary.write(name, content, step, self._metadata("images", "BLOB_SEQUENCE"))

    def _metadata(self, plugin: str, kind: str) -> Any:
        """Return what tells TensorBoard which of its parts shows a value."""
        proto = self._tf.compat.v1.SummaryMetadata
        data_class = {"SCALAR": 1, "BLOB_SEQUENCE": 3}[kind]
        return proto(plugin_data=proto.PluginData(plugin_name=plugin), data_class=data_class)

    def _shut(self, trial: str) -> None:
        writer = self._writers.pop(trial, None)
        if writer is not None:
            writer.close()


def _png(image: NDArray[np.uint8]) -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(image[..., :3] if image.shape[-1] >= 3 else image[..., 0]).save(buffer, "PNG")  # noqa: PLR2004
    return buffer.getvalue()
