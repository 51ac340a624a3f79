import numpy as np
import pytest

from vae import nearest
from vae.nearest import nearest_images


def brute_force(queries: np.ndarray, reference: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    known = reference.reshape(len(reference), -1).astype(np.int64)
    wanted = queries.reshape(len(queries), -1).astype(np.int64)
    squared = np.square(wanted[:, None] - known[None]).sum(axis=2)
    return squared.argmin(axis=1), squared.min(axis=1)


@pytest.mark.parametrize("shape", [(3, 2, 1), (28, 28, 1), (20, 17, 3)])
@pytest.mark.parametrize("chunk_bytes", [1, 2**14, 2**25])
def test_places_and_distances_are_those_of_brute_force(
    shape: tuple[int, int, int], chunk_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nearest, "CHUNK_BYTES", chunk_bytes)
    rng = np.random.default_rng(0)
    reference = rng.integers(0, 256, (90, *shape), dtype=np.uint8)
    queries = rng.integers(0, 256, (12, *shape), dtype=np.uint8)
    queries[0] = reference[70]
    for got, expected in zip(nearest_images(queries, reference), brute_force(queries, reference), strict=True):
        np.testing.assert_array_equal(got, expected)


def test_a_difference_of_one_grey_level_decides_among_bright_images() -> None:
    """Where rounded float32 sums of squares, some 5e7 with a spacing of 4, could not tell them apart."""
    reference = np.full((300, 28, 28, 1), 255, dtype=np.uint8)
    reference[:, 0, 0, 0] = 250
    reference[217, 0, 0, 0] = 254
    places, squared = nearest_images(np.full((1, 28, 28, 1), 255, dtype=np.uint8), reference)
    assert (places.tolist(), squared.tolist()) == ([217], [1.0])


def test_of_equally_near_images_the_first_is_named_in_whatever_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nearest, "CHUNK_BYTES", 1)
    reference = np.zeros((5, 4, 4, 1), dtype=np.uint8)
    reference[0] = 9
    assert nearest_images(reference[1:3], reference)[0].tolist() == [1, 1]
