from typing import Any

import numpy as np
import pytest
from scipy import stats

from vae.posteriors import POSTERIORS, Given
from vae.priors import PRIORS, Bound
from vae.terms import TERMS, Outputs
from vae.terms.kl import KL
from vae.terms.reconstruction import NOISE, Reconstruction
from vae.terms.ssim import SSIM

RNG = np.random.default_rng(0)


def outputs(**changes: Any) -> Outputs:
    import keras

    image = RNG.random((4, 8, 8, 1), dtype=np.float32)
    base = {
        "image": image,
        "reconstruction": np.clip(image + 0.1, 0.01, 0.99),
        "z_mean": RNG.standard_normal((4, 3), dtype=np.float32),
        "z_log_var": RNG.standard_normal((4, 3), dtype=np.float32),
        "z": RNG.standard_normal((4, 3), dtype=np.float32),
    } | changes
    tensors = {name: keras.ops.convert_to_tensor(value) for name, value in base.items() if name != "scalars"}
    values = {name: tensors[name] for name in ("z_mean", "z_log_var")}
    return Outputs(
        **tensors,
        bounds=(0.0, 1.0),
        scalars=changes.get("scalars", {NOISE: 0.0}),
        posterior=Given(POSTERIORS["gaussian"](), values),
        prior=Bound(PRIORS["standard"](), 3),
    )


def numbers(values: Any) -> np.ndarray:
    import keras

    return np.asarray(keras.ops.convert_to_numpy(values))


@pytest.mark.parametrize("name", list(TERMS))
def test_every_term_gives_one_finite_value_an_image(name: str) -> None:
    values = numbers(TERMS[name]()(outputs()))
    assert values.shape == (4,)
    assert np.isfinite(values).all()


def test_squared_error_is_a_sum_over_pixels() -> None:
    given = outputs()
    expected = ((numbers(given.image) - numbers(given.reconstruction)) ** 2).sum(axis=(1, 2, 3))
    np.testing.assert_allclose(numbers(Reconstruction()(given)), expected, rtol=1e-5)


def test_kl_is_that_of_two_gaussians() -> None:
    given = outputs()
    mean, deviation = numbers(given.z_mean).astype(float), np.exp(numbers(given.z_log_var).astype(float) / 2)
    samples = mean + deviation * np.random.default_rng(1).standard_normal((200_000, 4, 3))
    estimate = (stats.norm.logpdf(samples, mean, deviation) - stats.norm.logpdf(samples)).sum(axis=2).mean(axis=0)
    np.testing.assert_allclose(numbers(KL()(given)), estimate, rtol=0.02)


def test_kl_of_the_prior_is_zero() -> None:
    zero = np.zeros((4, 3), np.float32)
    np.testing.assert_allclose(numbers(KL()(outputs(z_mean=zero, z_log_var=zero))), 0)


def test_gaussian_likelihood_is_scipys() -> None:
    given = outputs(scalars={NOISE: -3.0})
    sigma = np.exp((-12 + np.logaddexp(0, -3 + 12)) / 2)
    expected = -stats.norm.logpdf(numbers(given.image), numbers(given.reconstruction), sigma).sum(axis=(1, 2, 3))
    values = numbers(Reconstruction(likelihood="gaussian")(given))
    np.testing.assert_allclose(values, expected, rtol=1e-4)


@pytest.mark.parametrize(("weight", "kl_weight"), [(1.0, 5e-4), (2.0, 1e-2)])
def test_a_weighted_squared_error_is_a_gaussian_likelihood_of_its_noise_variance(
    weight: float, kl_weight: float
) -> None:
    image = RNG.random((4, 8, 8, 1))
    one, other = image + 0.1, image + RNG.normal(size=image.shape) / 9
    term = Reconstruction(weight=weight)
    variance = term.noise_variance(kl_weight)
    assert variance is not None
    # Beside one nat of KL, the two reconstructions differ by as much as their log-likelihoods do.
    losses, likelihoods = [], []
    for reconstruction in (one, other):
        value = numbers(term(outputs(image=image, reconstruction=reconstruction)))
        losses.append(value * weight / kl_weight)
        likelihoods.append(stats.norm.logpdf(image, reconstruction, np.sqrt(variance)).sum(axis=(1, 2, 3)))
    np.testing.assert_allclose(losses[0] - losses[1], likelihoods[1] - likelihoods[0], rtol=1e-4)


def test_other_terms_are_no_likelihood_of_a_known_variance() -> None:
    others = [Reconstruction(likelihood="bernoulli"), Reconstruction(likelihood="gaussian"), KL(), SSIM()]
    assert [term.noise_variance(1e-3) for term in others] == [None] * 4


def test_bernoulli_likelihood_is_the_cross_entropy() -> None:
    given = outputs()
    x, y = numbers(given.image), numbers(given.reconstruction)
    expected = -(x * np.log(y) + (1 - x) * np.log(1 - y)).sum(axis=(1, 2, 3))
    np.testing.assert_allclose(numbers(Reconstruction(likelihood="bernoulli")(given)), expected, rtol=1e-4)


def test_ssim_is_zero_for_equal_images() -> None:
    image = RNG.random((4, 8, 8, 1), dtype=np.float32)
    np.testing.assert_allclose(numbers(SSIM()(outputs(image=image, reconstruction=image))), 0, atol=1e-5)


def test_schedules() -> None:
    constant, warmup = KL(weight=2), KL(weight=2, schedule="warmup", ramp=0.5)
    cyclical = KL(weight=2, schedule="cyclical", ramp=0.5, cycles=4)
    assert [constant.weight_at(p) for p in (0, 0.3, 1)] == [2, 2, 2]
    assert [warmup.weight_at(p) for p in (0, 0.25, 0.5, 0.9, 1)] == [0, 1, 2, 2, 2]
    assert [cyclical.weight_at(p) for p in (0, 0.0625, 0.125, 0.24, 0.25, 0.3125, 1)] == pytest.approx(
        [0, 1, 2, 2, 0, 1, 2]
    )
