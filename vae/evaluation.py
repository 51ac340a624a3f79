"""A trained model, measured on the whole test split: the only place where metrics are reduced."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from vae.cost import cost_of_model
from vae.datasets import Data, load
from vae.environment import keras_defaults
from vae.errors import DivergedError
from vae.metrics import METRICS, VALIDATION, Metric, Outcome, usual_metrics
from vae.on_arrays import Arrays, as_data
from vae.pictures import pictures
from vae.plugins import place_in
from vae.training import Trained

__all__ = ["Evaluation", "evaluate", "measure"]


@dataclass(frozen=True)
class Evaluation:
    """What was measured.

    Attributes:
        metrics: name -> value, None where a metric does not apply; `parameters` and `flops_per_image` among them, and
            `val_` and the name of each metric of the test images, on the validation images, where there are any.
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
            `samples` (32, h, w, c) decoded from the prior, `sample_labels` (32,) of a conditional model, whose classes
            take turns; `nearest` (32, h, w, c), each one's nearest training image
            by squared error; `nearest_mse` (32,) per pixel, and `nearest_mse_test` (200,), the same for test images;
            `z_mean` (2000, latent_dim) and `z_labels`; `kl_per_dimension` (latent_dim,) nats, or
            `variance_per_dimension` of a deterministic autoencoder; `sse_per_image` (n,) and `labels` (n,).
        seconds: what it took.
        notes: `uncounted_operations`, by name, where the operations of an image could not be counted; `not_measured`,
            what went wrong with metrics of the user's own.
    """

    metrics: dict[str, float | None]
    arrays: dict[str, NDArray[Any]]
    seconds: float
    notes: dict[str, str] = field(default_factory=dict)


@keras_defaults()
def evaluate(
    trained: Trained, data: Data | Arrays | None = None, metrics: Mapping[str, Mapping[str, Any]] | None = None
) -> Evaluation:
    """Measure a trained model.

    Args:
        trained: what `train` returned.
        data: the data set, or the arrays, it was trained on; loaded from its spec without it.
        metrics: name -> settings of what is measured; without it, every metric of low expense that is known.

    Raises:
        DivergedError: the model gives numbers that are not finite.
        MetricError: a metric gave what is no measurement.
        SpecError: a metric or a setting of one is not known.
    """
    began = time.perf_counter()
    data = load(trained.spec.data) if data is None else as_data(data, trained.spec)
    outcome = Outcome(trained.model, data, trained.spec)
    _ = outcome.reconstructions  # of a model that left the finite numbers, nothing is measured
    values, failed = measure(outcome, usual_metrics() if metrics is None else metrics)
    cost = cost_of_model(trained.model)
    flops = None if cost.flops_per_image is None else float(cost.flops_per_image)
    values |= {"parameters": float(cost.parameters), "flops_per_image": flops}
    notes = {"uncounted_operations": ", ".join(cost.uncounted)} if cost.uncounted else {}
    notes |= {"not_measured": "; ".join(failed.values())} if failed else {}
    arrays = pictures(trained.model, data, outcome, trained.spec.train.seed)
    return Evaluation(values, arrays, time.perf_counter() - began, notes)


def measure(
    outcome: Outcome, metrics: Mapping[str, Mapping[str, Any]]
) -> tuple[dict[str, float | None], dict[str, str]]:
    """Return name -> value of each metric, with its settings, and name -> what went wrong.

    Where there are validation images, metrics that choices may be made by are measured on them too, as `val_NAME`:
    those of low expense, and those with a better side.
    A metric from outside that fails costs its own number alone: the training is not lost, and it is measured later by
    `vaebench evaluate`.

    Raises:
        VaebenchError: a metric of ours can't be measured.
    """
    values, failed = _measured(outcome, metrics)
    validation = outcome.on_validation()
    if validation is None:
        return values, failed
    chosen = {name: one for name, one in metrics.items() if name not in failed and _decides(METRICS[name])}
    found, others = _measured(validation, chosen)
    return values | {f"{VALIDATION}{name}": value for name, value in found.items()}, others | failed


def _decides(one: Metric) -> bool:
    return not one.fixed and (one.expense == "low" or one.better != "neither")


def _measured(
    outcome: Outcome, metrics: Mapping[str, Mapping[str, Any]]
) -> tuple[dict[str, float | None], dict[str, str]]:
    values: dict[str, float | None] = {}
    failed: dict[str, str] = {}
    for name, settings in metrics.items():
        try:
            values[name] = METRICS[name].measure(outcome, settings)
        except (Exception, SystemExit) as error:
            if METRICS.place(name).door == "built in" or isinstance(error, DivergedError):
                raise
            failed[name] = f"{name}: {place_in(error)}{type(error).__name__}: {error}"
    return values, failed
