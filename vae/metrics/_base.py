"""What a metric is and what it may look at: NumPy arrays alone, so that a table needs no deep-learning library."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, TypedDict, Unpack

import numpy as np
from numpy.typing import NDArray

from vae.registry import Registry

__all__ = ["METRICS", "Array", "Column", "Metric", "Outcome", "metric"]

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
        compute: per-image values (n,), one number, or None where it does not apply.
        short: the label within a sentence; "" for the label itself.
        unit: "" where there is none.
        better: which way is an improvement.
        digits: significant digits in print; 0 prints whole numbers.
        fixed: computed from settings or data alone, so that seeds do not move it.
        order: the column's place in a table, the lowest first; None puts it after all others, by alphabet.
    """

    name: str
    label: str
    compute: Callable[[Outcome], Array | float | None]
    short: str = ""
    unit: str = ""
    better: Direction = "neither"
    digits: int = 4
    fixed: bool = False
    order: int | None = None


class Column(TypedDict, total=False):
    """What a metric says of its column besides name and label; see `Metric`."""

    short: str
    unit: str
    better: Direction
    digits: int
    fixed: bool
    order: int


METRICS: Registry[Metric] = Registry("metric", "vae.metrics")


def metric(
    name: str, label: str, **column: Unpack[Column]
) -> Callable[[Callable[[Outcome], Array | float | None]], Metric]:
    """Register the decorated function as the metric `name`, with what `Metric` says of its column."""

    def wrap(compute: Callable[[Outcome], Array | float | None]) -> Metric:
        return METRICS.register(name)(Metric(name, label, compute, **column))

    return wrap
