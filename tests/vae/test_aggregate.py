"""What all codes together are, against a model of which it is known exactly; and samples that don't trust the prior."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from linear import DATA, GAIN, LATENT, NOISE, SPEC, LinearVAE
from numpy.typing import NDArray

from vae.datasets import Split
from vae.metrics import METRICS, Outcome

INFORMATION = 0.5 * np.log(np.linalg.det(GAIN) / NOISE ** (2 * LATENT))
"""I(x; z) of the linear Gaussian model: half the log determinant of 1 + signal over noise."""


class Shifted(LinearVAE):
    """The same codes moved away from the prior: each as informative as before."""

    def __init__(self, by: float) -> None:
        super().__init__()
        self.by = by

    def posterior_of(self, images: Any, labels: Any = None) -> dict[str, NDArray[np.float32]]:
        found = super().posterior_of(images, labels)
        moved = found["z_mean"] + np.float32(self.by)
        return found | {"z_mean": moved, "mean": moved}

    def decode(self, z: Any, labels: Any = None) -> NDArray[np.float32]:
        return super().decode(z - self.by, labels)


def measured(model: LinearVAE, *names: str, **settings: Any) -> list[float]:
    outcome = Outcome(model, DATA, SPEC)
    found = [METRICS[name].measure(outcome, settings) for name in names]
    return [value for value in found if value is not None]


def test_the_bracket_of_the_information_holds_the_exact_one() -> None:
    least, most = measured(LinearVAE(), "mutual_information", "mutual_information_most")
    assert least - 0.05 < INFORMATION < most + 0.05
    assert most - least < 0.15, "with 1,000 images it is narrow where there are few nats"
    few = measured(LinearVAE(), "mutual_information", images=4)
    assert few[0] <= np.log(4), "of so few images, no more can be seen"


def test_the_divergence_from_the_prior_is_what_the_rate_has_in_excess() -> None:
    names = "aggregate_kl_least", "aggregate_kl_most", "kl"
    least, most, rate = measured(LinearVAE(), *names)
    assert least <= 0.05, "probabilistic PCA's codes together are the prior"
    assert most < 0.2
    assert rate == pytest.approx(INFORMATION, abs=0.05)
    least, most, rate = measured(Shifted(2.0), *names)
    # Of each of the two dimensions KL(N(2, 1) || N(0, 1)) = 2 nats.
    assert least - 0.1 < 4 < most + 0.1
    assert rate == pytest.approx(INFORMATION + 4, abs=0.15)


def test_a_mixture_fitted_afterwards_finds_codes_that_the_prior_misses() -> None:
    fine, moved = Outcome(LinearVAE(), DATA, SPEC), Outcome(Shifted(3.0), DATA, SPEC)
    prior, expost = (METRICS[name].measure(moved, {}) for name in ("frechet_pca", "frechet_expost_pca"))
    right, same = (METRICS[name].measure(fine, {}) for name in ("frechet_pca", "frechet_expost_pca"))
    assert prior is not None
    assert expost is not None
    assert same == pytest.approx(right, rel=0.15), "where the prior is right, there is nothing to be gained"
    assert expost == pytest.approx(right, rel=0.15), "the decoder is as good as before"
    moved_by = 9 * (0.3**2 + 0.2**2)  # in pixels
    assert prior == pytest.approx(right + moved_by, rel=0.05)


def test_the_fitted_mixture_is_of_all_classes_of_sorted_images() -> None:
    bright = np.concatenate([np.full((6000, 4, 4, 1), level, np.uint8) for level in (60, 200)])
    sorted_ = replace(DATA, train=Split(bright, np.repeat([0, 1], 6000)))
    outcome = Outcome(LinearVAE(), sorted_, SPEC)
    levels = np.asarray(outcome.samples_expost(400)).mean(axis=(1, 2, 3))
    assert levels.std() > 0, "both halves of the training images gave codes"
    share = float(np.mean(levels > levels.mean()))
    assert 0.4 < share < 0.6
