"""Whether draws of the prior look like the data: distances from test images in a feature space, beside their floors."""

import hashlib
from collections.abc import Callable
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from vae.cache import read_arrays, write_arrays
from vae.datasets import as_float, spread_over
from vae.distances import frechet, frechet_limit, kernel_distance, neighbourhoods
from vae.features import FEATURES
from vae.features.classifier import Classifier
from vae.features.pca import PrincipalComponents
from vae.features.random import RandomNetwork
from vae.metrics._base import Column, metric
from vae.outcome import Outcome

__all__ = ["compared_in"]

Count = Annotated[int, Field(ge=10)]
FRECHET = "Fr\N{LATIN SMALL LETTER E WITH ACUTE}chet distance"
MEASURES: dict[str, tuple[str, Column]] = {
    "frechet": (FRECHET, {"better": "lower", "digits": 3}),
    "frechet_limit": (f"{FRECHET} at infinite n", {"better": "lower", "digits": 3}),
    "kid": ("KID", {"better": "lower", "digits": 3}),
    "kid_error": ("standard error of KID", {"digits": 2}),
    "precision": ("precision", {"better": "higher", "digits": 3}),
    "recall": ("recall", {"better": "higher", "digits": 3}),
    "density": ("density", {"better": "higher", "digits": 3}),
    "coverage": ("coverage", {"better": "higher", "digits": 3}),
}
"""Name -> label and column of what `vae.distances` measures between two sets of points."""
GROUPED = ("frechet", "kid", "kid_error", "density", "coverage")
GENERATION = "generation"
REVISION = 1  # of measures and floors: raise it when they come to give other numbers, so that kept floors are made anew


def compared_in(space: str, label: str, *, usual: bool = False) -> None:
    """Register the metrics of samples in a feature space: `frechet_SPACE`, ..., `coverage_SPACE`, and their floors.

    Each holds 5,000 draws of the prior (`count`; as many as there are test images where these are fewer) against as
    many test images. Its floor, `frechet_SPACE_floor` and so on, holds training images against them: what a model
    that drew from the data would reach. None of a deterministic autoencoder. Columns of different spaces never mix.

    Args:
        space: an entry of `FEATURES`; of a plugin, the metrics are the plugin's too.
        label: of the space, in print.
        usual: let a study have Frechet distance, KID, density and coverage, and floors, by the group `generation`.
    """
    within = {name: GENERATION if usual and name in GROUPED else "" for name in MEASURES}
    expost = f"{FRECHET} of a mixture fitted afterwards ({label})"
    metric(f"frechet_expost_{space}", expost, better="lower", digits=3, expense="high", group=within["frechet"])(
        _of_mixture(space)
    )
    for measure, (title, column) in MEASURES.items():
        name = f"{measure}_{space}"
        short = f"{title} ({space.replace('pca', 'PCA')})"
        asked: Column = {**column, "expense": "high", "group": within[measure], "short": short}
        metric(name, f"{title} ({label})", **asked)(_of_samples(space, measure))
        if measure not in {"kid_error", "frechet_limit"}:
            floor: Column = {**asked, "better": "neither", "fixed": True, "short": ""}
            metric(f"{name}_floor", f"{title} ({label}) of training images", **floor)(
                _of_training_images(space, measure)
            )


def _of_samples(space: str, measure: str) -> Callable[..., float | None]:
    def compute(outcome: Outcome, count: Count = 5000) -> float | None:
        if outcome.prior is None:
            return None
        found: dict[str, float] = outcome.once(
            f"samples in {space}, {count}", lambda: _compare(outcome, space, min(count, len(outcome.data.test.images)))
        )
        return found[measure]

    compute.__doc__ = f"{MEASURES[measure][0]} of draws against test images in the space '{space}'."
    return compute


def _of_mixture(space: str) -> Callable[..., float]:
    def compute(outcome: Outcome, count: Count = 5000, components: Annotated[int, Field(ge=1)] = 10) -> float:
        n = min(count, len(outcome.data.test.images))
        return frechet(
            _test_features(outcome, space, n), _extractor(outcome, space)(outcome.samples_expost(n, components))
        )

    compute.__doc__ = f"""{FRECHET} of images decoded from a Gaussian mixture fitted to codes, in the space '{space}'.

    Beside `frechet_{space}` it tells whose fault bad samples are: where it is much lower, the decoder can draw, and the
    prior asks it for the wrong codes (Ghosh et al., 2020). Of deterministic autoencoders too.
    """
    return compute


def _of_training_images(space: str, measure: str) -> Callable[..., float]:
    def compute(outcome: Outcome, count: Count = 5000) -> float:
        found: dict[str, float] = outcome.once(f"floors in {space}, {count}", lambda: _floors(outcome, space, count))
        return found[measure]

    compute.__doc__ = f"{MEASURES[measure][0]} of training images about test images in the space '{space}'."
    return compute


def _compare(outcome: Outcome, space: str, n: int) -> dict[str, float]:
    made = outcome.samples(n)
    extract = _extractor(outcome, space)
    return _measured(_test_features(outcome, space, n), extract(made))


def _floors(outcome: Outcome, space: str, count: int) -> dict[str, float]:
    """Return the measures of training images, kept beside the data: they are the same for every model."""
    images = outcome.data.train.images
    n = min(count, len(outcome.data.test.images), len(images))
    part = _space(space)
    version = hashlib.sha256(f"{type(part).__module__} {part.version} {part.identity}".encode()).hexdigest()[:16]
    key = f"floor-samples-{REVISION}-{outcome.data.checksum[:32]}-{version}-{n}"
    known = read_arrays(key)
    if known and set(known[0]) == set(MEASURES):
        return {name: float(value[0]) for name, value in known[0].items()}
    drawn = _features(outcome, space, images[spread_over(len(images), n)])
    found = _measured(_test_features(outcome, space, n), drawn)
    write_arrays(key, {name: np.array([value]) for name, value in found.items()}, {})
    return found


def _features(outcome: Outcome, space: str, images: Any) -> Any:
    """Return the features of images of 256 levels."""
    return _extractor(outcome, space)(as_float(images, "unit"))


def _test_features(outcome: Outcome, space: str, n: int) -> Any:
    images = outcome.data.test.images
    return outcome.once(
        f"test images in {space}, {n}", lambda: _features(outcome, space, images[spread_over(len(images), n)])
    )


def _extractor(outcome: Outcome, space: str) -> Any:
    return outcome.once(f"features {space}", lambda: _space(space).fit(outcome.data), shared=True)


def _space(space: str) -> Any:
    return FEATURES[space].shared({"name": space}, f"features.{space}")


def _measured(real: Any, made: Any) -> dict[str, float]:
    kid, error = kernel_distance(real, made)
    found = {"frechet": frechet(real, made), "frechet_limit": frechet_limit(real, made), "kid": kid, "kid_error": error}
    return found | neighbourhoods(real, made)._asdict()


for _part, _label in (
    (PrincipalComponents, "principal components"),
    (RandomNetwork, "random network"),
    (Classifier, "classifier"),
):
    compared_in(_part.model_fields["name"].default, _label, usual=_part is PrincipalComponents)
