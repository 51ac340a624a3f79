"""Evaluation of a trained model, each metric, and the linear floor, on test splits of random images."""

from functools import cache, partial
from typing import TYPE_CHECKING

import numpy as np

from bench._case import Work, case
from bench.cases.training import LATENT_DIM, NETWORKS_TIMED, SHAPES, build_model
from vae.datasets import Data, Split
from vae.errors import AbsentError
from vae.metrics import METRICS, Outcome
from vae.spec import RunSpec

if TYPE_CHECKING:
    from vae.training import Trained

__all__: list[str] = []

IMAGES, SMALL_IMAGES = 10_000, 250
EVALUATED = 100  # images of the gate's evaluation
CLASSES = 10
FACTORS, FACTOR_VALUES = 5, 8


def _untrained(kind: str, dataset: str, n: int) -> "tuple[Trained, Data]":
    from vae.training import Trained

    rng, shape = np.random.default_rng(0), SHAPES[dataset]
    train, test = (
        Split(
            rng.integers(0, 256, (n, *shape), dtype=np.uint8),
            rng.integers(0, CLASSES, n),
            rng.integers(0, FACTOR_VALUES, (n, FACTORS)),
        )
        for _ in range(2)
    )
    names = tuple(map(str, range(CLASSES)))
    data = Data(dataset, train, test, names, checksum=f"random-{n}-{dataset}", licence="", source="")
    spec = RunSpec.parse({"model": {**NETWORKS_TIMED[kind], "latent_dim": LATENT_DIM}}, "run")
    return Trained(spec, build_model(kind, shape), [], {}, {}), data


def _evaluate(kind: str, dataset: str, small: bool) -> Work:
    from vae.evaluation import evaluate

    n = EVALUATED if small else 1000
    trained, data = _untrained(kind, dataset, n)
    return Work(lambda: evaluate(trained, data).metrics, {"images": n})


for _kind, _dataset in (("dense_vae", "fashion_mnist"), ("conv", "digits"), ("conv", "fashion_mnist")):
    case(f"evaluate-{_kind}-{_dataset}", "evaluation", gate=_dataset == "digits")(partial(_evaluate, _kind, _dataset))


@cache
def _outcome(n: int) -> Outcome:
    """Return what a model may have made of n images of 28x28, labelled by classes that its codes tell apart."""
    rng = np.random.default_rng(0)
    images = rng.random((n, 28, 28, 1), dtype=np.float32)
    labels = rng.integers(0, CLASSES, n)
    centres = rng.standard_normal((CLASSES, LATENT_DIM)).astype(np.float32)
    z_mean = centres[labels] + 0.3 * rng.standard_normal((n, LATENT_DIM)).astype(np.float32)
    return Outcome(
        images=images,
        reconstructions=np.clip(images + 0.1, 0, 1).astype(np.float32),
        z_mean=z_mean,
        z_log_var=np.full_like(z_mean, -2),
        labels=labels,
        reference_z_mean=z_mean + np.float32(0.01),
        reference_labels=labels,
        pca_mse=0.05,
        kl_weight=1e-3,
    )


def _metric(name: str, small: bool) -> Work:
    n, compute = SMALL_IMAGES if small else IMAGES, METRICS[name].compute
    outcome = _outcome(n)
    if not _asks_the_model(name):
        return Work(lambda: compute(outcome), {"images": n})
    trained, data = _untrained("conv", "digits" if small else "fashion_mnist", n)
    # With all that the metric asks for: another one that asks for the same gets it for nothing.
    return Work(lambda: compute(Outcome(trained.model, data, trained.spec)), {"images": n})


def _asks_the_model(name: str) -> bool:
    try:
        return METRICS[name].compute(_outcome(CLASSES)) is None
    except AbsentError:
        return True


for _name in METRICS:
    if _name not in {"pca_mse", "sigma"}:  # those look up
        case(f"metric-{_name}", "metric", gate=_name in {"ssim", "knn_accuracy"})(partial(_metric, _name))


@case("metric-pca_floor", "metric")
def _floor(small: bool) -> Work:
    from vae.floor import pca_curve

    n, side = (SMALL_IMAGES, 12) if small else (IMAGES, 28)
    images = np.random.default_rng(0).integers(0, 256, (n, side, side, 1), dtype=np.uint8)
    return Work(lambda: pca_curve(images, images[: n // 10], 64 if small else 256), {"images": n})
