import numpy as np
import pytest

from vae.errors import SpecError
from vae.latent import embed, interpolate

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("path", ["linear", "spherical"])
def test_a_walk_ends_where_it_should(path: str) -> None:
    start, end = RNG.standard_normal((2, 5, 7))
    walk = interpolate(start, end, steps=6, path=path)  # type: ignore[arg-type]
    assert walk.shape == (6, 5, 7)
    np.testing.assert_allclose(walk[0], start, atol=1e-5)
    np.testing.assert_allclose(walk[-1], end, atol=1e-5)


def test_the_paper_s_equation_2() -> None:
    start, end = np.array([0.0, 2.0]), np.array([4.0, 0.0])
    np.testing.assert_allclose(interpolate(start, end, steps=5)[1], [1.0, 1.5])


def test_a_spherical_walk_keeps_its_length() -> None:
    start, end = RNG.standard_normal((2, 16))
    start, end = start / np.linalg.norm(start), end / np.linalg.norm(end)
    lengths = np.linalg.norm(interpolate(start, end, path="spherical"), axis=1)
    np.testing.assert_allclose(lengths, 1, atol=1e-5)
    assert np.linalg.norm(interpolate(start, end), axis=1).min() < 0.95


def test_a_spherical_walk_between_parallel_points_is_straight() -> None:
    start = np.array([1.0, 1.0])
    np.testing.assert_allclose(interpolate(start, 3 * start, steps=3, path="spherical")[1], 2 * start, atol=1e-5)
    assert np.isfinite(interpolate(start, np.zeros(2), path="spherical")).all()


def test_two_dimensions_are_shown_raw() -> None:
    z = RNG.standard_normal((20, 2)).astype(np.float32)
    np.testing.assert_array_equal(embed(z), z)
    assert embed(z[:, :1]).shape == (20, 2)


def test_maps_separate_what_is_separate() -> None:
    z = np.concatenate([RNG.standard_normal((40, 6)), RNG.standard_normal((40, 6)) + 8]).astype(np.float32)
    for method in ("tsne", "pca"):
        points = embed(z, method)
        assert points.shape == (80, 2)
        np.testing.assert_array_equal(points, embed(z, method))
        between = np.linalg.norm(points[:40].mean(axis=0) - points[40:].mean(axis=0))
        assert between > 2 * points[:40].std(), method


def test_bad_requests() -> None:
    with pytest.raises(SpecError, match=r"unknown embedding 'tsn'.*'tsne'"):
        embed(np.zeros((9, 3)), "tsn")  # type: ignore[arg-type]
    with pytest.raises(SpecError, match="at least 5 points, got 3"):
        embed(np.zeros((3, 3)))
