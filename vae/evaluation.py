"""A trained model, measured on the whole test split: the only place where metrics are reduced."""

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vae.cache import read_arrays, write_arrays
from vae.datasets import RANGES, Data, as_float, load
from vae.environment import keras_defaults
from vae.errors import DivergedError
from vae.metrics import METRICS, Outcome
from vae.metrics.floor import pca_curve
from vae.pictures import pictures, to_unit
from vae.spec import RunSpec
from vae.training import REMEDY, Trained

__all__ = ["Evaluation", "evaluate"]

REFERENCE_IMAGES = 10_000  # training images among which neighbours are looked for
FLOOR_STEP = 64  # the floor's curve is kept up to the next multiple of this many components


@dataclass(frozen=True)
class Evaluation:
    """What was measured.

    Attributes:
        metrics: name -> value, None where a metric does not apply; `parameters` and `flops_per_image` among them.
        arrays: what figures show, pictures as uint8 in [0, 255]:
            `examples` (10, h, w, c) test images, one of each class first; `example_labels`; `reconstructions`;
            `interpolations` (pairs, steps, h, w, c) between examples of different classes, along a straight line, and
            `interpolations_spherical`, along a great circle; `interpolation_labels`;
            `class_walks` (pairs, steps, h, w, c), straight lines between the first examples of up to ten classes,
            every pair of them, and `class_walk_labels` (pairs, 2); without labels between the first six examples;
            `traversals` (k, steps, h, w, c): the first example's z_mean, one dimension of `traversed` (k,) set to each
            of `traversal_values` (steps,); the k <= 8 dimensions with the most KL, `traversal_kl` (k,) nats, or of a
            deterministic autoencoder with the most variance of z_mean, `traversal_variance` (k,);
            `plane` (g, g, h, w, c) where latent_dim is 2: [i, j] decoded from z = (values[j], values[i]) of
            `plane_values` (g,);
            `extreme_examples` and `extreme_reconstructions` (2, 8, h, w, c): the test images with the most squared
            error, then those with the least; `extreme_sse` (2, 8); `extreme_labels`;
            `samples` (32, h, w, c) decoded from the prior; `nearest` (32, h, w, c), each one's nearest training image
            by squared error; `nearest_mse` (32,) per pixel, and `nearest_mse_test` (200,), the same for test images;
            `z_mean` (2000, latent_dim) and `z_labels`; `kl_per_dimension` (latent_dim,) nats, or
            `variance_per_dimension` of a deterministic autoencoder; `sse_per_image` (n,) and `labels` (n,).
        seconds: what it took.
    """

    metrics: dict[str, float | None]
    arrays: dict[str, NDArray[Any]]
    seconds: float


@keras_defaults()
def evaluate(trained: Trained, data: Data | None = None) -> Evaluation:
    """Measure a trained model.

    Args:
        trained: what `train` returned.
        data: the data set it was trained on; loaded from its spec without it.

    Raises:
        DivergedError: the model gives numbers that are not finite.
    """
    began = time.perf_counter()
    data = data or load(trained.spec.data)
    outcome = _outcome(trained, data)
    metrics = {name: _reduce(entry.compute(outcome)) for name, entry in METRICS.items()}
    cost = trained.spec.model.cost(data.shape)
    metrics |= {"parameters": float(cost.parameters), "flops_per_image": float(cost.flops_per_image)}
    arrays = pictures(trained, data, outcome)
    return Evaluation(metrics, arrays, time.perf_counter() - began)


def _reduce(values: NDArray[np.floating] | float | None) -> float | None:
    """Mean over images, summed in float64; one number stays what it is."""
    return None if values is None else float(np.mean(values, dtype=np.float64))


def _outcome(trained: Trained, data: Data) -> Outcome:
    spec, model = trained.spec, trained.model
    images = as_float(data.test.images, spec.data.range)
    z_mean, z_log_var = model.encode(images)
    reconstructions = to_unit(model.decode(z_mean), spec)
    if not np.isfinite(reconstructions).all():
        raise DivergedError(f"the model's images are not finite after the last epoch. {REMEDY}")
    reference = np.arange(len(data.train.images))
    if len(reference) > REFERENCE_IMAGES:
        reference = np.sort(np.random.default_rng(0).permutation(reference)[:REFERENCE_IMAGES])
    reference_labels = None if data.train.labels is None else data.train.labels[reference]
    # Without labels nobody asks for neighbours.
    reference_z = z_mean[:0]
    if reference_labels is not None:
        reference_z, _ = model.encode(as_float(data.train.images[reference], spec.data.range))
    return Outcome(
        images=as_float(data.test.images, "unit"),
        reconstructions=reconstructions,
        z_mean=z_mean,
        z_log_var=z_log_var,
        labels=data.test.labels,
        reference_z_mean=reference_z,
        reference_labels=reference_labels,
        pca_mse=_floor(data, spec.model.latent_dim),
        kl_weight=_unit_kl_weight(spec),
    )


def _unit_kl_weight(spec: RunSpec) -> float | None:
    """Return the KL weight that belongs to a squared-error sum of pixels in [0, 1]; None for other likelihoods."""
    if "kl" not in spec.loss:
        return None
    variances = (term.noise_variance(spec.loss["kl"].weight) for term in spec.loss.values())
    variance = next((found for found in variances if found is not None), None)
    low, high = RANGES[spec.data.range]
    return None if variance is None else 2 * variance / (high - low) ** 2


def _floor(data: Data, latent_dim: int) -> float:
    components = -(-latent_dim // FLOOR_STEP) * FLOOR_STEP
    key = f"floor-{data.checksum[:32]}-{components}"
    found = read_arrays(key)
    if found and found[0].get("curve", np.empty(0)).shape == (components + 1,):
        return float(found[0]["curve"][latent_dim])
    curve = pca_curve(data.train.images, data.test.images, components)
    write_arrays(key, {"curve": curve}, {})
    return float(curve[latent_dim])
