"""The nearest of many images, exactly, without a float copy of them."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["nearest_images"]

# Of so many products of two bytes float32 holds the sum exactly, in whatever order it is taken: 256 * 255^2 < 2^24.
EXACT_PRODUCTS = 256
CHUNK_BYTES = 32 * 2**20  # of a chunk's distances, in float64


def nearest_images(
    queries: NDArray[np.uint8], reference: NDArray[np.uint8]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return for each query the place of its nearest reference image and their squared distance.

    |a - b|^2 = |a|^2 - 2 ab + |b|^2, the products as float32 matrix products of 256 pixels at a time, which are exact
    for bytes, and their sums in float64, exact too: the same places as by brute force; of equally near images the
    first. Memory holds one chunk of the reference, however large that is.

    Args:
        queries: (m, height, width, channels) uint8.
        reference: (n, height, width, channels) uint8, n > 0; may be a map of a file.

    Returns:
        The places (m,), and the squared distances (m,) in units of a pixel's 1/255 squared, whole numbers.
    """
    known = reference.reshape(len(reference), -1)
    wanted = queries.reshape(len(queries), -1).astype(np.float32)
    places = np.zeros(len(wanted), dtype=np.int64)
    lowest = np.full(len(wanted), np.inf)
    rows = max(CHUNK_BYTES // (8 * max(len(wanted), EXACT_PRODUCTS)), 1)
    for start in range(0, len(known), rows):
        distances = _less_own_norm(wanted, known[start : start + rows])
        place = distances.argmin(axis=1)
        found = distances[np.arange(len(wanted)), place]
        nearer = found < lowest
        places[nearer], lowest[nearer] = place[nearer] + start, found[nearer]
    return places, lowest + np.square(wanted, dtype=np.float64).sum(axis=1)


def _less_own_norm(queries: NDArray[np.float32], chunk: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return |b|^2 - 2 ab (m, rows): the squared distances without |a|^2, which moves no minimum."""
    sums = np.zeros((len(queries), len(chunk)))
    for left in range(0, chunk.shape[1], EXACT_PRODUCTS):
        pixels = chunk[:, left : left + EXACT_PRODUCTS].astype(np.float32)
        sums -= 2 * (queries[:, left : left + EXACT_PRODUCTS] @ pixels.T)
        sums += np.einsum("ij,ij->i", pixels, pixels)
    return sums
