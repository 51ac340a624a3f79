"""The one callback of the Keras peers: it notes when an epoch's training ends, and what the model then reconstructs."""

import time
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from bench.peers._contract import TrialNotes

__all__ = ["Clock"]


class Clock(keras.callbacks.Callback):
    """Times epochs without their validation; it has no hook a batch, so that the steps run as they would alone.

    Args:
        notes: the trial's page.
        reconstruct: returns the test images as the model decodes them now.
    """

    def __init__(self, notes: TrialNotes, reconstruct: Callable[[], NDArray[np.floating]]) -> None:
        """Remember where to write."""
        super().__init__()
        self._notes, self._reconstruct = notes, reconstruct
        self._began = 0.0
        self._ended: float | None = None

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002 - Keras' signature
        """Start the clock."""
        self._began, self._ended = time.perf_counter(), None

    def on_test_begin(self, logs: Any = None) -> None:  # noqa: ARG002
        """Stop the clock: validation begins."""
        self._ended = self._ended or time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
        """Note the epoch; Keras has waited for its last step."""
        ended = self._ended or time.perf_counter()
        with self._notes.notebook.uncounted():
            self._notes.epoch(ended - self._began, self._reconstruct())
