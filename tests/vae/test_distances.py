"""Measures of sample quality against other people's ways to compute them, and against harm in growing doses."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.linalg import sqrtm
from scipy.ndimage import gaussian_filter
from sklearn.metrics.pairwise import polynomial_kernel
from sklearn.neighbors import NearestNeighbors

from vae.datasets import DataSpec, as_float, load
from vae.distances import frechet, frechet_limit, kernel_distance, neighbourhoods
from vae.features import FEATURES

RNG = np.random.default_rng(0)
REAL = RNG.standard_normal((300, 6)) @ RNG.standard_normal((6, 6))
MADE = 1.2 * RNG.standard_normal((280, 6)) @ RNG.standard_normal((6, 6)) + 0.3
Points = NDArray[np.floating]


def test_frechet_is_that_of_scipys_matrix_root() -> None:
    c1, c2 = np.cov(REAL.T), np.cov(MADE.T)
    root = np.real(sqrtm(c1 @ c2))
    expected = np.square(REAL.mean(0) - MADE.mean(0)).sum() + np.trace(c1 + c2 - 2 * root)
    assert frechet(REAL, MADE) == pytest.approx(expected, rel=1e-6)
    assert frechet(REAL, REAL) == pytest.approx(0, abs=1e-6)
    flat = np.column_stack([REAL, np.zeros(len(REAL))])  # a singular covariance
    assert frechet(flat, np.column_stack([MADE, np.zeros(len(MADE))])) == pytest.approx(expected, rel=1e-6)


def test_the_limit_takes_the_bias_of_few_points_off() -> None:
    rng = np.random.default_rng(1)
    true = 16 * 0.2**2  # two Gaussians, a fifth apart along each of 16 axes
    plain, limits = [], []
    for _ in range(12):
        one, two = rng.standard_normal((400, 16)), rng.standard_normal((400, 16)) + 0.2
        plain.append(frechet(one, two))
        limits.append(frechet_limit(one, two))
    assert np.mean(plain) > true + 0.2
    assert np.mean(limits) == pytest.approx(true, abs=0.1)


def test_kernel_distance_is_the_unbiased_sum_over_pairs() -> None:
    x, y = REAL[:200], MADE[:200]
    order = np.random.default_rng(0)
    one, two = x[order.permutation(200)], y[order.permutation(200)]
    found = []
    for at in range(0, 200, 20):
        a, b = one[at : at + 20], two[at : at + 20]
        kernels = [polynomial_kernel(p, q, degree=3, gamma=1 / 6, coef0=1) for p, q in ((a, a), (b, b), (a, b))]
        within = [k[~np.eye(20, dtype=bool)].mean() for k in kernels[:2]]
        found.append(sum(within) - 2 * kernels[2].mean())
    value, error = kernel_distance(x, y)
    assert value == pytest.approx(np.mean(found))
    assert error == pytest.approx(np.std(found, ddof=1) / np.sqrt(10))


def test_kernel_distance_of_one_distribution_is_nought_within_its_error() -> None:
    rng = np.random.default_rng(3)
    ratios = []
    for _ in range(60):
        value, error = kernel_distance(rng.standard_normal((300, 8)), rng.standard_normal((300, 8)))
        ratios.append(value / error)
    assert abs(np.mean(ratios)) < 0.6
    assert np.mean(np.abs(ratios) > 2.26) < 0.2, "Student's t of 9 degrees of freedom"


@pytest.mark.parametrize("k", [3, 5])
def test_neighbourhoods_are_counted_as_by_hand(k: int) -> None:
    reach_real = NearestNeighbors(n_neighbors=k).fit(REAL).kneighbors()[0][:, -1]
    reach_made = NearestNeighbors(n_neighbors=k).fit(MADE).kneighbors()[0][:, -1]
    between = np.linalg.norm(REAL[:, None] - MADE[None], axis=2)
    found = neighbourhoods(REAL, MADE, k)
    assert found.precision == pytest.approx((between < reach_real[:, None]).any(0).mean())
    assert found.recall == pytest.approx((between < reach_made[None]).any(1).mean())
    assert found.density == pytest.approx((between < reach_real[:, None]).sum(0).mean() / k)
    assert found.coverage == pytest.approx((between.min(1) < reach_real).mean())


HALF = 500


def digits() -> tuple[Points, Points, NDArray[np.int64]]:
    data = load(DataSpec(name="digits"))
    assert data.train.labels is not None
    order = np.random.default_rng(0).permutation(len(data.train.images))
    images = as_float(data.train.images[order], "unit")
    return images[:HALF], images[HALF : 2 * HALF], data.train.labels[order][HALF : 2 * HALF]


def blurred(images: Points, labels: NDArray[np.int64], dose: float) -> Points:
    return gaussian_filter(images, (0, dose, dose, 0))


def noisy(images: Points, labels: NDArray[np.int64], dose: float) -> Points:
    noise = np.random.default_rng(0).standard_normal(images.shape)
    return np.asarray((images + dose * noise).clip(0, 1), np.float32)


def without_classes(images: Points, labels: NDArray[np.int64], dose: float) -> Points:
    kept = images[labels >= dose]
    return kept[np.arange(len(images)) % len(kept)] if dose else images


def repeated(images: Points, labels: NDArray[np.int64], dose: float) -> Points:
    few = len(images) - round(dose * len(images))
    return images[np.arange(len(images)) % few]


DOSES: dict[Callable[..., Points], tuple[float, ...]] = {
    blurred: (0, 0.5, 0.7, 1.0, 1.5),
    noisy: (0, 0.1, 0.2, 0.3),
    without_classes: (0, 2, 4, 6),
    repeated: (0, 0.4, 0.7, 0.9),
}


@pytest.mark.parametrize("harm", DOSES)
@pytest.mark.parametrize("space", ["pca", "random"])
def test_more_harm_is_a_worse_value(space: str, harm: Callable[..., Points]) -> None:
    real, made, labels = digits()
    extract = FEATURES[space].shared({"name": space}, "").fit(load(DataSpec(name="digits")))
    known = extract(real)
    sets = [extract(harm(made, labels, dose).astype(np.float32)) for dose in DOSES[harm]]
    distances = [frechet(known, one) for one in sets]
    assert (np.diff(distances) > 0).all(), distances
    covered = [neighbourhoods(known, one).coverage for one in sets]
    assert covered[-1] < covered[0] - 0.05
    assert (np.diff(covered) < 0.02).all(), covered
    recalled = [neighbourhoods(known, one).recall for one in sets]
    if harm is not noisy:  # made points far apart have wide balls, which hold what is real
        assert (np.diff(recalled) < 0.01).all(), recalled
    if harm in (blurred, noisy):
        kernel = [kernel_distance(known, one)[0] for one in sets]
        assert (np.diff(kernel) > 0).all(), kernel


def test_what_no_measure_sees_is_a_copy_of_the_data() -> None:
    real, made, _ = digits()
    extract = FEATURES["pca"].shared({"name": "pca"}, "").fit(load(DataSpec(name="digits")))
    copied = np.concatenate([real[: HALF // 2], made[HALF // 2 :]])
    honest, copies = (neighbourhoods(extract(real), extract(one)) for one in (made, copied))
    assert frechet(extract(real), extract(copied)) < frechet(extract(real), extract(made))
    assert copies.coverage >= honest.coverage
    assert copies.precision >= honest.precision


def test_density_prefers_blur() -> None:
    real, made, labels = digits()
    extract = FEATURES["pca"].shared({"name": "pca"}, "").fit(load(DataSpec(name="digits")))
    sharp, soft = (neighbourhoods(extract(real), extract(blurred(made, labels, dose))) for dose in (0, 0.5))
    assert soft.density > sharp.density
