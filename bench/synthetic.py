"""A study as the harness would leave it, made of real digits and PCA in a second: no model is trained.

Benchmarks and tests of tables and reports read it.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import combinations, product
from typing import Any

import numpy as np
import pandas as pd
from sklearn.datasets import load_digits

from ablations.records.record import Record
from ablations.records.status import Status
from ablations.report.report import Source
from vae.latent import interpolate, plane, traverse
from vae.nearest import nearest_images

__all__ = ["HOSTILE", "Demo", "demo", "joined"]

HOSTILE = (
    "<script>alert(1)</script><img src=x onerror=alert(2)>",
    r"\input{/etc/passwd} $x^2_1$ 100% & #1 ~ {open",
    "../../etc/passwd\0\x1b[31m",
    "line one\nline two\r\n\tline three",
    "\N{PILE OF POO} family \U0001f468\u200d\U0001f469\u200d\U0001f467 日本語",
    "\u202eevil\u202c \u05e9\u05dc\u05d5\u05dd عربى",
    "x" * 300,
    "=cmd|' /C calc'!A0",
    "\"quoted\" 'single' `tick` -- --- ?` !`",
    "Ünïcödé ﬁ ½ naïve Łódź √∑",
)
PLANE_VALUES = np.linspace(-3, 3, 15, dtype=np.float32)
_BROKEN = 3  # this many from the end is the trial that failed
_STRONG = 1e-2  # a KL weight that costs most of the nats
_EFFECT = {"dense": 1.12, "conv": 0.78, "conv-paper": 0.84}


@dataclass
class Demo:
    """Records with their files, and the source of a report made of them."""

    records: list[Record] = field(default_factory=list)
    histories: dict[str, pd.DataFrame] = field(default_factory=dict)
    arrays: dict[str, dict[str, np.ndarray]] = field(default_factory=dict)
    axes: dict[str, list[object]] = field(default_factory=dict)

    def source(self, **changes: Any) -> Source:
        """Return what a report is made from, with some settings changed."""
        settings: dict[str, Any] = {
            "name": "digits",
            "title": "Latent size, KL weight and the SSIM term on handwritten digits",
            "question": "Which latent size and which KL weight, does the SSIM term help, and at what cost?",
            "spec_text": 'name = "digits"\n[axes]\nlatent_dim = [2, 8, 16]\n',
            "axes": self.axes,
            "baseline": {"model": "dense"},
            "command": "vaebench run digits --results results",
            "records": self.records,
            "history": lambda record: self.histories.get(record.trial, pd.DataFrame()),
            "arrays": lambda record: self.arrays.get(record.trial, {}),
        }
        return Source(**(settings | changes))


def demo(  # noqa: PLR0913 - a study's axes
    *,
    dataset: str = "digits",
    models: Sequence[str] = ("dense", "conv", "conv-paper"),
    latents: Sequence[int] = (2, 8, 16),
    weights: Sequence[float] = (1e-4, 1e-2),
    ssim_weights: Sequence[float] = (0.0, 1.0),
    seeds: Sequence[int] = (0, 1),
    class_names: Sequence[str] = tuple("0123456789"),
    broken: bool = True,
) -> Demo:
    """Make a study on scikit-learn's digits; one trial diverged where `broken` is set."""
    made = Demo(
        axes={
            "dataset": [dataset],
            "model": list(models),
            "latent_dim": list(latents),
            "kl_weight": list(weights),
            "ssim_weight": list(ssim_weights),
            "seed": list(seeds),
        },
    )
    digits = load_digits()
    images, labels = digits.images / 16.0, digits.target
    for model, latent, weight, ssim_weight, seed in product(models, latents, weights, ssim_weights, seeds):
        if model == "dense" and (weight != weights[0] or ssim_weight):
            continue
        axes = {
            "dataset": dataset,
            "model": model,
            "latent_dim": latent,
            "kl_weight": None if model == "dense" else weight,
            "ssim_weight": ssim_weight,
            "seed": seed,
        }
        _trial(made, axes, (images, labels), list(class_names))
    if broken and len(made.records) > _BROKEN:
        made.records[-_BROKEN] = _failed(made, made.records[-_BROKEN])
    return made


@lru_cache(maxsize=1)
def _components() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    images = load_digits().images / 16.0
    flat = images.reshape(len(images), -1)
    mean = flat.mean(axis=0)
    return flat, mean, np.linalg.svd(flat - mean, full_matrices=False)[2]


def _failed(made: Demo, record: Record) -> Record:
    made.histories.pop(record.trial, None)
    made.arrays.pop(record.trial, None)
    parts = {**vars(record), "status": "failed", "reason": "DivergedError: loss is NaN in epoch 4, step 117"}
    return Record(**{**parts, "metrics": {}, "timings": {}})


