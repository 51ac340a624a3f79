from typing import Any

import numpy as np
import pytest
from skimage.metrics import mean_squared_error, peak_signal_noise_ratio, structural_similarity
from sklearn.decomposition import PCA

from vae.floor import pca_curve
from vae.metrics import METRICS, Outcome, usual_metrics
from vae.ssim import ssim as similarity

RNG = np.random.default_rng(0)
IMAGES = RNG.random((30, 12, 12, 1), dtype=np.float32)
KNOWN: dict[str, Any] = dict(  # noqa: C408 - as it is called
    images=IMAGES,
    reconstructions=np.clip(IMAGES + 0.1 * RNG.standard_normal(IMAGES.shape, dtype=np.float32), 0, 1),
    z_mean=np.concatenate([RNG.standard_normal((30, 3)), 0.01 * RNG.standard_normal((30, 2))], axis=1).astype(
        np.float32
    ),
    z_log_var=np.full((30, 5), -1, np.float32),
    labels=np.arange(30) % 3,
    reference_z_mean=RNG.standard_normal((40, 5)).astype(np.float32),
    reference_labels=np.arange(40) % 3,
    pca_mse=0.5,
    kl_weight=5e-4,
)
OUTCOME = Outcome(**KNOWN)


def replace(**members: Any) -> Outcome:
    return Outcome(**KNOWN | members)


def value(name: str, outcome: Outcome = OUTCOME) -> float:
    values = METRICS[name].compute(outcome)
    assert values is not None
    return float(np.mean(values))


def test_reconstruction_metrics_are_scikit_images() -> None:
    pairs = list(zip(OUTCOME.images, OUTCOME.reconstructions, strict=True))
    assert value("mse") == pytest.approx(np.mean([mean_squared_error(x, y) for x, y in pairs]), rel=1e-5)
    assert value("psnr") == pytest.approx(
        np.mean([peak_signal_noise_ratio(x, y, data_range=1) for x, y in pairs]), rel=1e-5
    )
    expected = [
        structural_similarity(
            x[..., 0], y[..., 0], gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=1
        )
        for x, y in pairs
    ]
    assert value("ssim") == pytest.approx(np.mean(expected), abs=1e-4)
    assert value("sse") == pytest.approx(144 * value("mse"), rel=1e-5)


def test_ssim_of_the_last_images_is_not_lost_between_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = value("ssim")
    monkeypatch.setattr("vae.metrics.reconstruction.SSIM_BATCH", 7)
    assert value("ssim") == pytest.approx(whole, rel=1e-6)


def test_active_units_and_scale() -> None:
    assert value("active_units") == 3
    # Each posterior's own variance, here e^-1, is part of where codes lie.
    assert value("posterior_scale") == pytest.approx(
        np.sqrt(np.mean(OUTCOME.z_mean[:, :3] ** 2) + np.exp(-1)), rel=1e-5
    )
    exact = replace(z_mean=RNG.standard_normal((4000, 2)) * 0.6, z_log_var=np.full((4000, 2), np.log(0.64)))
    assert value("posterior_scale", exact) == pytest.approx(1, abs=0.02), "0.6^2 + 0.8^2 = 1, the prior's"
    collapsed = replace(z_mean=np.zeros((30, 5), np.float32))
    assert value("active_units", collapsed) == 0
    assert METRICS["posterior_scale"].compute(collapsed) is None


def test_neighbours_vote_by_class() -> None:
    means = np.eye(3)[OUTCOME.labels] * 10  # type: ignore[index]
    z = (means + 0.1 * RNG.standard_normal((30, 3))).astype(np.float32)
    apart = replace(z_mean=z, reference_z_mean=z, reference_labels=OUTCOME.labels)
    assert value("knn_accuracy", apart) == 1
    assert value("knn_accuracy") < 0.7


def test_what_does_not_apply_is_none() -> None:
    bare = replace(z_log_var=None, labels=None, reference_labels=None, kl_weight=None)
    assert [name for name in usual_metrics() if METRICS[name].measure(bare) is None] == [
        "active_units",
        "bits_per_dim",
        "elbo",
        "elbo_trained",
        "kl",
        "knn_accuracy",
        "mse_sampled",
        "noise_scale",
        "posterior_scale",
        "sigma",
    ]


