"""What measures of samples see: digits harmed in growing doses, as the table of docs/samples.md.

    python -m bench.measure.sensitivity

prints it. Real images of the test split stand against images of the training split, harmed, in the place of samples; a
model is taken to have been trained on the other training images.
"""

import sys
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from vae.datasets import DataSpec, as_float, load
from vae.distances import frechet, kernel_distance, neighbourhoods
from vae.features import FEATURES
from vae.metrics.memorisation import nearer
from vae.nearest import nearest_images

__all__ = ["COLUMNS", "DOSES", "Digits", "digits", "main", "measures", "rows"]

SAMPLES = 500
COLUMNS = ("frechet", "kid", "precision", "recall", "density", "coverage")
Images = NDArray[np.float32]


class Digits(NamedTuple):
    """Images in [0, 1], (n, 8, 8, 1).

    Attributes:
        real: of the test split.
        made: of the training split, in the place of samples.
        labels: of these.
        trained: the rest of the training split.
    """

    real: Images
    made: Images
    labels: NDArray[np.int64]
    trained: Images


def digits() -> Digits:
    """Return the digits in these three parts."""
    data = load(DataSpec(name="digits"))
    order = np.random.default_rng(0).permutation(len(data.train.images))
    images, labels = as_float(data.train.images[order], "unit"), np.asarray(data.train.labels)[order]
    real = as_float(data.test.images, "unit")[:SAMPLES]
    return Digits(real, images[:SAMPLES], labels[:SAMPLES], images[SAMPLES:])


def _blur(given: Digits, dose: float) -> Images:
    """Return images under a Gaussian filter of so many pixels."""
    return np.asarray(gaussian_filter(given.made, (0, dose, dose, 0)), np.float32)


def _noise(given: Digits, dose: float) -> Images:
    """Return images with Gaussian noise of this scale."""
    drawn = np.random.default_rng(0).standard_normal(given.made.shape)
    return np.asarray((given.made + dose * drawn).clip(0, 1), np.float32)


def _classes_missing(given: Digits, dose: float) -> Images:
    """Return images without the first so many classes, as many as before."""
    kept = given.made[given.labels >= dose]
    return kept[np.arange(len(given.made)) % len(kept)]


def _repeated(given: Digits, dose: float) -> Images:
    """Return images of which this share is repetitions of the others."""
    few = len(given.made) - round(dose * len(given.made))
    return given.made[np.arange(len(given.made)) % few]


def _memorised(given: Digits, dose: float) -> Images:
    """Return images of which this share is copies of what the model was trained on."""
    copies = round(dose * len(given.made))
    return np.concatenate([given.trained[:copies], given.made[copies:]])


DOSES: Mapping[str, tuple[Callable[[Digits, float], Images], tuple[float, ...]]] = {
    "blur, pixels": (_blur, (0.5, 0.7, 1.0, 1.5)),
    "noise, scale": (_noise, (0.1, 0.2, 0.3)),
    "classes missing": (_classes_missing, (2, 4, 6)),
    "repeated, share": (_repeated, (0.4, 0.7, 0.9)),
    "memorised, share": (_memorised, (0.3, 0.6, 1.0)),
}


def measures(given: Digits, made: Images, space: str) -> dict[str, float]:
    """Return each measure in a feature space, and `memorisation`, which is of pixels."""
    extract = FEATURES[space].shared({"name": space}, "").fit(load(DataSpec(name="digits")))
    real, other = extract(given.real), extract(made)
    levels = [np.rint(255 * one).astype(np.uint8) for one in (made, given.real, given.trained)]
    near = [np.sort(nearest_images(one, levels[2])[1]) for one in levels[:2]]
    found = {"frechet": frechet(real, other), "kid": kernel_distance(real, other)[0]}
    return found | neighbourhoods(real, other)._asdict() | {"memorisation": nearer(*near)[0]}


def rows(space: str) -> Iterator[tuple[str, float, dict[str, float]]]:
    """Yield harm, dose, measures; first of images as they are."""
    given = digits()
    yield "none", 0.0, measures(given, given.made, space)
    for name, (harm, doses) in DOSES.items():
        for dose in doses:
            yield name, dose, measures(given, harm(given, dose), space)


def main() -> None:
    """Print the table."""
    names = (*COLUMNS, "memorisation")
    sys.stdout.write(f"| harm | dose | {' | '.join(names)} | frechet_classifier |\n|{'---|' * (len(names) + 3)}\n")
    for (name, dose, found), (_, _, other) in zip(rows("pca"), rows("classifier"), strict=True):
        cells = [f"{found[column]:.3f}" if column in {"frechet", "kid"} else f"{found[column]:.2f}" for column in names]
        line = " | ".join([name, f"{dose:g}", *cells, f"{other['frechet']:.1f}"])
        sys.stdout.write(f"| {line} |\n")


if __name__ == "__main__":
    main()
