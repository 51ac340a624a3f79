"""What a trained model is asked for, on the Keras backend named in KERAS_BACKEND."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vae.datasets import Data, load
from vae.errors import SpecError
from vae.evaluation import evaluate
from vae.latent import interpolate
from vae.model import PENALTY
from vae.outcome import Outcome
from vae.plugins import load_plugin
from vae.posteriors import POSTERIORS, Given, divergence
from vae.priors import PRIORS, Bound
from vae.spec import RunSpec
from vae.training import Trained, train

pytestmark = pytest.mark.backend


def spec(**settings: Any) -> RunSpec:
    base: dict[str, Any] = {
        "data": {"limit": 96, "test_limit": 40},
        "model": {"name": "dense_vae", "latent_dim": 3},
        "train": {"epochs": 2, "batch_size": 32, "learning_rate": 1e-2},
    }
    return RunSpec.parse(base | settings, "")


@pytest.fixture(scope="module")
def data() -> Data:
    return load(spec().data)


@pytest.fixture(scope="module")
def trained(data: Data) -> Trained:
    return train(spec(), data)


@pytest.fixture(scope="module")
def conditional(data: Data) -> Trained:
    return train(spec(model={"name": "dense_vae", "latent_dim": 3, "conditional": True}), data)


def test_bytes_and_floats_are_one(trained: Trained, data: Data) -> None:
    images = data.test.images[:9]
    for one, other in zip(trained.model.encode(images), trained.model.encode(images / np.float32(255)), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((2, 8, 8, 1), np.int64), "got int64 images, expected uint8"),
        (np.full((2, 8, 8, 1), 7.0), r"pixels in \[7, 7\]"),
        (np.full((2, 8, 8, 1), np.nan), r"pixels in \[nan, nan\]"),
        (np.zeros((2, 8, 8, 3)), r"got images of shape \(2, 8, 8, 3\), expected \(n, 8, 8, 1\)"),
        (np.zeros((8, 8, 1)), r"got images of shape \(8, 8, 1\)"),
    ],
)
def test_images_of_another_kind_are_refused(trained: Trained, images: Any, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        trained.model.encode(images)


def test_codes_of_another_size_are_refused(trained: Trained) -> None:
    with pytest.raises(SpecError, match=r"got latent vectors of shape \(2, 4\), expected \(n, 3\)"):
        trained.model.decode(np.zeros((2, 4)))


def test_what_a_model_makes_is_decoded_from_where_it_says(trained: Trained, data: Data) -> None:
    model, images = trained.model, data.test.images
    mean = model.encode(images)[0]
    # A batch of another size is summed in another order: on some processors the last bit differs.
    np.testing.assert_allclose(model.reconstruct(images[:5]), model.decode(mean[:5]), atol=1e-6)
    noise = np.random.default_rng(4).standard_normal((6, 3), dtype=np.float32)
    np.testing.assert_array_equal(model.sample(6, seed=4), model.decode(noise))
    way = model.interpolate(images[0], images[1], steps=4)
    np.testing.assert_allclose(way, model.decode(interpolate(mean[0], mean[1], 4)), atol=1e-6)
    moved = model.traverse(images[0], [2], [-1.0, 1.0])
    point = mean[0].copy()
    point[2] = 1.0
    np.testing.assert_allclose(moved[0, 1], model.decode(point[np.newaxis])[0], atol=1e-6)


def test_a_deterministic_autoencoder_has_no_samples(data: Data) -> None:
    model = train(spec(posterior={"name": "deterministic"}), data).model
    with pytest.raises(SpecError, match="no prior"):
        model.sample(3)
    assert model.encode(data.test.images)[1] is None


def test_any_network_is_an_autoencoder_with_a_point_for_a_posterior(data: Data) -> None:
    found = train(spec(model={"name": "conv", "latent_dim": 3}, posterior={"name": "deterministic"}), data)
    assert "kl" not in found.history[0]
    metrics = evaluate(found, data).metrics
    assert metrics["kl"] is metrics["posterior_scale"] is None
    assert metrics["parameters"] == sum(int(np.prod(one.shape)) for one in found.model.trainable_variables)


def test_a_conditional_model_knows_the_class(conditional: Trained, data: Data) -> None:
    model, labels = conditional.model, data.test.labels
    assert labels is not None
    with pytest.raises(SpecError, match="this model is conditional: give labels, one of 0 to 9"):
        model.encode(data.test.images)
    with pytest.raises(SpecError, match="labels from 10 to 10"):
        model.sample(2, label=10)
    one, other = model.sample(5, label=3), model.sample(5, label=np.full(5, 4))
    assert one.shape == other.shape == (5, 8, 8, 1)
    assert np.abs(one - other).max() > 1e-4, "the decoder sees the class"
    seen = model.encode(data.test.images, labels)[0] - model.encode(data.test.images, (labels + 1) % 10)[0]
    assert np.abs(seen).max() > 1e-4, "and so does the encoder"


def test_a_conditional_model_is_measured_and_shown_class_by_class(conditional: Trained, data: Data) -> None:
    found = evaluate(conditional, data)
    assert found.arrays["sample_labels"].tolist() == [n % 10 for n in range(32)]
    assert found.metrics["parameters"] == sum(int(np.prod(one.shape)) for one in conditional.model.trainable_variables)
    outcome = Outcome(conditional.model, data, conditional.spec)
    assert outcome.samples(20) is outcome.samples(20)
    assert found.metrics["mse"] == pytest.approx(
        float(np.mean(np.square(outcome.images - conditional.model.reconstruct(data.test.images, data.test.labels)))),
        rel=1e-5,
    )


def test_labels_are_asked_for_where_there_are_none() -> None:
    images = np.random.default_rng(0).integers(0, 256, (40, 8, 8, 1), dtype=np.uint8)
    with pytest.raises(SpecError, match=r"model\.conditional = true needs labels, and the data set 'images at hand'"):
        train(spec(model={"name": "dense_vae", "conditional": True}), images)


def test_arrays_at_hand_are_a_data_set() -> None:
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (60, 9, 10), dtype=np.uint8), np.array(["a", "b"] * 30)
    one = train(spec(data={"test_fraction": 0.25}), (images, labels))
    assert one.model.shape == (9, 10, 1)
    again = train(spec(data={"test_fraction": 0.25}), (images[..., np.newaxis] / 255, labels))
    for a, b in zip(one.model.get_weights(), again.model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    found = evaluate(one, (images, labels))
    assert len(found.arrays["sse_per_image"]) == 15
    for wrong, message in (
        (images.astype(int), "got int64 images"),
        (images * 1.0, r"pixels in \[0, 255\]"),
        (np.zeros((3, 4, 4)), "at least 8 pixels"),
        ((images, labels[1:]), r"got labels of shape \(59,\), expected \(60,\)"),
    ):
        with pytest.raises(SpecError, match=message):
            train(spec(), wrong)


def test_several_draws_a_step_are_averaged(data: Data) -> None:
    import keras

    one, many = (train(spec(train={"epochs": 1, "batch_size": 32, "samples": k}), data) for k in (1, 8))
    assert one.spec.digest() != many.spec.digest()
    assert RunSpec.parse({}, "").identity == RunSpec.parse({"train": {"samples": 1}}, "").identity
    images = keras.ops.convert_to_tensor(data.train.images[:4] / np.float32(255))
    made = many.model(images, training=True)
    assert tuple(made["z"].shape) == (32, 3)
    z = keras.ops.convert_to_numpy(made["z"]).reshape(8, 4, 3)
    mean = many.model.encode(data.train.images[:4])[0]
    assert np.ptp(z, axis=0).min() > 0, "each draw is another"
    deviation = np.exp(many.model.encode(data.train.images[:4])[1] / 2)  # type: ignore[operator]
    assert (np.abs(z.mean(axis=0) - mean) < 4 * deviation / np.sqrt(8)).all(), "around its own image's mean"


def test_what_layers_add_to_the_loss_is_in_it(data: Data) -> None:
    import keras

    from vae.networks import NETWORKS, network

    @network("penalised")
    def penalised(shape: Any, latent_dim: int, strength: float = 0.5) -> Any:
        image, z = keras.Input(shape), keras.Input((latent_dim,))
        regular = keras.regularizers.L2(strength)
        x = keras.layers.Dense(8, kernel_regularizer=regular)(keras.layers.Flatten()(image))
        x = keras.layers.ActivityRegularization(l2=0.1)(x)
        y = keras.layers.Reshape(shape)(keras.layers.Dense(int(np.prod(shape)), "sigmoid")(z))
        return keras.Model(image, x), keras.Model(z, y)

    try:
        strong = train(spec(model={"name": "penalised", "latent_dim": 3, "strength": 50.0}), data)
        weak = train(spec(model={"name": "penalised", "latent_dim": 3, "strength": 0.0}), data)
    finally:
        NETWORKS.forget(__name__)
    row = strong.history[0]
    assert row[PENALTY] > weak.history[0][PENALTY] > 0
    parts = row["reconstruction"] + 5e-4 * row["kl"] + row[PENALTY]
    assert row["loss"] == pytest.approx(parts, rel=0.02)
    assert row["val_loss"] == pytest.approx(
        row["val_reconstruction"] + 5e-4 * row["val_kl"] + row["val_penalty"], rel=1e-4
    )
    sizes = [float(np.abs(one.model.encoder.get_weights()[0]).mean()) for one in (strong, weak)]
    assert sizes[0] < 0.8 * sizes[1], "and moves the weights"


def test_a_divergence_without_a_formula_is_that_of_the_draws() -> None:
    import keras
    from keras import ops

    class Wide(type(PRIORS["standard"](name="standard"))):  # type: ignore[misc]
        """N(0, 4 I), which no formula of ours is for."""

        unit_normal = False

        def log_prob(self, z: Any, own: Any) -> Any:
            return -0.5 * ops.sum(np.log(2 * np.pi * 4) + ops.square(z) / 4, axis=-1)

        def sample(self, rng: Any, n: int, latent_dim: int, own: Any) -> Any:
            return 2 * rng.standard_normal((n, latent_dim), dtype=np.float32)

    prior, n = Bound(Wide(), 3), 100_000
    mean, log_var = np.array([0.5, -1.0, 0.0], np.float32), np.array([0.0, -1.0, 1.0], np.float32)
    values = {
        name: ops.convert_to_tensor(np.tile(one, (n, 1))) for name, one in (("z_mean", mean), ("z_log_var", log_var))
    }
    given = Given(POSTERIORS["gaussian"](name="gaussian"), values)
    noise = np.random.default_rng(0).standard_normal((n, 3), dtype=np.float32)
    found = keras.ops.convert_to_numpy(divergence(given, prior, given.sample(ops.convert_to_tensor(noise))))
    exact = 0.5 * np.sum(np.log(4) - log_var - 1 + (np.exp(log_var) + mean**2) / 4)
    assert found.mean() == pytest.approx(exact, abs=4 * found.std() / np.sqrt(n))
    assert prior.scale == pytest.approx(2, rel=0.03)


def test_a_critic_and_what_it_criticises_learn_in_one_sum(data: Data) -> None:
    import keras

    from vae.reuse import build
    from vae.terms import frozen

    load_plugin(Path(__file__).parents[1] / "plugins" / "critic.py")
    wanted = spec(loss={"critic": {"weight": 1.0}, "reconstruction": {"weight": 0.0}, "kl": {"weight": 0.0}})
    before = build(wanted, data.shape).term_layers["critic"].get_weights()
    found = train(wanted, data)
    critic = found.model.term_layers["critic"]
    assert all(np.abs(one - other).max() > 0 for one, other in zip(before, critic.get_weights(), strict=True))
    assert np.isfinite([row["critic"] for row in found.history]).all()
    decoder = build(wanted, data.shape).decoder.get_weights()
    changed = [np.abs(one - other).max() for one, other in zip(decoder, found.model.decoder.get_weights(), strict=True)]
    assert max(changed) > 0, "the decoder learns from the critic alone"
    images = keras.ops.convert_to_tensor(data.train.images[:3] / np.float32(255))
    one, other = (keras.ops.convert_to_numpy(made) for made in (critic(images), frozen(critic, images)))
    np.testing.assert_allclose(one, other, rtol=1e-6)


def test_a_term_with_layers_goes_on_to_the_same_bits(tmp_path: Path, data: Data) -> None:
    for name in ("critic.py", "mixture.py"):
        load_plugin(Path(__file__).parents[1] / "plugins" / name)
    wanted = spec(
        loss={"critic": {"weight": 1.0}},
        prior={"name": "own_mixture"},
        train={"epochs": 3, "batch_size": 32, "samples": 2},
    )
    whole = train(wanted, data)
    train(wanted, data, checkpoints=tmp_path, until=1)
    resumed = train(wanted, data, checkpoints=tmp_path)
    assert "resumed" in resumed.notes
    for one, other in zip(whole.model.get_weights(), resumed.model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
