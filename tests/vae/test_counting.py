"""Operations of each kind of layer that Keras has, against TensorFlow's own count where that knows the kind."""

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from vae.cost import cost
from vae.counting import operations
from vae.layers import Shape
from vae.networks import NETWORKS, Network

IMAGE, LINE, BOX, WORDS = (8, 8, 3), (10, 3), (5, 6, 6, 2), (7, 4)


def counted(layer: Any, shape: Shape) -> tuple[int, tuple[str, ...]]:
    image = keras.ops.ones((1, *shape))
    layer(image, training=False)  # what initializers multiply is none of its cost
    return operations(lambda: layer(image, training=False), layer)


def by_tensorflow(layer: Any, shape: Shape) -> int:
    """Return the products that TensorFlow's profiler counts: two for each multiply-add, biases and sums left out."""
    call = tf.function(lambda image: layer(image, training=False))
    graph = call.get_concrete_function(tf.TensorSpec((1, *shape))).graph
    options = tf.compat.v1.profiler.ProfileOptionBuilder(tf.compat.v1.profiler.ProfileOptionBuilder.float_operation())
    options = options.with_empty_output().build()
    with graph.as_default():
        found = tf.compat.v1.profiler.profile(graph, options=options, cmd="op")
    kinds = ("MatMul", "BatchMatMulV2", "Conv2D", "Conv3D", "DepthwiseConv2dNative")
    return sum(node.float_ops for node in every(found) if node.name in kinds)


def every(node: Any) -> Iterator[Any]:
    yield node
    for inner in node.children:
        yield from every(inner)


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        pytest.param(lambda: layers.Dense(7), (12,), id="Dense"),
        pytest.param(lambda: layers.Dense(7), WORDS, id="Dense of a sequence"),
        pytest.param(lambda: layers.Conv1D(4, 3), LINE, id="Conv1D"),
        pytest.param(lambda: layers.Conv2D(4, 3, 2, padding="same"), IMAGE, id="Conv2D"),
        pytest.param(lambda: layers.Conv2D(4, 3, dilation_rate=2), IMAGE, id="Conv2D dilated"),
        pytest.param(lambda: layers.Conv3D(4, 2), BOX, id="Conv3D"),
        pytest.param(lambda: layers.DepthwiseConv2D(3, depth_multiplier=2), IMAGE, id="DepthwiseConv2D"),
        pytest.param(lambda: layers.SeparableConv2D(5, 3), IMAGE, id="SeparableConv2D"),
    ],
)
def test_products_are_those_that_tensorflow_counts(layer: Any, shape: Shape) -> None:
    made = layer()
    found, opaque = counted(made, shape)
    assert found == by_tensorflow(made, shape) > 0
    assert opaque == ()


STEPS, WIDTH, UNITS = 7, 4, 5


def attending() -> Any:
    """Two heads of three numbers: three projections in, one out, and two products of all places with all."""
    words = keras.Input(WORDS)
    return keras.Model(words, layers.MultiHeadAttention(2, 3)(words, words))


@pytest.mark.parametrize(
    ("layer", "shape", "expected"),
    [
        # At each given pixel the whole kernel; TensorFlow's profiler knows no formula for these.
        pytest.param(lambda: layers.Conv1DTranspose(4, 3), LINE, 2 * 10 * 3 * 3 * 4, id="Conv1DTranspose"),
        pytest.param(lambda: layers.Conv2DTranspose(4, 3, 2), IMAGE, 2 * 64 * 9 * 3 * 4, id="Conv2DTranspose"),
        pytest.param(lambda: layers.Conv3DTranspose(4, 2), BOX, 2 * 180 * 8 * 2 * 4, id="Conv3DTranspose"),
        pytest.param(lambda: layers.Conv2D(6, 3, groups=3), IMAGE, 2 * 6 * 6 * 9 * 6, id="Conv2D of groups"),
        pytest.param(lambda: layers.EinsumDense("ab,bc->ac", 7), (12,), 2 * 12 * 7, id="EinsumDense"),
        pytest.param(lambda: layers.SimpleRNN(UNITS), WORDS, 2 * STEPS * (WIDTH + UNITS) * UNITS, id="SimpleRNN"),
        pytest.param(lambda: layers.GRU(UNITS), WORDS, 2 * STEPS * (WIDTH + UNITS) * 3 * UNITS, id="GRU"),
        pytest.param(lambda: layers.LSTM(UNITS), WORDS, 2 * STEPS * (WIDTH + UNITS) * 4 * UNITS, id="LSTM"),
        pytest.param(
            lambda: layers.Bidirectional(layers.SimpleRNN(UNITS)),
            WORDS,
            2 * 2 * STEPS * (WIDTH + UNITS) * UNITS,
            id="Bidirectional",
        ),
        pytest.param(
            lambda: layers.TimeDistributed(layers.Dense(3)), WORDS, 2 * STEPS * WIDTH * 3, id="TimeDistributed"
        ),
        pytest.param(attending, WORDS, 2 * (3 * 7 * 4 * 6 + 7 * 6 * 4 + 2 * 7 * 7 * 6), id="MultiHeadAttention"),
        *(
            pytest.param(make, shape, 0, id=make().__class__.__name__)
            for make, shape in (
                (layers.BatchNormalization, IMAGE),
                (lambda: layers.GroupNormalization(3), IMAGE),
                (layers.LayerNormalization, IMAGE),
                (lambda: layers.MaxPooling2D(2), IMAGE),
                (lambda: layers.AveragePooling2D(2), IMAGE),
                (layers.UpSampling2D, IMAGE),
                (layers.Flatten, IMAGE),
                (lambda: layers.Dropout(0.5), IMAGE),
                (layers.LeakyReLU, IMAGE),
                (layers.GlobalAveragePooling2D, IMAGE),
            )
        ),
    ],
)
def test_products_by_hand(layer: Any, shape: Shape, expected: int) -> None:
    assert counted(layer(), shape) == (expected, ())


class Raw(layers.Layer):  # type: ignore[misc]
    """Products that no layer of Keras knows of, one inside of a traced function."""

    @tf.function  # type: ignore[misc]
    def call(self, x: Any) -> Any:
        return tf.matmul(x, tf.ones((12, 5))) @ tf.ones((5, 2))


def test_products_of_ones_own_are_counted_too() -> None:
    assert counted(Raw(), (12,)) == (2 * (12 * 5 + 5 * 2), ())


def test_what_can_not_be_counted_is_named() -> None:
    fourier = layers.Lambda(lambda x: tf.math.real(tf.signal.fft(tf.cast(x, tf.complex64))))
    assert counted(fourier, (16,)) == (0, ("FFT",))


@pytest.mark.parametrize("name", list(NETWORKS))
@pytest.mark.parametrize("shape", [(16, 16, 1), (11, 14, 3)])
def test_the_described_networks_cost_what_is_counted_of_them(name: str, shape: Shape) -> None:
    from vae.model import VAE

    network: Network = NETWORKS[name].parse({"name": name, "latent_dim": 3}, "model")
    model = VAE(network, {}, shape)  # type: ignore[arg-type]
    described = cost(network, shape)
    assert described.parameters == model.parameters == sum(int(np.prod(one.shape)) for one in model.trainable_variables)
    if keras.backend.backend() == "tensorflow" and name == "conv":
        return  # its last layer is a product and sums of our own, which saves some of the arithmetic: see vae.kernels
    assert operations(model.one_image) == (described.flops_per_image, ())