def test_sigma_is_implied_by_the_weight() -> None:
    assert value("sigma") == pytest.approx(0.0158, abs=1e-4)


@pytest.mark.parametrize("limit", [4096, 10])
def test_the_floor_is_scikit_learns_pca(limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vae.floor.EXACT_DIMENSIONS", limit)
    mix = RNG.random((6, 48))
    train, test = (
        (255 * np.clip(RNG.random((n, 6)) @ mix / 4, 0, 1)).astype(np.uint8).reshape(n, 4, 4, 3) for n in (60, 20)
    )
    curve = pca_curve(train, test, 60)
    assert curve.shape == (61,)
    x, y = (images.reshape(len(images), -1) / 255 for images in (train, test))
    for components in (0, 1, 4):
        if components:
            pca = PCA(components, svd_solver="full").fit(x)
            expected = np.mean((pca.inverse_transform(pca.transform(y)) - y) ** 2)
        else:
            expected = np.mean((y - x.mean(axis=0)) ** 2)
        assert curve[components] == pytest.approx(expected, rel=1e-3)
    assert (np.diff(curve) <= 1e-9).all()
    assert curve[48] == pytest.approx(0, abs=1e-6)


def test_the_floor_is_exactly_0_with_as_many_components_as_pixels() -> None:
    images = np.random.default_rng(0).integers(0, 256, (60, 3, 3, 1)).astype(np.uint8)
    curve = pca_curve(images[:40], images[40:], 12)
    assert curve[8] > 1e-4
    assert curve[9:].tolist() == [0.0] * 4


def test_the_floor_of_identical_images_is_exactly_0() -> None:
    image = np.random.default_rng(0).integers(0, 256, (1, 8, 8, 1)).astype(np.uint8)
    assert pca_curve(image.repeat(30, 0), image.repeat(5, 0), 4).tolist() == [0.0] * 5


def test_no_similarity_is_above_1() -> None:
    rng = np.random.default_rng(0)
    images = (1 - 1e-3 * rng.random((500, 16, 16, 1))).astype(np.float32)
    made = replace(images=images, reconstructions=(images + np.float32(1e-7)))
    assert similarity(made.images, made.reconstructions, 1.0, np).max() > 1, "rounding goes that far"
    assert METRICS["ssim"].compute(made).max() == 1.0


def test_a_probe_parts_classes_by_planes_and_the_silhouette_is_brute_force() -> None:
    labels = np.arange(60) % 3
    means = (np.eye(3)[labels] * 3 + RNG.standard_normal((60, 3))).astype(np.float32)
    known = replace(z_mean=means[:30], labels=labels[:30], reference_z_mean=means[30:], reference_labels=labels[30:])
    assert value("probe_accuracy", known) > 0.8
    apart = np.linalg.norm(means[:30, None] - means[None, :30], axis=-1)
    found = []
    for place, own in enumerate(labels[:30]):
        means_of = [
            apart[place, labels[:30] == other].sum() / ((labels[:30] == other).sum() - (other == own))
            for other in range(3)
        ]
        a, b = means_of[own], min(one for other, one in enumerate(means_of) if other != own)
        found.append((b - a) / max(a, b))
    assert value("silhouette", known) == pytest.approx(np.mean(found), rel=1e-5)
    ring = RNG.standard_normal((400, 2))
    ring *= np.where(np.arange(400) % 2, 3, 1)[:, None] / np.linalg.norm(ring, axis=1, keepdims=True)
    inner = replace(
        z_mean=ring[:200].astype(np.float32),
        labels=np.arange(200) % 2,
        reference_z_mean=ring[200:].astype(np.float32),
        reference_labels=np.arange(200) % 2,
    )
    assert value("knn_accuracy", inner) == 1, "a ring around another"
    assert value("probe_accuracy", inner) < 0.7, "no plane parts them"


def test_of_one_class_there_is_nothing_to_part() -> None:
    one = replace(
        labels=np.zeros(30, np.int64), reference_z_mean=OUTCOME.z_mean, reference_labels=np.zeros(30, np.int64)
    )
    assert value("probe_accuracy", one) == 1
    assert METRICS["silhouette"].compute(one) is None


def test_without_a_posterior_no_unit_is_active() -> None:
    assert METRICS["active_units"].compute(Outcome(z_mean=OUTCOME.z_mean, z_log_var=None)) is None
