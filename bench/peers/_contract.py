"""What a peer is asked to do and what it leaves: needs NumPy alone, since each peer has an environment of its own."""

import argparse
import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Notebook", "Result", "Task", "Trial", "TrialNotes"]


@dataclass(frozen=True)
class Task:
    """The study, as each peer gets it on its command line.

    Attributes:
        data: an npz file with `train` and `test`, uint8 images (n, height, width, channels), and their `checksum`.
        out: the folder for `result.json` and the reconstructions.
        latent_dims: and `seeds`: every pair is a trial.
        epochs: passes over the training images.
        batch_size: images a step.
        learning_rate: of Adam.
        kl_weight: of the KL divergence against the squared error summed over pixels.
    """

    data: Path
    out: Path
    latent_dims: tuple[int, ...] = (8, 16)
    seeds: tuple[int, ...] = (0, 1)
    epochs: int = 3
    batch_size: int = 128
    learning_rate: float = 1e-3
    kl_weight: float = 5e-4

    @classmethod
    def parse(cls, arguments: Sequence[str] | None = None) -> "Task":
        """Read a command line, the process' own without `arguments`."""
        parser = argparse.ArgumentParser(description="One contestant of `nox -s peers`.")
        parser.add_argument("--data", type=Path, required=True)
        parser.add_argument("--out", type=Path, required=True)
        parser.add_argument("--latent-dims", type=int, nargs="+", default=cls.latent_dims)
        parser.add_argument("--seeds", type=int, nargs="+", default=cls.seeds)
        parser.add_argument("--epochs", type=int, default=cls.epochs)
        parser.add_argument("--batch-size", type=int, default=cls.batch_size)
        parser.add_argument("--learning-rate", type=float, default=cls.learning_rate)
        parser.add_argument("--kl-weight", type=float, default=cls.kl_weight)
        found = vars(parser.parse_args(arguments))
        return cls(**found | {"latent_dims": tuple(found["latent_dims"]), "seeds": tuple(found["seeds"])})

    def arguments(self) -> list[str]:
        """Return the command line that `parse` reads."""
        words: list[str] = []
        for name, value in asdict(self).items():
            words += [f"--{name.replace('_', '-')}", *map(str, value if isinstance(value, tuple) else (value,))]
        return words

    def trials(self) -> list[tuple[int, int]]:
        """Return (latent dimensions, seed) of each trial, in order."""
        return [(latent_dim, seed) for latent_dim in self.latent_dims for seed in self.seeds]

    def images(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Return the training and test images."""
        with np.load(self.data, allow_pickle=False) as arrays:
            return arrays["train"], arrays["test"]

    def checksum(self) -> str:
        """Return the images' checksum."""
        with np.load(self.data, allow_pickle=False) as arrays:
            return str(arrays["checksum"])

    def reconstructions(self, latent_dim: int, seed: int, epoch: int | None = None) -> Path:
        """Return where a trial's reconstructions of the test images lie, the final ones or those after an epoch."""
        suffix = "" if epoch is None else f"-epoch{epoch}"
        return self.out / f"reconstructions-L{latent_dim}-s{seed}{suffix}.npy"


@dataclass
class Trial:
    """One trial of a result.

    Attributes:
        latent_dim: and `seed`: which one.
        began: seconds since 1970 when it began, less the uncounted seconds of its process so far.
        epoch_seconds: training alone, an entry an epoch; the first one with tracing.
        epoch_sse: squared error per test image after each epoch; filled in by the driver where the peer left pictures.
        parameters: trainable numbers.
    """

    latent_dim: int
    seed: int
    began: float
    epoch_seconds: list[float] = field(default_factory=list)
    epoch_sse: list[float] = field(default_factory=list)
    parameters: int = 0


@dataclass
class Result:
    """What a contestant leaves, beside the reconstructions.

    Attributes:
        trials: in the task's order.
        uncounted_seconds: spent on measuring the test error between epochs, which no user would have asked for.
        parallel: trials at a time.
        threads: of each.
        versions: library -> version.
    """

    trials: list[Trial]
    uncounted_seconds: float = 0.0
    parallel: int = 1
    threads: int = 1
    versions: Mapping[str, str] = field(default_factory=dict)

    @staticmethod
    def path(out: Path) -> Path:
        """Return the file of the result in a contestant's folder."""
        return out / "result.json"

    def write(self, out: Path) -> None:
        """Write it to a contestant's folder."""
        out.mkdir(parents=True, exist_ok=True)
        self.path(out).write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, out: Path) -> "Result":
        """Read what `write` wrote."""
        found: dict[str, Any] = json.loads(cls.path(out).read_text(encoding="utf-8"))
        return cls(**found | {"trials": [Trial(**trial) for trial in found["trials"]]})


class Notebook:
    """What a peer's process notes while it works, and which of its seconds don't count."""

    def __init__(self, task: Task) -> None:
        """Open an empty one."""
        self.task = task
        self.uncounted_seconds = 0.0
        self._trials: list[Trial] = []

    @contextmanager
    def uncounted(self) -> Iterator[None]:
        """Keep the time inside out of the peer's account."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.uncounted_seconds += time.perf_counter() - began

    def begin(self, latent_dim: int, seed: int) -> "TrialNotes":
        """Begin a trial."""
        trial = Trial(latent_dim, seed, time.time() - self.uncounted_seconds)
        self._trials.append(trial)
        return TrialNotes(self, trial)

    def close(self, *packages: str) -> None:
        """Write `result.json`, with the versions of the named packages."""
        versions = {name: metadata.version(name) for name in packages}
        Result(self._trials, self.uncounted_seconds, 1, os.cpu_count() or 1, versions).write(self.task.out)


class TrialNotes:
    """A page of the notebook: one trial."""

    def __init__(self, notebook: Notebook, trial: Trial) -> None:
        """Open an empty page."""
        self.notebook, self.trial = notebook, trial

    def epoch(self, seconds: float, reconstructions: NDArray[np.floating]) -> None:
        """Note an epoch: its training seconds, and the test images as decoded after it; call it uncounted."""
        self.trial.epoch_seconds.append(seconds)
        self._save(reconstructions, len(self.trial.epoch_seconds))

    def finish(self, parameters: int, reconstructions: NDArray[np.floating]) -> None:
        """Note the end of the trial: the final reconstructions are what any study ends with, and count."""
        self.trial.parameters = parameters
        self._save(reconstructions, None)

    def _save(self, reconstructions: NDArray[np.floating], epoch: int | None) -> None:
        path = self.notebook.task.reconstructions(self.trial.latent_dim, self.trial.seed, epoch)
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, reconstructions.astype(np.float32, copy=False), allow_pickle=False)
