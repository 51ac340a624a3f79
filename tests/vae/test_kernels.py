"""Each faster kernel gives what Keras' own gives, values, gradients and state."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from vae import RunSpec, kernels, load_model, train
from vae.datasets import load

LAYERS = {
    "transposed, stride 1": (keras.layers.Conv2DTranspose, {"filters": 3, "activation": "sigmoid"}),
    "transposed, few filters": (keras.layers.Conv2DTranspose, {"filters": 1, "activation": "sigmoid"}),
    "transposed, even kernel": (keras.layers.Conv2DTranspose, {"filters": 1, "kernel_size": (2, 4)}),
    "transposed, stride 2": (keras.layers.Conv2DTranspose, {"filters": 3, "strides": 2}),
    "batch statistics": (keras.layers.BatchNormalization, {"momentum": 0.9}),
}
SHAPES = {"even": (4, 6, 8, 5), "odd": (3, 5, 7, 2), "many channels": (2, 5, 6, 70), "vectors": (16, 7)}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize(("kind", "options"), LAYERS.values(), ids=LAYERS)
@pytest.mark.parametrize("training", [True, False])
def test_a_layer_is_kerass_own(kind: Any, options: dict[str, Any], shape: tuple[int, ...], *, training: bool) -> None:
    transposed = kind is keras.layers.Conv2DTranspose
    if transposed:
        options = {"kernel_size": 3, "padding": "same"} | options
        shape = shape if len(shape) == 4 else (*shape, 2, 1)
    quick = kernels.fast(kind)
    assert quick is not kind
    generator = np.random.default_rng(0)
    x = tf.constant(generator.normal(2.0, 3.0, shape).astype(np.float32))
    layers = [kind(**options), quick(**options)]
    found = []
    for layer in layers:
        layer.build(shape)
        layer.set_weights(
            [np.random.default_rng(i).uniform(0.02, 0.1, w.shape) for i, w in enumerate(layer.get_weights())]
        )
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x) if transposed else layer(x, training=training)
            loss = tf.reduce_sum(tf.sin(y) * tf.cos(tf.range(float(tf.size(y)))[: tf.size(y)].numpy().reshape(y.shape)))
        gradients = tape.gradient(loss, [x, *(variable.value for variable in layer.trainable_variables)])
        found.append([y, *gradients, *layer.get_weights()])
    assert len(found[0]) == len(found[1])
    for plain, fast in zip(*found, strict=True):
        scale = float(np.abs(plain).max())
        np.testing.assert_allclose(fast, plain, atol=1e-4 * scale, rtol=1e-4)


@pytest.mark.parametrize("clip_norm", [None, 0.5])
def test_adam_takes_kerass_steps(clip_norm: float | None) -> None:
    generator = np.random.default_rng(0)
    start = generator.normal(size=(7, 5)).astype(np.float32)
    gradients = generator.normal(scale=10.0 ** generator.integers(-6, 3, 50)[:, None, None], size=(50, 7, 5))
    ends = []
    for kind in (keras.optimizers.Adam, kernels.fast(keras.optimizers.Adam)):
        variable = keras.Variable(start)
        optimizer = kind(3e-3, global_clipnorm=clip_norm)
        optimizer.build([variable])
        for gradient in gradients.astype(np.float32):
            optimizer.apply([tf.constant(gradient)])
        ends.append([variable, *optimizer.variables])
    assert len(ends[0]) == len(ends[1])
    for plain, fast in zip(*ends, strict=True):
        np.testing.assert_allclose(np.asarray(fast), np.asarray(plain), rtol=2e-5, atol=1e-7)


@pytest.mark.parametrize("normalization", ["none", "batch"])
def test_fifty_steps_end_where_kerass_own_kernels_end(normalization: str, monkeypatch: pytest.MonkeyPatch) -> None:
    network = {"name": "conv", "filters": [8, 16], "hidden_units": [16], "normalization": normalization}
    spec = RunSpec.parse(
        {
            "data": {"name": "digits", "limit": 320, "test_limit": 100},
            "model": network | {"latent_dim": 4},
            "train": {"epochs": 5, "batch_size": 32, "seed": 0},
        },
        "test",
    )
    data = load(spec.data)
    images = data.test.images.astype(np.float32) / 255
    quick = train(spec, data)
    monkeypatch.setattr("vae.reuse.fast", lambda kind: kind)
    monkeypatch.setattr(kernels, "fast", lambda kind: kind)
    plain = train(spec, data)
    assert {type(layer).__module__ for layer in plain.model.decoder.layers} != {
        type(layer).__module__ for layer in quick.model.decoder.layers
    }
    assert quick.history[-1]["loss"] == pytest.approx(plain.history[-1]["loss"], rel=1e-4)
    for one, other in zip(quick.model.trainable_variables, plain.model.trainable_variables, strict=True):
        if one.name == "bias" and normalization == "batch":
            continue  # what comes before a normalisation needs none: its gradient is rounding alone, and Adam scales it
        np.testing.assert_allclose(np.asarray(one), np.asarray(other), atol=2e-3)
    reconstructions = [run.model.decode(run.model.encode(images)[0]) for run in (quick, plain)]
    np.testing.assert_allclose(*reconstructions, atol=1e-2)


def test_a_saved_model_trains_on_where_it_was(tmp_path: Path) -> None:
    model = {"name": "conv", "filters": [4], "hidden_units": [8], "normalization": "batch", "latent_dim": 2}
    spec = RunSpec.parse({"data": {"limit": 64, "test_limit": 32}, "model": model, "train": {"epochs": 1}}, "test")
    trained = train(spec).model
    trained.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert isinstance(loaded.optimizer, kernels.Adam)
    images = np.random.default_rng(0).random((16, 8, 8, 1), dtype=np.float32)
    for one, other in zip(trained.optimizer.variables, loaded.optimizer.variables, strict=True):
        np.testing.assert_array_equal(np.asarray(one), np.asarray(other))
    assert np.isfinite(loaded.train_on_batch(images)).all()


@pytest.mark.parametrize("normalization", ["none", "batch", "group"])
def test_bfloat16_is_inside_alone_and_close(normalization: str, tmp_path: Path) -> None:
    runs = {}
    for precision in ("float32", "bfloat16"):
        model = {"name": "conv", "filters": [8], "hidden_units": [16], "normalization": normalization, "latent_dim": 4}
        spec = RunSpec.parse(
            {
                "data": {"limit": 320, "test_limit": 100},
                "model": model | {"precision": precision},
                "train": {"epochs": 5, "batch_size": 32, "learning_rate": 3e-3},
            },
            "test",
        )
        runs[precision] = train(spec)
    model = runs["bfloat16"].model
    assert {str(variable.dtype) for variable in model.trainable_variables} == {"float32"}
    convolutions = [layer for layer in model.decoder.layers if isinstance(layer, keras.layers.Conv2DTranspose)]
    assert {layer.compute_dtype for layer in convolutions} == {"bfloat16"}
    images = np.random.default_rng(0).random((16, 8, 8, 1), dtype=np.float32)
    z_mean, z_log_var = model.encode(images)
    assert z_mean.dtype == z_log_var.dtype == model.decode(z_mean).dtype == np.float32
    losses = [run.history[-1]["loss"] for run in runs.values()]
    assert losses[0] != losses[1]
    assert losses[1] == pytest.approx(losses[0], rel=0.05)
    model.save(tmp_path / "model.keras")
    np.testing.assert_array_equal(load_model(tmp_path / "model.keras").decode(z_mean), model.decode(z_mean))
    assert keras.config.dtype_policy().name == "float32"
