"""A number for copying: of copies 1, of unseen images a half, and its error against simulation."""

from dataclasses import replace

import numpy as np
import pytest
from linear import DATA, SPEC, LinearVAE
from scipy.stats import mannwhitneyu

from vae.datasets import Split
from vae.metrics import METRICS, Outcome
from vae.metrics.memorisation import nearer

RNG = np.random.default_rng(0)


def test_it_is_the_mann_whitney_statistic() -> None:
    one, other = RNG.integers(0, 20, 300), RNG.integers(3, 25, 200)
    found, _ = nearer(np.sort(one), np.sort(other))
    statistic = mannwhitneyu(one, other).statistic  # pairs in which the first is greater, ties as half
    assert found == pytest.approx(1 - statistic / (300 * 200))


def test_its_error_is_the_spread_of_many_draws() -> None:
    draws = [nearer(np.sort(RNG.normal(0, 1, 100)), np.sort(RNG.normal(0.5, 2, 80))) for _ in range(400)]
    values, errors = np.array(draws).T
    assert errors.mean() == pytest.approx(values.std(), rel=0.1)


class Copies(LinearVAE):
    """Decodes training images, and nothing else."""

    def decode(self, z: np.ndarray, labels: object = None) -> np.ndarray:
        return DATA.train.images[: len(z)].astype(np.float32) / 255


def test_copies_are_found_and_honest_samples_are_not() -> None:
    copied = Outcome(Copies(), DATA, SPEC)
    assert METRICS["memorisation"].measure(copied) == 1
    # Test images in the place of training images, so that both sides are drawn alike: samples with the pixels' noise.
    unseen = replace(DATA, train=Split(DATA.test.images[:2000]), test=Split(DATA.test.images[2000:]))
    noisy = Outcome(Noisy(), unseen, SPEC)
    share, error = (METRICS[name].measure(noisy) for name in ("memorisation", "memorisation_error"))
    assert share is not None
    assert error is not None
    assert abs(share - 0.5) < 3 * error
    assert 0.005 < error < 0.03
    plain = METRICS["memorisation"].measure(Outcome(LinearVAE(), unseen, SPEC))
    assert plain is not None
    assert plain > 0.9, "images without noise are near to many: the number alone proves nothing"


class Noisy(LinearVAE):
    """Draws with the noise of the pixels, as the data have."""

    def decode(self, z: np.ndarray, labels: object = None) -> np.ndarray:
        made = super().decode(z, labels)
        noise = np.random.default_rng(7).standard_normal(made.shape)
        return (made + 0.08 * noise).clip(0, 1).astype(np.float32)
