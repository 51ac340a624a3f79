"""The contestants, and one run of one of them: command, result, and the numbers that follow from both."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bench.peers import vaebench_study
from bench.peers._contract import Result, Task, Trial
from bench.peers._environments import Environment
from bench.peers._measure import Measured, measure
from vae.cost import cost
from vae.datasets import DataSpec, as_float
from vae.errors import VaebenchError
from vae.metrics import METRICS, Outcome
from vae.networks import NETWORKS

__all__ = ["CONTESTANTS", "Contestant", "Run", "perform", "read", "schedule", "squared_error"]

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Contestant:
    """One way of running the study.

    Attributes:
        name: short, as in tables.
        what: a line for the reader.
        decoder: of the convolutional network.
        module: the peer's script; None for `vaebench run`.
        precision: of the arithmetic inside the network.
    """

    name: str
    what: str
    decoder: Literal["mirrored", "paper"]
    module: str | None = None
    precision: Literal["float32", "bfloat16"] = "float32"


CONTESTANTS = (
    Contestant("vaebench", "`vaebench run`", "mirrored"),
    Contestant("vaebench-bfloat16", '`vaebench run`, `precision = "bfloat16"`', "mirrored", precision="bfloat16"),
    Contestant("keras", "our model, bare Keras `fit`", "mirrored", "bench.peers.bare_keras"),
    Contestant("pythae", "pythae's trainer, same modules", "mirrored", "bench.peers.pythae_trainer"),
    Contestant("vaebench-paper", "`vaebench run`, batch normalisation", "paper"),
    Contestant("paper", "the paper's own way", "paper", "bench.peers.paper"),
)


@dataclass(frozen=True)
class Run:
    """One run of one contestant.

    Attributes:
        name: the contestant's.
        block: which repeat it belongs to, from 0.
        seconds: from the command to the metrics, less what was uncounted.
        command_seconds: to the end of the command: with the report, where there is one.
        images_per_second: of all trials that run at a time, first epoch left out where there are more.
        peak_rss_mb: of all its processes together.
        sse: latent dimensions -> final squared error per test image, mean over seeds.
        trials: as the result has them; `began` in seconds since the command.
        parameters: trainable numbers with the most latent dimensions.
        parallel: trials at a time.
        threads: of each.
        versions: library -> version.
        failure: why there is nothing of this; empty where it ended well.
    """

    name: str
    block: int
    seconds: float = 0.0
    command_seconds: float = 0.0
    images_per_second: float = 0.0
    peak_rss_mb: float = 0.0
    sse: dict[int, float] | None = None
    trials: Sequence[Trial] = ()
    parameters: int = 0
    parallel: int = 1
    threads: int = 1
    versions: dict[str, str] | None = None
    failure: str = ""


def schedule(names: Sequence[str], repeats: int) -> list[tuple[int, str]]:
    """Return (block, name) in the order of running: there and back again, so that a drift of the machine cancels.

    The last two of four or more stand in the middle and run once a block, as the last of fewer does; all others twice.

    >>> [name for _, name in schedule(["ours", "fast", "slow", "slower"], 1)]
    ['ours', 'fast', 'slow', 'slower', 'fast', 'ours']
    """
    once = 2 if len(names) > 3 else 1  # noqa: PLR2004 - of two, both would stand there
    return [(block, name) for block in range(repeats) for name in (*names, *names[:-once][::-1])]


def squared_error(images: NDArray[np.uint8], reconstructions: NDArray[np.float32]) -> float:
    """Return our own metric `sse` of uint8 images and float reconstructions in [0, 1], mean over the images."""
    codes = np.zeros((len(images), 1), np.float32)
    outcome = Outcome(
        images=as_float(images),
        reconstructions=reconstructions,
        z_mean=codes,
        z_log_var=None,
        labels=None,
        reference_z_mean=codes,
        reference_labels=None,
        pca_mse=0.0,
        kl_weight=None,
    )
    return float(np.mean(np.asarray(METRICS["sse"].compute(outcome)), dtype=np.float64))


def perform(contestant: Contestant, block: int, task: Task, data: DataSpec, pythae: Environment) -> Run:
    """Run a contestant in the task's folder and read what it left; a failure is a run too."""
    python = pythae.python if contestant.name == "pythae" else Path(sys.executable)
    if python is None:
        return Run(contestant.name, block, failure=f"could not be installed: {pythae.reason}")
    if contestant.module is None:
        vaebench_study.write_study(task, data, contestant.decoder, contestant.precision)
        command = vaebench_study.command(task)
    else:
        command = [str(python), "-m", contestant.module, *task.arguments()]
    environment = {"PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "2", "KERAS_BACKEND": "tensorflow"}
    measured = measure(command, task.out / "log.txt", environment)
    if measured.failure:
        return Run(contestant.name, block, failure=measured.failure)
    seconds = measured.seconds
    try:
        if contestant.module is None:
            seconds = vaebench_study.metrics_at(task) - measured.began
            vaebench_study.translate(task).write(task.out)
        return read(contestant, block, task, replace(measured, seconds=seconds), measured.seconds)
    except (OSError, ValueError, VaebenchError) as error:
        return Run(contestant.name, block, failure=f"its result can't be read: {error}")


def _check(contestant: Contestant, task: Task, result: Result) -> None:
    """Refuse a result of other trials, or of another network than ours."""
    wrong = [trial for trial in result.trials if len(trial.epoch_seconds) != task.epochs]
    if wrong or [(trial.latent_dim, trial.seed) for trial in result.trials] != task.trials():
        raise VaebenchError(f"got {result.trials}, expected {task.epochs} epochs of each of the trials {task.trials()}")
    shape = task.images()[0].shape[1:]
    for trial in result.trials:
        settings = {"name": "conv", "decoder": contestant.decoder, "latent_dim": trial.latent_dim}
        expected = cost(NETWORKS["conv"].parse(settings, "model"), shape).parameters
        if trial.parameters != expected:
            raise VaebenchError(
                f"got {trial.parameters} parameters with {trial.latent_dim} latent dimensions, expected {expected}: "
                f"'{contestant.name}' does not train our network"
            )


def read(contestant: Contestant, block: int, task: Task, measured: Measured, command_seconds: float) -> Run:
    """Return the run that a contestant's folder tells of.

    Raises:
        OSError: nothing is there.
        VaebenchError: it is not what the task asked for.
    """
    result = Result.read(task.out)
    train, test = task.images()
    _check(contestant, task, result)
    sse: dict[int, list[float]] = {}
    for trial in result.trials:
        final = np.load(task.reconstructions(trial.latent_dim, trial.seed), allow_pickle=False)
        sse.setdefault(trial.latent_dim, []).append(squared_error(test, final))
        if not trial.epoch_sse:
            paths = [task.reconstructions(trial.latent_dim, trial.seed, epoch + 1) for epoch in range(task.epochs)]
            trial.epoch_sse = [squared_error(test, np.load(path, allow_pickle=False)) for path in paths]
        trial.began -= measured.began
    steady = [fmean(trial.epoch_seconds[1:] or trial.epoch_seconds) for trial in result.trials]
    return Run(
        contestant.name,
        block,
        seconds=measured.seconds - result.uncounted_seconds,
        command_seconds=command_seconds - result.uncounted_seconds,
        images_per_second=result.parallel * len(train) / fmean(steady),
        peak_rss_mb=measured.peak_rss_mb,
        sse={latent_dim: fmean(values) for latent_dim, values in sse.items()},
        trials=result.trials,
        parameters=max(trial.parameters for trial in result.trials),
        parallel=result.parallel,
        threads=result.threads,
        versions=dict(result.versions),
    )
