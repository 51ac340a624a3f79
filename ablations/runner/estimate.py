"""How long trials will take, before any is trained: from those already measured, or from their arithmetic."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ablations.records.record import Record
from ablations.records.status import Status
from ablations.study.trial import Trial
from vae.cost import Cost, cost
from vae.datasets import Data
from vae.networks import Network
from vae.posteriors import Posterior
from vae.priors import Prior

__all__ = ["Forecast", "forecast", "speed_of", "total_seconds"]

# Without a record to learn from: measured on two cores of a 2020s server processor, and good to a factor of three.
FLOPS_PER_SECOND = 40e9  # of one thread in training
TRIAL_SECONDS = 3.0  # building, tracing, evaluating, saving
STEP_SECONDS = 2e-3  # that a step costs beside its arithmetic
TRAINING_FACTOR = 3  # forward and two backward products


@dataclass(frozen=True)
class Forecast:
    """What one trial costs.

    Attributes:
        cost: parameters and operations.
        seconds: estimated, on one worker.
    """

    cost: Cost
    seconds: float


def forecast(trial: Trial, data: Data, speed: float = 1.0) -> Forecast:
    """Estimate one trial.

    Args:
        trial: what would be trained.
        data: its data set.
        speed: measured time over estimated time of earlier trials; see `speed_of`.
    """
    spec = trial.spec
    cost = _cost(spec.model, spec.posterior, spec.prior, data.shape, len(data.class_names))
    train = trial.spec.train
    return Forecast(
        cost, speed * _seconds(cost.flops_per_image or 0, len(data.train.images), train.epochs, train.batch_size)
    )


def speed_of(records: Iterable[Record]) -> float | None:
    """Return the median ratio of measured to estimated time over finished trials, or None where there are none."""
    ratios = []
    for record in records:
        flops = record.metrics.get("flops_per_image")
        if record.status != Status.DONE or flops is None:
            continue
        train, images = record.spec.get("train", {}), record.data.get("train_images")
        if images is None or not {"epochs", "batch_size"} <= train.keys():
            continue
        measured = sum(
            record.timings.get(name, 0.0) for name in ("first_step_seconds", "train_seconds", "eval_seconds")
        )
        ratios.append(measured / _seconds(flops, images, train["epochs"], train["batch_size"]))
    return float(np.median(ratios)) if ratios else None


@lru_cache(maxsize=1024)
def _cost(
    network: Network, posterior: Posterior | None, prior: Prior | None, shape: tuple[int, ...], classes: int
) -> Cost:
    return cost(network, shape, posterior, prior, classes if network.conditional else 0)


def _seconds(flops: float, images: int, epochs: int, batch_size: int) -> float:
    arithmetic = TRAINING_FACTOR * flops * images / FLOPS_PER_SECOND
    return TRIAL_SECONDS + epochs * (arithmetic + STEP_SECONDS * images / batch_size)


def total_seconds(forecasts: Sequence[Forecast], workers: int) -> float:
    """Return the time of all trials on `workers` workers, never less than the longest trial's."""
    seconds = [one.seconds for one in forecasts]
    return max(sum(seconds) / workers, max(seconds, default=0.0))
