"""What metrics look at is made when it is asked for, once, and says what it can't know."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from vae.datasets import Data, as_float, load
from vae.errors import AbsentError, MetricError, SpecError
from vae.evaluation import measure
from vae.metrics import METRICS, Metric
from vae.outcome import Outcome
from vae.spec import RunSpec
from vae.training import train

SPEC = RunSpec.parse(
    {
        "data": {"limit": 96, "test_limit": 40},
        "model": {"name": "dense_vae", "latent_dim": 3},
        "train": {"epochs": 1, "batch_size": 32},
    },
    "",
)


class Counting:
    """A model that counts what it is asked for."""

    def __init__(self, model: Any) -> None:
        self.model, self.asked = model, {"posterior_of": 0, "decode": 0}

    def __getattr__(self, name: str) -> Any:
        if name in self.asked:
            self.asked[name] += 1
        return getattr(self.model, name)


@pytest.fixture(scope="module")
def data() -> Data:
    return load(SPEC.data)


@pytest.fixture
def model(data: Data) -> Counting:
    return Counting(train(SPEC, data).model)


def test_nothing_is_made_before_it_is_asked_for_and_nothing_twice(model: Counting, data: Data) -> None:
    outcome = Outcome(model, data, SPEC)
    assert sum(model.asked.values()) == 0
    METRICS["mse"].measure(outcome)
    METRICS["kl"].measure(outcome)
    METRICS["ssim"].measure(outcome)
    assert model.asked == {"posterior_of": 1, "decode": 1}
    METRICS["knn_accuracy"].measure(outcome)
    assert model.asked == {"posterior_of": 2, "decode": 1}, "the training images' codes"
    assert outcome.samples(7) is outcome.samples(7)
    assert model.asked["decode"] == 2
    assert outcome.once("name", lambda: 3) == outcome.once("name", lambda: 4) == 3


def test_the_draw_is_one_of_the_posterior_and_always_the_same(model: Counting, data: Data) -> None:
    one, other = Outcome(model, data, SPEC), Outcome(model, data, SPEC)
    np.testing.assert_array_equal(one.z, other.z)
    assert one.z_log_var is not None
    noise = (one.z - one.z_mean) / np.exp(one.z_log_var / 2)
    assert abs(noise.mean()) < 4 / np.sqrt(noise.size)
    assert noise.std() == pytest.approx(1, abs=4 / np.sqrt(2 * noise.size))


def test_the_rate_is_that_of_two_gaussians(model: Counting, data: Data) -> None:
    outcome = Outcome(model, data, SPEC)
    mean, log_var = outcome.z_mean.astype(float), np.asarray(outcome.z_log_var, dtype=float)
    exact = 0.5 * (mean**2 + np.exp(log_var) - 1 - log_var).sum(axis=1)
    np.testing.assert_allclose(np.asarray(outcome.rate), exact, rtol=1e-4)
    assert outcome.rates is not None
    assert outcome.rates.shape == (40, 3)


def test_a_member_that_there_is_not_is_refused() -> None:
    with pytest.raises(TypeError, match=r"an outcome has no image; it has .*images"):
        Outcome(image=np.zeros(3))


def test_what_is_not_known_applies_to_no_metric() -> None:
    images = np.zeros((3, 8, 8, 1), np.float32)
    outcome = Outcome(images=images, reconstructions=images + np.float32(0.5))
    assert METRICS["mse"].measure(outcome) == 0.25
    assert METRICS["active_units"].measure(outcome) is None
    with pytest.raises(AbsentError, match="is not known"):
        _ = outcome.z_mean


@pytest.mark.parametrize("given", ["text", np.array(["a"]), np.empty(0), object()])
def test_a_metric_that_gives_no_number_is_told(given: Any) -> None:
    with pytest.raises(MetricError, match=r"the metric 'odd' gave .*, expected a number, one for each image, or None"):
        Metric("odd", "odd", lambda outcome: given).measure(Outcome())


def test_settings_of_a_metric_are_checked() -> None:
    def sized(outcome: Outcome, size: int = 3, kind: str = "a") -> float:
        return float(size)

    metric = Metric("sized", "sized", sized)
    assert metric.measure(Outcome()) == 3
    assert metric.measure(Outcome(), {"size": 5}) == 5
    with pytest.raises(SpecError, match=r"evaluate\.sized\.size: got 'many'"):
        metric.measure(Outcome(), {"size": "many"})
    with pytest.raises(SpecError, match=r"evaluate\.sized\.sise: unknown setting 'sise': did you mean 'size'"):
        metric.measure(Outcome(), {"sise": 5})


def test_what_decides_is_measured_on_validation_images_and_what_is_reported_on_test_images() -> None:
    spec = RunSpec.parse({**SPEC.settings(), "data": {"limit": 96, "test_limit": 40, "validation": 0.25}}, "")
    data = load(spec.data)
    assert data.validation is not None
    trained = train(spec, data)
    values, failed = measure(Outcome(trained.model, data, spec), {"mse": {}, "elbo": {}, "ssim": {}, "pca_mse": {}})
    assert not failed
    assert set(values) == {"mse", "elbo", "ssim", "pca_mse", "val_mse", "val_elbo", "val_ssim"}, (
        "a floor decides nothing"
    )
    turned = replace(data, test=data.validation, validation=data.test)
    other, _ = measure(Outcome(trained.model, turned, spec), {"mse": {}, "elbo": {}, "ssim": {}})
    assert other == {name: values[pair] for name, pair in PAIRS.items()}
    assert values["mse"] != values["val_mse"]
    *_, last = trained.history
    held_out = trained.model.measure(as_float(data.validation.images), None)
    assert {name: last[f"val_{name}"] for name in held_out} == held_out, "the curves are of the validation images"


PAIRS = {"mse": "val_mse", "elbo": "val_elbo", "ssim": "val_ssim"} | {
    "val_mse": "mse",
    "val_elbo": "elbo",
    "val_ssim": "ssim",
}
