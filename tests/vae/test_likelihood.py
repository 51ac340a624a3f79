"""Bounds against what is known exactly: probabilistic PCA, and sums over all that could be seen."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from linear import DATA, EXACT, GAIN, LATENT, LEVEL, NOISE, SIZE, SPEC, LinearVAE, W
from scipy.stats import norm

from vae.datasets import Split, spread_over
from vae.likelihood import bernoulli, discretised_gaussian, is_binary
from vae.metrics import METRICS, Outcome
from vae.spec import RunSpec


def outcome(width: float = 1.0, **known: Any) -> Outcome:
    return Outcome(LinearVAE(width), DATA, SPEC, **known)


def test_probabilities_of_all_levels_sum_to_one() -> None:
    levels = np.arange(256, dtype=np.uint8).reshape(256, 1, 1, 1)
    for sigma in (0.001, 0.05, 3.0):
        for mean in (-0.2, 0.0, 0.3, 1.0):
            found = discretised_gaussian(levels, np.full(levels.shape, mean), sigma)
            assert np.exp(found).sum() == pytest.approx(1, abs=1e-9)


def test_the_likelihood_is_scipys_difference_of_distribution_functions() -> None:
    levels = np.array([0, 3, 100, 254, 255], np.uint8).reshape(1, 5, 1, 1)
    mean = np.array([0.1, 0.05, 0.4, 0.9, 0.8]).reshape(1, 5, 1, 1)
    edges = (np.arange(257) - 0.5) / 255
    edges[0], edges[-1] = -np.inf, np.inf
    noise = norm(mean.ravel(), 0.1)
    places = levels.ravel().astype(int)
    expected = np.log(noise.cdf(edges[places + 1]) - noise.cdf(edges[places])).sum()
    assert discretised_gaussian(levels, mean, 0.1) == pytest.approx([expected], rel=1e-9)


def test_far_out_a_level_is_as_probable_as_it_is_wide() -> None:
    levels = np.array([200, 60], np.uint8).reshape(2, 1, 1, 1)
    far = discretised_gaussian(levels, np.array([0.01, 0.99]).reshape(2, 1, 1, 1), 0.002)
    density = norm(0, 1).logpdf((levels.ravel() / 255 - (0.01, 0.99)) / 0.002) + np.log(LEVEL / 0.002)
    assert far == pytest.approx(density, rel=1e-9)
    assert np.isfinite(far).all()


def test_a_bernoulli_is_of_black_and_white_alone() -> None:
    levels = np.array([0, 255], np.uint8).reshape(1, 2, 1, 1)
    assert is_binary(levels)
    assert not is_binary(levels + 1)
    found = bernoulli(levels, np.array([0.25, 0.9]).reshape(1, 2, 1, 1))
    assert found == pytest.approx([np.log(0.75) + np.log(0.9)])


def test_the_bound_of_an_exact_posterior_is_probabilistic_pcas_likelihood() -> None:
    found = METRICS["elbo"].measure(outcome())
    assert found == pytest.approx(EXACT.mean(), abs=0.05)
    assert METRICS["noise_scale"].measure(outcome()) == pytest.approx(NOISE, rel=0.02)
    bits = METRICS["bits_per_dim"].measure(outcome())
    assert bits == pytest.approx(-EXACT.mean() / SIZE / np.log(2), abs=0.005)


def test_a_wider_posterior_has_a_looser_bound_that_importance_weights_close() -> None:
    wide = outcome(1.5, noise_scale=NOISE)
    bound = METRICS["elbo"].measure(wide)
    # KL(N(m, (1.5 s)^2) || N(m, s^2)) of each dimension.
    gap = LATENT * (0.5 * (1.5**2 - 1) - np.log(1.5))
    assert bound == pytest.approx(EXACT.mean() - gap, abs=0.1)
    exact = -EXACT[spread_over(4000, 200)].mean()
    few = METRICS["nll_iw"].measure(wide, {"draws": 2, "images": 200})
    many = METRICS["nll_iw"].measure(wide, {"draws": 300, "images": 200})
    assert few is not None
    assert few > exact + 0.1
    assert many == pytest.approx(exact, abs=0.02)


def test_importance_weights_of_an_exact_posterior_are_equal() -> None:
    exact = outcome(noise_scale=NOISE)
    settings = {"draws": 20, "images": 50}
    assert METRICS["nll_iw"].measure(exact, settings) == pytest.approx(-EXACT[spread_over(4000, 50)].mean(), abs=0.02)
    assert METRICS["importance_sample_size"].measure(exact, settings) == pytest.approx(20, abs=0.1)
    wide = METRICS["importance_sample_size"].measure(outcome(3.0, noise_scale=NOISE), settings)
    assert wide is not None
    assert 1 <= wide < 15


def test_the_noise_that_the_weight_stands_for_gives_a_bound_too() -> None:
    # A weight of 0.02 is a noise of 0.1, where 0.08 is right.
    own, best = METRICS["elbo_trained"].measure(outcome()), METRICS["elbo"].measure(outcome())
    assert own is not None
    assert best is not None
    assert own == pytest.approx(METRICS["elbo"].measure(outcome(noise_scale=0.1)))
    assert own < best - 0.3


def test_draws_miss_more_than_means() -> None:
    sampled, mean = METRICS["mse_sampled"].measure(outcome()), METRICS["mse"].measure(outcome())
    assert mean is not None
    extra = np.sum(W**2 * NOISE**2 / np.diag(GAIN)) / SIZE
    assert sampled == pytest.approx(mean + extra, rel=0.02)


def test_black_and_white_images_are_a_bernoulli_where_the_loss_says_so() -> None:
    binary = replace(DATA, test=Split(np.where(DATA.test.images > 127, 255, 0).astype(np.uint8), None))
    loss = {"reconstruction": {"likelihood": "bernoulli"}}
    spec = RunSpec.parse({"model": {"name": "dense_vae", "latent_dim": LATENT}, "loss": loss}, "")
    one = Outcome(LinearVAE(), binary, spec)
    rate = METRICS["kl"].measure(one)
    assert rate is not None
    y = one.drawn.clip(1e-6, 1 - 1e-6)
    x = one.images
    nats = (x * np.log(y) + (1 - x) * np.log(1 - y)).reshape(len(x), -1).sum(axis=1)
    assert METRICS["elbo"].measure(one) == pytest.approx(nats.mean() - rate, rel=1e-4)
    assert METRICS["noise_scale"].measure(one) is None
    assert METRICS["elbo_trained"].measure(one) is None
    grey = Outcome(LinearVAE(), DATA, spec)
    assert METRICS["elbo"].measure(grey) == pytest.approx(EXACT.mean(), abs=0.05), "grey values are no Bernoulli's"
