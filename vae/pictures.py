"""What figures show of a trained model: pictures decoded from chosen points, and the distances that belong to them."""

from collections.abc import Mapping
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vae.cache import read_arrays, write_arrays
from vae.datasets import Data
from vae.latent import Walk, interpolate, plane, traverse
from vae.nearest import nearest_images
from vae.outcome import Model, Outcome, to_unit

__all__ = ["pictures"]

EXAMPLES, PAIRS, STEPS, SAMPLES, MAPPED = 10, 4, 9, 32, 2000
EXTREMES = 8  # images of a row of the worst, and of the best
TRAVERSED = 8  # dimensions, at most
WALKED = 10  # classes between which ways are decoded, at most; without classes, images
WALKED_UNLABELLED = 6
WALK_BYTES = 16 * 2**20  # of these ways in all: of large images fewer classes are walked between
SIDE = 15  # points of the plane's grid, each way
REACH = 3.0  # standard deviations of the prior that traversals and the plane reach to
COMPARED = 200  # test images whose nearest training image is looked for
AT_ONCE = 500  # images decoded before they become bytes
PLANE = 2
WALKS: Mapping[str, Walk] = {"interpolations": "linear", "interpolations_spherical": "spherical"}

Arrays = dict[str, NDArray[Any]]


def pictures(model: Model, data: Data, outcome: Outcome, seed: int = 0) -> Arrays:
    """Return the arrays that figures are drawn from; `Evaluation.arrays` names them.

    Args:
        model: it.
        data: what it was trained on.
        outcome: what it made of the test split.
        seed: of the samples.
    """
    chosen = _examples(data.test.labels, len(data.test.images))
    by_rate = outcome.rates is not None
    importance = _importance(outcome)
    arrays = _of_test_images(data, outcome, chosen)
    known, points = _points(seed, data, outcome, chosen, importance)
    labels = _labels(data, outcome, chosen, known, points)
    arrays |= known | _decoded(model, outcome, data, points, labels)
    if "samples" in labels:
        arrays["sample_labels"] = labels["samples"]
    arrays["kl_per_dimension" if by_rate else "variance_per_dimension"] = importance
    arrays["traversal_kl" if by_rate else "traversal_variance"] = importance[arrays["traversed"]]
    if "samples" in arrays:
        arrays |= _neighbours(data, arrays["samples"])
    return arrays


def _of_test_images(data: Data, outcome: Outcome, chosen: NDArray[np.int64]) -> Arrays:
    """Return what is of test images alone: examples and extremes with their reconstructions, positions, labels."""
    images, labels = data.test.images, data.test.labels
    errors = np.square(outcome.images - outcome.reconstructions).sum(axis=(1, 2, 3))
    order = np.argsort(errors, kind="stable")
    extremes = np.stack([order[::-1][:EXTREMES], order[:EXTREMES]])
    arrays: Arrays = {
        "examples": images[chosen],
        "reconstructions": _uint8(outcome.reconstructions[chosen]),
        "extreme_examples": images[extremes],
        "extreme_reconstructions": _uint8(outcome.reconstructions[extremes]),
        "extreme_sse": errors[extremes],
        "sse_per_image": errors,
        "z_mean": outcome.z_mean[:MAPPED],
    }
    if labels is not None:
        arrays |= {
            "example_labels": labels[chosen],
            "extreme_labels": labels[extremes],
            "z_labels": labels[:MAPPED],
            "labels": np.asarray(labels, dtype=np.int64),
        }
    return arrays


def _importance(outcome: Outcome) -> NDArray[np.floating]:
    """Return what each latent dimension carries: nats or, where no formula knows them, the variance of z_mean."""
    rates = outcome.rates
    carried: NDArray[np.floating] = outcome.z_mean.var(axis=0) if rates is None else rates.mean(axis=0)
    return carried


def _points(
    seed: int, data: Data, outcome: Outcome, chosen: NDArray[np.int64], importance: NDArray[np.floating]
) -> tuple[Arrays, Arrays]:
    """Return arrays that say where points lie, and the points (..., latent_dim) to decode, by their pictures' name."""
    labels, size, prior = data.test.labels, outcome.z_mean.shape[1], outcome.prior
    starts = np.arange(0, min(2 * PAIRS, len(chosen) - 1), 2)
    pairs = np.stack([starts, (starts + 1) % len(chosen)], axis=1)
    ends = outcome.z_mean[chosen[pairs]]
    points: Arrays = {name: _between(ends, path) for name, path in WALKS.items()}
    known: Arrays = {} if labels is None else {"interpolation_labels": labels[chosen[pairs]]}

    walked, known["class_walk_labels"] = _class_pairs(labels, chosen, data.test.images[0].nbytes)
    points["class_walks"] = _between(outcome.z_mean[walked], "linear")

    # A deterministic autoencoder knows no prior: its own reach takes the place of the prior's width.
    reach = np.square(outcome.z_mean, dtype=np.float64).mean(axis=0).max() if prior is None else prior.scale**2
    scale = float(np.sqrt(reach))
    known["traversed"] = np.argsort(-importance, kind="stable")[:TRAVERSED]
    known["traversal_values"] = (scale * np.linspace(-REACH, REACH, STEPS)).astype(np.float32)
    points["traversals"] = traverse(outcome.z_mean[chosen[0]], known["traversed"], known["traversal_values"])
    if size == PLANE:
        known["plane_values"] = (scale * np.linspace(-REACH, REACH, SIDE)).astype(np.float32)
        points["plane"] = plane(known["plane_values"])
    if prior is not None:
        points["samples"] = prior.sample(np.random.default_rng(seed), SAMPLES)
    return known, points