def _trial(made: Demo, axes: Mapping[str, Any], data: tuple[np.ndarray, np.ndarray], names: list[str]) -> None:
    text = "-".join(str(value) for value in axes.values())
    digest = hashlib.sha256(text.encode()).hexdigest()
    rng = np.random.default_rng(int(digest[:8], 16))
    model, latent, weight, ssim_weight = (axes[name] for name in ("model", "latent_dim", "kl_weight", "ssim_weight"))
    flat, mean, directions = _components()
    z = (flat - mean) @ directions[:latent].T
    pca = float(((z @ directions[:latent] + mean - flat) ** 2).mean())
    factor = _EFFECT.get(str(model), 1.0) * (1 + 6 * float(weight or 0)) * (1 + 0.01 * float(ssim_weight))
    mse = pca * factor * (1 + 0.012 * rng.standard_normal())
    vae = weight is not None
    kl = float(latent * (1.1 if weight == _STRONG else 4.9) * (1 + 0.02 * rng.standard_normal())) if vae else None
    seconds = (
        {"dense": 3.1, "conv": 14.2}.get(str(model), 39.0) * (1 + 0.05 * rng.random()) * (1 + 0.3 * float(ssim_weight))
    )
    trial = f"{hashlib.sha256(str(axes['dataset']).encode()).hexdigest()[:4]}-{model}-{latent}-{digest[:8]}"
    made.records.append(
        Record(
            trial=trial,
            digest=digest,
            axes=dict(axes),
            status=Status.DONE,
            spec={"data": {"name": axes["dataset"]}, "model": {"name": model, "latent_dim": latent}},
            metrics={
                "mse": mse,
                "sse": mse * 64,
                "psnr": -10 * float(np.log10(mse)),
                "ssim": 1 - 7.5 * mse * (1 - 0.12 * float(ssim_weight)) + 0.001 * rng.standard_normal(),
                "kl": kl,
                "active_units": float(latent),
                "knn_accuracy": 0.985 - 2.2 * pca * (1 + 0.02 * rng.standard_normal()),
                "pca_mse": pca,
                "sigma": float(np.sqrt(float(weight) / 2)) if vae else None,
                "posterior_scale": 1.0 + float(rng.random()) if vae else None,
                **(_generative(mse, float(weight or 0), rng) if vae else {}),
                "parameters": {"dense": 13_000, "conv": 211_000}.get(str(model), 590_000) + 1025 * latent,
                "flops_per_image": {"dense": 26_000, "conv": 2_100_000}.get(str(model), 9_800_000) + 2050 * latent,
            },
            timings={
                "train_seconds": seconds,
                "first_step_seconds": seconds * 0.08,
                "seconds_per_epoch": seconds / 12,
                "images_per_second": 12 * 1257 / seconds,
                "eval_seconds": 0.4 + 0.1 * rng.random(),
                "cpu_seconds": 1.4 * seconds,
                "peak_rss_mb": 812.0 + 10 * rng.random(),
            },
            environment={
                "machine": "x86_64, 2 cores",
                "system": "Linux",
                "versions": {"python": "3.11.7", "keras": "3.15.0", "numpy": "2.4.0"},
                "threads": 1,
                "device": "CPU",
            },
            data={
                "name": axes["dataset"],
                "checksum": "sha256:" + hashlib.sha256(b"digits").hexdigest(),
                "licence": "CC BY 4.0",
                "source": "https://example.org/digits",
                "shape": [8, 8, 1],
                "train_images": 1257,
                "test_images": 540,
                "class_names": names,
            },
            code={"vae": "4f1c0d2e" * 8, "git": None},
            started="2025-03-01T10:00:00+00:00",
            finished="2025-03-01T10:01:40+00:00",
        ),
    )
    made.histories[trial] = _history(axes, mse, kl, rng)
    made.arrays[trial] = _arrays(data, z, (directions[:latent], mean), rng, vae=vae, noise=float(np.sqrt(mse)))


def _generative(mse: float, weight: float, rng: np.random.Generator) -> dict[str, float]:
    """Return how likely the data are and how good samples look: better with the higher weight, unlike the error."""
    strong = weight == _STRONG
    return {
        "elbo": -200.0 - 4000 * mse + (30 if strong else 0) + float(rng.standard_normal()),
        "frechet_pca": (0.6 if strong else 1.5) * (1 + 0.05 * float(rng.standard_normal())) + 10 * mse,
        "frechet_pca_floor": 0.087,
    }


