import gc
from typing import Any

import keras
import numpy as np
import pytest

from vae.datasets import as_float, load
from vae.errors import DivergedError
from vae.evaluation import evaluate
from vae.metrics import usual_metrics
from vae.saved import load_model
from vae.spec import RunSpec
from vae.training import train


def spec(**changes: Any) -> RunSpec:
    settings: dict[str, Any] = {
        "data": {"limit": 200, "test_limit": 100},
        "model": {"name": "conv", "latent_dim": 4, "filters": [8], "hidden_units": [16]},
        "train": {"epochs": 2, "batch_size": 32, "learning_rate": 3e-3},
    }
    for key, value in changes.items():
        settings[key] = settings.get(key, {}) | value
    return RunSpec.parse(settings, "")


def test_the_same_spec_gives_the_same_bits_and_another_seed_does_not() -> None:
    one, two, other = train(spec()), train(spec()), train(spec(train={"seed": 1}))
    for a, b in zip(one.model.get_weights(), two.model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert evaluate(one).metrics == evaluate(two).metrics
    assert evaluate(one).metrics["mse"] != evaluate(other).metrics["mse"]


def test_what_ran_before_in_the_process_does_not_matter() -> None:
    alone = evaluate(train(spec())).metrics
    train(spec(model={"name": "conv", "latent_dim": 9}, train={"seed": 5}))
    keras.random.normal((3,))
    assert evaluate(train(spec())).metrics == alone


def test_history_logs_each_term_apart() -> None:
    trained = train(spec(loss={"ssim": {"weight": 2.0}, "kl": {"weight": 0.01, "schedule": "warmup", "ramp": 1.0}}))
    assert [row["epoch"] for row in trained.history] == [1, 2]
    last = trained.history[-1]
    for prefix in ("", "val_"):
        assert {f"{prefix}loss", f"{prefix}reconstruction", f"{prefix}kl", f"{prefix}ssim"} <= set(last)
    # Weights are those of the epoch's last step, the 7th and the 14th of 14, of which the first was taken at 0.
    assert trained.history[0]["kl_weight"] == pytest.approx(0.01 * 6 / 14)
    assert last["kl_weight"] == pytest.approx(0.01 * 13 / 14)
    assert last["ssim_weight"] == 2.0
    total = last["val_reconstruction"] + last["kl_weight"] * last["val_kl"] + 2 * last["val_ssim"]
    assert last["val_loss"] == pytest.approx(total, rel=1e-4)


def test_a_cycle_s_last_step_is_logged_with_its_own_weight() -> None:
    cyclical = {"weight": 0.01, "schedule": "cyclical", "cycles": 2, "ramp": 0.5}
    history = train(spec(loss={"kl": cyclical})).history
    assert [row["kl_weight"] for row in history] == [0.01, 0.01], "not the 0 that the next cycle begins with"


def test_validation_draws_z_as_training_does() -> None:
    trained = train(spec(train={"epochs": 1}))
    data = load(spec().data)
    images = as_float(data.test.images, "unit")
    found = trained.model.measure(images)
    assert found == trained.model.measure(images), "the noise is the same each time"
    assert {f"val_{name}": value for name, value in found.items()}.items() <= trained.history[-1].items()
    mean, log_var = trained.model.encode(images)
    assert log_var is not None
    rng = np.random.default_rng(0)
    drawn = [
        np.square(images - trained.model.decode(mean + np.exp(log_var / 2) * rng.standard_normal(mean.shape)))
        .reshape(len(images), -1)
        .sum(axis=1)
        for _ in range(40)
    ]
    spread = float(np.std([one.mean() for one in drawn]))
    assert found["reconstruction"] == pytest.approx(np.mean(drawn), abs=4 * spread)
    at_mean = np.square(images - trained.model.decode(mean)).reshape(len(images), -1).sum(axis=1).mean()
    assert abs(found["reconstruction"] - float(at_mean)) > spread, "the objective does not decode the mean"


def test_timings_are_positive_and_add_up() -> None:
    trained = train(spec())
    timings = trained.timings
    assert all(value > 0 for value in timings.values())
    seconds = sum(row["seconds"] for row in trained.history)
    assert timings["first_step_seconds"] + timings["train_seconds"] == pytest.approx(seconds)
    assert timings["images_per_second"] * timings["train_seconds"] == pytest.approx(400 * 13 / 14)


def test_a_training_of_a_single_step_has_no_rest_to_be_timed() -> None:
    trained = train(spec(train={"epochs": 1, "batch_size": 200}))
    assert set(trained.timings) == {"first_step_seconds", "seconds_per_epoch"}
    assert trained.timings["first_step_seconds"] == pytest.approx(trained.history[0]["seconds"])
    again = train(spec(train={"epochs": 2, "batch_size": 200})).timings
    assert again["images_per_second"] * again["train_seconds"] == pytest.approx(200)


def test_divergence_is_an_error_that_names_step_epoch_and_term() -> None:
    with pytest.raises(
        DivergedError, match=r"reconstruction.* not finite at step 2 \(epoch 1\)\. Lower train\.learning_rate"
    ):
        train(spec(model={"output": "linear"}, train={"learning_rate": 1e12}))


def test_training_reduces_the_error_below_the_mean_image() -> None:
    trained = train(spec(train={"epochs": 20}))
    metrics = evaluate(trained).metrics
    data = load(spec().data)
    mean = data.train.images.mean(axis=0) / 255
    mse = metrics["mse"]
    assert mse is not None
    assert mse < 0.8 * np.mean((data.test.images / 255 - mean) ** 2)


@pytest.mark.parametrize("name", ["dense", "dense_vae", "conv"])
def test_evaluation_has_every_metric_and_picture(name: str) -> None:
    model = {"name": name, "latent_dim": 3} | ({"hidden_units": [8]} if name != "conv" else {})
    run = RunSpec.parse(spec().settings() | {"model": model}, "")
    evaluation = evaluate(train(run))
    assert set(usual_metrics()) | {"parameters", "flops_per_image"} == set(evaluation.metrics)
    deterministic = name == "dense"
    assert (evaluation.metrics["kl"] is None) == deterministic
    arrays = evaluation.arrays
    assert ("samples" not in arrays) == deterministic
    assert arrays["examples"].shape == arrays["reconstructions"].shape == (10, 8, 8, 1)
    assert arrays["example_labels"].tolist() == list(range(10))
    assert arrays["interpolations"].shape == arrays["interpolations_spherical"].shape == (4, 9, 8, 8, 1)
    for end in (0, -1):  # the two ways part and meet again
        np.testing.assert_array_equal(arrays["interpolations"][:, end], arrays["interpolations_spherical"][:, end])
    assert (arrays["interpolation_labels"][:, 0] != arrays["interpolation_labels"][:, 1]).all()
    assert arrays["sse_per_image"].mean() == pytest.approx(evaluation.metrics["sse"], rel=1e-5)
    if not deterministic:
        assert arrays["kl_per_dimension"].sum() == pytest.approx(evaluation.metrics["kl"], rel=1e-4)


def test_metrics_do_not_depend_on_the_range_that_the_model_was_trained_in() -> None:
    trained = train(spec(data={"range": "symmetric"}, model={"output": "tanh"}))
    evaluation = evaluate(trained)
    images = load(trained.spec.data).test.images
    z_mean, _ = trained.model.encode(as_float(images, "symmetric"))
    expected = np.mean((images / 255 - (trained.model.decode(z_mean) + 1) / 2) ** 2)
    assert evaluation.metrics["mse"] == pytest.approx(expected, rel=1e-4)
    assert evaluation.metrics["sigma"] == pytest.approx(np.sqrt(5e-4 / 8))


def test_a_saved_model_is_the_model(tmp_path: Any) -> None:
    trained = train(spec(loss={"reconstruction": {"likelihood": "gaussian"}}))
    trained.model.save(tmp_path / "model.keras")
    loaded = load_model(tmp_path / "model.keras")
    images = as_float(load(trained.spec.data).test.images, "unit")
    np.testing.assert_array_equal(loaded.encode(images)[0], trained.model.encode(images)[0])
    for a, b in zip(trained.model.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def batch_error(trained: Any) -> tuple[float, float]:
    """Test error in inference mode, and with each batch's own statistics."""
    images = as_float(load(trained.spec.data).test.images, "unit")
    model = trained.model
    own = np.asarray(model.decoder(model.encoder(images, training=True)[0], training=True))
    inference = model.decode(model.encode(images)[0])
    return float(np.square(images - inference).sum()), float(np.square(images - own).sum())


def test_batch_normalisation_does_not_spoil_the_evaluation_of_a_short_run() -> None:
    settings = {
        "data": {},
        "model": {"name": "conv", "latent_dim": 8, "normalization": "batch"},
        "train": {"epochs": 2, "batch_size": 64},
    }
    good = train(RunSpec.parse(settings, ""))
    inference, own = batch_error(good)
    assert inference == pytest.approx(own, rel=0.05)
    assert good.notes["batch_statistics"].startswith("re-estimated on 1")

    settings["model"] |= {"statistics": "moving", "momentum": 0.99}  # type: ignore[operator]
    lagging = train(RunSpec.parse(settings, ""))
    assert lagging.notes["batch_statistics"] == "moving averages, momentum 0.99"
    inference, own = batch_error(lagging)
    assert inference > 1.2 * own


def test_models_trained_one_after_the_other_leave_nothing_behind() -> None:
    counts = []
    for seed in range(4):
        keras.backend.clear_session()
        evaluate(train(spec(train={"seed": seed, "epochs": 1})))
        keras.backend.clear_session()
        gc.collect()
        counts.append(sum(type(thing).__name__ == "FuncGraph" for thing in gc.get_objects()))
    assert counts[-1] == counts[1], "graphs of earlier models are still alive"