def _labels(
    data: Data, outcome: Outcome, chosen: NDArray[np.int64], known: Arrays, points: Arrays
) -> dict[str, NDArray[np.int64]]:
    """Return the class to decode each picture's points for, in a shape that fits them; none of a model without.

    Ways between two images keep the class of the first, so that what changes is the code's doing.
    """
    if not outcome.spec.model.conditional or data.test.labels is None:
        return {}
    first = data.test.labels[chosen[0]]
    starts = {
        **dict.fromkeys(WALKS, known["interpolation_labels"][:, :1]),
        "class_walks": known["class_walk_labels"][:, :1],
        "samples": outcome.sample_labels(SAMPLES),
    }
    return {name: np.broadcast_to(starts.get(name, first), z.shape[:-1]).astype(np.int64) for name, z in points.items()}


def _class_pairs(
    labels: NDArray[np.int64] | None, chosen: NDArray[np.int64], image_bytes: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the places (pairs, 2) of test images to walk between, each of another class, and their labels."""
    if labels is None:
        ends, names = chosen[:WALKED_UNLABELLED], np.arange(len(chosen))
    else:
        names, firsts = np.unique(labels[chosen], return_index=True)
        ends = chosen[firsts]
    kept = min(len(ends), WALKED)
    while kept > PLANE and kept * (kept - 1) // 2 * STEPS * image_bytes > WALK_BYTES:
        kept -= 1
    pairs = np.array(list(combinations(range(kept), 2)), dtype=np.int64).reshape(-1, 2)
    return ends[pairs], np.asarray(names[pairs], dtype=np.int64)


def _between(ends: NDArray[np.floating], path: Walk) -> NDArray[np.float32]:
    """Return the way between `ends` (pairs, 2, latent_dim): (pairs, steps, latent_dim)."""
    return interpolate(ends[:, 0], ends[:, 1], STEPS, path).swapaxes(0, 1)


def _decoded(
    model: Model, outcome: Outcome, data: Data, points: Arrays, labels: Mapping[str, NDArray[np.int64]]
) -> Arrays:
    """Return the pictures (..., height, width, channels) of points (..., latent_dim), decoded in common batches."""
    every = np.concatenate([z.reshape(-1, z.shape[-1]) for z in points.values()]).astype(np.float32)
    classes = np.concatenate([one.reshape(-1) for one in labels.values()]) if labels else None
    images = np.concatenate(
        [
            _uint8(to_unit(model.decode(every[start : start + AT_ONCE], _part(classes, start)), outcome.spec))
            for start in range(0, len(every), AT_ONCE)
        ]
    )
    found: Arrays = {}
    begin = 0
    for name, z in points.items():
        end = begin + int(np.prod(z.shape[:-1]))
        found[name] = images[begin:end].reshape(*z.shape[:-1], *data.shape)
        begin = end
    return found


def _part(classes: NDArray[np.int64] | None, start: int) -> NDArray[np.int64] | None:
    return None if classes is None else classes[start : start + AT_ONCE]


def _neighbours(data: Data, samples: NDArray[np.uint8]) -> Arrays:
    """Return each sample's nearest training image, its squared error per pixel, and the same of test images."""
    places, squared = nearest_images(samples, data.train.images)
    scale = 255.0**2 * samples[0].size
    return {
        "nearest": data.train.images[places],
        "nearest_mse": (squared / scale).astype(np.float32),
        "nearest_mse_test": (_test_distances(data) / scale).astype(np.float32),
    }


def _test_distances(data: Data) -> NDArray[np.float64]:
    """Return the squared distances of the first test images to their nearest training image: no model moves them."""
    key = f"nearest-{data.checksum[:32]}-{COMPARED}"
    found = read_arrays(key)
    if found and found[0].get("squared", np.empty(0)).shape == (min(COMPARED, len(data.test.images)),):
        return np.asarray(found[0]["squared"], dtype=np.float64)
    _, squared = nearest_images(data.test.images[:COMPARED], data.train.images)
    write_arrays(key, {"squared": squared}, {})
    return squared


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