def _history(axes: Mapping[str, Any], mse: float, kl: float | None, rng: np.random.Generator) -> pd.DataFrame:
    epoch = np.arange(1, 13)
    curve = mse * 64 * (1 + 6 * np.exp(-epoch / 2.2)) * (1 + 0.01 * rng.standard_normal(12))
    frame = {"epoch": epoch, "reconstruction": curve * 1.04, "val_reconstruction": curve}
    if kl is not None:
        rise = kl * (1 - np.exp(-epoch / 1.8))
        frame |= {"kl": rise, "val_kl": rise * 0.99, "kl_weight": np.full(12, axes["kl_weight"])}
    if axes["ssim_weight"]:
        frame |= {"ssim": curve / 40, "val_ssim": curve / 41, "ssim_weight": np.ones(12)}
    frame |= {"loss": curve * 1.05, "val_loss": curve * 1.01, "seconds": np.full(12, 0.3)}
    return pd.DataFrame(frame)


def _arrays(
    data: tuple[np.ndarray, np.ndarray],
    z: np.ndarray,
    components: tuple[np.ndarray, np.ndarray],
    rng: np.random.Generator,
    *,
    vae: bool,
    noise: float,
) -> dict[str, np.ndarray]:
    images, labels = data
    directions, mean = components

    def decode(points: np.ndarray) -> np.ndarray:
        flat = points @ directions + mean
        pixels: np.ndarray = np.round(255 * np.clip(flat, 0, 1)).astype(np.uint8)
        return pixels.reshape(*points.shape[:-1], 8, 8, 1)

    firsts = np.array([int(np.flatnonzero(labels == label)[0]) for label in range(10)])
    ends = np.array([[0, 1], [3, 8], [4, 7]])
    pairs = np.array(list(combinations(range(10), 2)))
    walks = interpolate(z[firsts[ends[:, 0]]], z[firsts[ends[:, 1]]]).swapaxes(0, 1)
    every = interpolate(z[firsts[pairs[:, 0]]], z[firsts[pairs[:, 1]]]).swapaxes(0, 1)
    errors = np.asarray(noise**2 * 64 * (0.5 + rng.random(540)) * (1 + 0.1 * labels[:540]), np.float32)
    order = np.argsort(errors)
    extremes = np.stack([order[::-1][:8], order[:8]])
    values = np.linspace(-3, 3, 9, dtype=np.float32) * (1 if vae else float(z.std()))
    whole = np.round(255 * images).astype(np.uint8)[..., None]
    carried = np.sort(rng.random((z.shape[1],)).astype(np.float32))[::-1] ** 6 * 5
    arrays = {
        "examples": whole[firsts],
        "example_labels": labels[firsts],
        "reconstructions": decode(z[firsts] + 0.3 * noise * rng.standard_normal((10, z.shape[1]))),
        "interpolations": decode(walks),
        "interpolations_spherical": decode(walks * np.sqrt(2)),
        "interpolation_labels": ends,
        "class_walks": decode(every),
        "class_walk_labels": pairs,
        "traversals": decode(traverse(z[0], np.arange(min(8, z.shape[1])), values)),
        "traversed": np.arange(min(8, z.shape[1])),
        "traversal_values": values,
        "extreme_examples": whole[extremes],
        "extreme_reconstructions": decode(z[extremes]),
        "extreme_sse": errors[extremes],
        "z_mean": z[:400].astype(np.float32),
        "z_labels": labels[:400],
        "sse_per_image": errors,
        "labels": labels[:540],
    }
    if z.shape[1] == 2:  # noqa: PLR2004 - a plane
        arrays |= {"plane": decode(plane(PLANE_VALUES)), "plane_values": PLANE_VALUES}
    carrying = "kl" if vae else "variance"
    arrays |= {f"{carrying}_per_dimension": carried, f"traversal_{carrying}": carried[:8]}
    if vae:
        arrays["samples"] = decode(rng.standard_normal((32, z.shape[1])) * z.std(axis=0))
        arrays |= _nearest(arrays["samples"], whole)
    return arrays


def _nearest(samples: np.ndarray, whole: np.ndarray) -> dict[str, np.ndarray]:
    train, test = whole[540:840], whole[:50]  # enough to be looked at
    places, squared = nearest_images(samples, train)
    _, of_test = nearest_images(test, train)
    scale = 255.0**2 * 64
    return {
        "nearest": train[places],
        "nearest_mse": (squared / scale).astype(np.float32),
        "nearest_mse_test": (of_test / scale).astype(np.float32),
    }


def joined(*demos: Demo) -> Demo:
    """Return one study of several data sets."""
    whole = Demo(axes=dict(demos[0].axes))
    whole.axes["dataset"] = [name for one in demos for name in one.axes["dataset"]]
    for one in demos:
        whole.records += one.records
        whole.histories |= one.histories
        whole.arrays |= one.arrays
    return whole
