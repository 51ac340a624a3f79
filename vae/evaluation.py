"""A trained model, measured on the whole test split: the only place where metrics are reduced."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vae.datasets import Data, as_float, load
from vae.datasets._cache import read_arrays, write_arrays
from vae.errors import DivergedError
from vae.latent import Walk, interpolate
from vae.metrics import METRICS, Outcome
from vae.metrics.floor import pca_curve
from vae.metrics.latent import kl_per_dimension
from vae.spec import RunSpec
from vae.training import REMEDY, Trained

__all__ = ["Evaluation", "evaluate"]

REFERENCE_IMAGES = 10_000  # training images among which neighbours are looked for
EXAMPLES, PAIRS, STEPS, SAMPLES, MAPPED = 10, 4, 9, 32, 2000
WALKS: Mapping[str, Walk] = {"interpolations": "linear", "interpolations_spherical": "spherical"}
FLOOR_STEP = 64  # the floor's curve is kept up to the next multiple of this many components


@dataclass(frozen=True)
class Evaluation:
    """What was measured.

    Attributes:
        metrics: name -> value, None where a metric does not apply; `parameters` and `flops_per_image` among them.
        arrays: what figures show, as uint8 pictures and float32 points:
            `examples` (10, h, w, c) test images, one of each class first; `example_labels`; `reconstructions`;
            `interpolations` (pairs, steps, h, w, c) between examples of different classes, along a straight line, and
        `interpolations_spherical`, along a great circle; `interpolation_labels`;
            `samples` (32, h, w, c) decoded from the prior; `z_mean` (2000, latent_dim) and `z_labels`;
            `kl_per_dimension` (latent_dim,) nats; `sse_per_image` (n,).
        seconds: what it took.
    """

    metrics: dict[str, float | None]
    arrays: dict[str, NDArray[Any]]
    seconds: float


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
    arrays = _pictures(trained, data, outcome)
    return Evaluation(metrics, arrays, time.perf_counter() - began)


def _reduce(values: NDArray[np.floating] | float | None) -> float | None:
    """Mean over images, summed in float64; one number stays what it is."""
    return None if values is None else float(np.mean(values, dtype=np.float64))


def _outcome(trained: Trained, data: Data) -> Outcome:
    spec, model = trained.spec, trained.model
    images = as_float(data.test.images, spec.data.range)
    z_mean, z_log_var = model.encode(images)
    reconstructions = _unit(model.decode(z_mean), spec)
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


def _unit(images: NDArray[np.float32], spec: RunSpec) -> NDArray[np.float32]:
    """Return images of the model's range on the scale of [0, 1], where all metrics are measured."""
    return images if spec.data.range == "unit" else ((images + 1) / 2).astype(np.float32)


def _unit_kl_weight(spec: RunSpec) -> float | None:
    """Return the KL weight that belongs to a squared-error sum of pixels in [0, 1]; None for other likelihoods."""
    if "kl" not in spec.loss or getattr(spec.loss["reconstruction"], "likelihood", None) != "squared_error":
        return None
    weight = spec.loss["kl"].weight / (spec.loss["reconstruction"].weight or 1.0)
    return weight if spec.data.range == "unit" else weight / 4


def _floor(data: Data, latent_dim: int) -> float:
    components = -(-latent_dim // FLOOR_STEP) * FLOOR_STEP
    key = f"floor-{data.checksum[:32]}-{components}"
    found = read_arrays(key)
    if found:
        return float(found[0]["curve"][latent_dim])
    curve = pca_curve(data.train.images, data.test.images, components)
    write_arrays(key, {"curve": curve}, {})
    return float(curve[latent_dim])


def _pictures(trained: Trained, data: Data, outcome: Outcome) -> dict[str, NDArray[Any]]:
    spec, model, labels = trained.spec, trained.model, data.test.labels
    chosen = _examples(labels, len(data.test.images))
    arrays: dict[str, NDArray[Any]] = {
        "examples": data.test.images[chosen],
        "reconstructions": _uint8(outcome.reconstructions[chosen]),
        "z_mean": outcome.z_mean[:MAPPED],
        "sse_per_image": np.square(outcome.images - outcome.reconstructions).sum(axis=(1, 2, 3)),
    }
    pairs = np.array([(i, (i + 1) % len(chosen)) for i in range(0, min(2 * PAIRS, len(chosen) - 1), 2)])
    for name, path in WALKS.items():
        arrays[name] = _walk(trained, data, outcome.z_mean[chosen[pairs]], path)
    if labels is not None:
        arrays |= {
            "example_labels": labels[chosen],
            "interpolation_labels": labels[chosen[pairs]],
            "z_labels": labels[:MAPPED],
        }
    rates = kl_per_dimension(outcome)
    if rates is not None:
        arrays["kl_per_dimension"] = rates.mean(axis=0)
        z = np.random.default_rng(spec.train.seed).standard_normal((SAMPLES, spec.model.latent_dim), dtype=np.float32)
        arrays["samples"] = _uint8(_unit(model.decode(z), spec))
    return arrays


def _walk(trained: Trained, data: Data, ends: NDArray[np.floating], path: Walk) -> NDArray[np.uint8]:
    """Decode the way between `ends` (pairs, 2, latent_dim); returns (pairs, steps, height, width, channels)."""
    z = interpolate(ends[:, 0], ends[:, 1], STEPS, path).swapaxes(0, 1)
    images = _unit(trained.model.decode(z.reshape(-1, z.shape[-1])), trained.spec)
    return _uint8(images).reshape(*z.shape[:2], *data.shape)


def _examples(labels: NDArray[np.int64] | None, n: int) -> NDArray[np.int64]:
    """Return the places of ten test images, one of each class before a second of any."""
    if labels is None:
        return np.arange(min(EXAMPLES, n))
    rank = np.empty(n, dtype=np.int64)  # how many images of the same class come before
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        rank[members] = np.arange(len(members))
    return np.lexsort((labels, rank))[:EXAMPLES]


def _uint8(images: NDArray[np.floating]) -> NDArray[np.uint8]:
    return np.asarray(np.rint(np.clip(images, 0, 1) * 255), dtype=np.uint8)
