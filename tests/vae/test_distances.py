"""Measures of sample quality against other people's ways to compute them, and against harm in growing doses."""

from functools import cache
from pathlib import Path

import numpy as np
import pytest
from prdc import compute_prdc
from scipy.linalg import sqrtm
from sklearn.metrics.pairwise import polynomial_kernel
from sklearn.neighbors import NearestNeighbors

from bench.measure.sensitivity import COLUMNS, rows
from vae.distances import frechet, frechet_limit, kernel_distance, neighbourhoods

RNG = np.random.default_rng(0)
REAL = RNG.standard_normal((300, 6)) @ RNG.standard_normal((6, 6))
MADE = 1.2 * RNG.standard_normal((280, 6)) @ RNG.standard_normal((6, 6)) + 0.3


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


@pytest.mark.parametrize("k", [3, 5, 10])
def test_neighbourhoods_are_those_of_their_authors_package(k: int) -> None:
    expected = compute_prdc(REAL, MADE, nearest_k=k)
    assert neighbourhoods(REAL, MADE, k)._asdict() == pytest.approx(expected, abs=1e-12)


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


HARMS = ("blur, pixels", "noise, scale", "classes missing", "repeated, share", "memorised, share")


@cache
def harmed(space: str) -> dict[str, dict[float, dict[str, float]]]:
    """Return harm -> dose -> measures, each from dose 0 on."""
    (_, _, whole), *others = rows(space)
    found: dict[str, dict[float, dict[str, float]]] = {name: {0.0: whole} for name in HARMS}
    for name, dose, measured in others:
        found[name][dose] = measured
    return found


@pytest.mark.parametrize("harm", HARMS[:4])
@pytest.mark.parametrize("space", ["pca", "random", "classifier"])
def test_more_harm_is_a_worse_value(space: str, harm: str) -> None:
    doses = harmed(space)[harm].values()
    distances, covered, recalled, kernel = (
        [found[name] for found in doses] for name in ("frechet", "coverage", "recall", "kid")
    )
    assert (np.diff(distances) > 0).all(), distances
    assert covered[-1] < covered[0] - 0.05
    assert (np.diff(covered) < 0.02).all(), covered
    if harm != "noise, scale":  # made points far apart have wide balls, which hold what is real
        assert (np.diff(recalled) < 0.02).all(), recalled
    if harm in HARMS[:2]:
        assert (np.diff(kernel) > 0).all(), kernel


def test_what_no_measure_but_memorisation_sees_is_a_copy_of_the_training_images() -> None:
    doses = list(harmed("pca")["memorised, share"].values())
    shares = [found["memorisation"] for found in doses]
    assert (np.diff(shares) > 0.1).all(), shares
    assert shares[-1] == 1
    for found in doses[1:]:
        assert found["frechet"] == pytest.approx(doses[0]["frechet"], rel=0.2)
        assert found["coverage"] >= doses[0]["coverage"] - 0.02
        assert found["precision"] >= doses[0]["precision"] - 0.04


def test_density_prefers_blur() -> None:
    doses = harmed("pca")["blur, pixels"]
    assert doses[0.5]["density"] > doses[0.0]["density"]


def test_the_table_of_the_docs_is_what_is_measured() -> None:
    text = (Path(__file__).parents[2] / "docs" / "samples.md").read_text(encoding="utf-8")
    found = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("| ")]
    told = {(cells[0], float(cells[1])): [float(cell) for cell in cells[2:]] for cells in found if cells[0] in HARMS}
    measured = {
        (harm, dose): [
            *(values[name] for name in (*COLUMNS, "memorisation")),
            harmed("classifier")[harm][dose]["frechet"],
        ]
        for harm, doses in harmed("pca").items()
        for dose, values in doses.items()
        if dose
    }
    assert told.keys() == measured.keys()
    for place, values in measured.items():
        assert told[place] == pytest.approx(values, rel=0.05, abs=0.02), place
