"""What a metric is and what it may look at: NumPy arrays alone, so that a table needs no deep-learning library."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vae.registry import Registry

__all__ = ["METRICS", "Array", "Metric", "Outcome", "metric"]

Array = NDArray[np.floating]
Direction = Literal["lower", "higher", "neither"]


@dataclass(frozen=True)
class Outcome:
    """What a trained model made of the test split.

    Attributes:
        images: (n, height, width, channels) float32 in [0, 1], whatever range the model was trained in.
        reconstructions: the same shape, decoded from `z_mean`, in [0, 1]'s scale.
        z_mean: (n, latent_dim), the posterior's mean.
        z_log_var: (n, latent_dim), the logarithm of its variance; None for a deterministic autoencoder.
        labels: (n,) or None.
        reference_z_mean: (m, latent_dim), of training images, for neighbours.
        reference_labels: (m,) or None.
        pca_mse: test MSE of a PCA with latent_dim components fitted on the training split.
        kl_weight: the weight that the KL term ended with; None without such a term.
    """

    images: Array
    reconstructions: Array
    z_mean: Array
    z_log_var: Array | None
    labels: NDArray[np.int64] | None
    reference_z_mean: Array
    reference_labels: NDArray[np.int64] | None
    pca_mse: float
    kl_weight: float | None
    cache: dict[str, Array] = field(default_factory=dict, compare=False)


@dataclass(frozen=True)
class Metric:
    """One measured quantity.

    Attributes:
        name: the column in the table.
        label: as figures and reports print it.
        unit: "" where there is none.
        better: which way is an improvement.
        compute: per-image values (n,), one number, or None where it does not apply.
    """

    name: str
    label: str
    unit: str
    better: Direction
    compute: Callable[[Outcome], Array | float | None]


METRICS: Registry[Metric] = Registry("metric", "vae.metrics")


def metric(
    name: str, label: str, *, unit: str = "", better: Direction = "neither"
) -> Callable[[Callable[[Outcome], Array | float | None]], Metric]:
    """Register the decorated function as the metric `name`."""

    def wrap(compute: Callable[[Outcome], Array | float | None]) -> Metric:
        return METRICS.register(name)(Metric(name, label, unit, better, compute))

    return wrap
