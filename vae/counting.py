"""The operations of a Keras model, counted as they are performed: what a network costs that does not say so itself.

Counted are the multiplications and additions of matrix products and convolutions, two a multiply-add, as everywhere in
the field; activations, normalisations and sums are left out. What multiplies in another way is named, not counted.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from math import prod
from typing import Any

import keras

__all__ = ["Counted", "layers_of", "operations"]

Counted = tuple[int, tuple[str, ...]]
"""Operations, and the names of those that could not be counted."""

# Operations of TensorFlow that cost arithmetic of their own kind, or hide what they do.
_OPAQUE = ("FFT", "PyFunc", "Cudnn", "XlaCall", "Svd", "Qr", "Cholesky", "MatrixInverse", "Solve", "SparseTensorDense")


def operations(run: Callable[[], Any], *models: Any) -> Counted:
    """Count what a function does when it is called, on whatever backend Keras has.

    Args:
        run: calls Keras models, which are built, on tensors of a batch of one image.
        models: that it calls.
    """
    with ExitStack() as until:
        for layer in (one for model in models for one in layers_of(model)):
            if getattr(layer, "unroll", None) is False:  # else a recurrent layer takes one step more, to see its shape
                until.callback(setattr, layer, "unroll", layer.unroll)
                layer.unroll = True
        return _BACKENDS[keras.backend.backend()](run)


def layers_of(model: Any) -> Iterator[Any]:
    """Yield a model, and its layers, those inside of layers too."""
    yield model
    for layer in getattr(model, "_layers", ()):  # Keras has no public walk through layers of any kind
        yield from layers_of(layer)


def _tensorflow(run: Callable[[], Any]) -> Counted:
    """Listen to every operation as it is run, one by one, those of loops and of traced functions too."""
    import tensorflow as tf
    from tensorflow.python.framework import op_callbacks

    total, opaque = 0, dict[str, None]()

    def hear(kind: Any, inputs: Sequence[Any], attributes: Sequence[Any], outputs: Sequence[Any], *_: Any) -> None:
        nonlocal total
        name = kind.decode() if isinstance(kind, bytes) else str(kind)
        if name in _KINDS:
            options = dict(zip(attributes[::2], attributes[1::2], strict=False))
            total += _KINDS[name]([tuple(one.shape) for one in inputs], options, tuple(outputs[0].shape))
        elif any(word in name for word in _OPAQUE):
            opaque[name] = None

    eagerly = tf.config.functions_run_eagerly()
    tf.config.run_functions_eagerly(True)  # noqa: FBT003 - TensorFlow's own signature
    op_callbacks.add_op_callback(hear)
    try:
        run()
    finally:
        op_callbacks.remove_op_callback(hear)
        tf.config.run_functions_eagerly(eagerly)
    return total, tuple(opaque)


Shapes = Sequence[tuple[int, ...]]
Options = Mapping[Any, Any]


def _product(shapes: Shapes, options: Options, made: tuple[int, ...]) -> int:
    turned = options.get("transpose_a", options.get("adj_x", False))
    return 2 * prod(made) * shapes[0][-2 if turned else -1]


def _convolution(shapes: Shapes, _: Options, made: tuple[int, ...]) -> int:
    return 2 * prod(made) * prod(shapes[1][:-1])


def _depthwise(shapes: Shapes, _: Options, made: tuple[int, ...]) -> int:
    return 2 * prod(made) * prod(shapes[1][:-2])


def _transposed(shapes: Shapes, _: Options, __: tuple[int, ...]) -> int:
    return 2 * prod(shapes[2]) * prod(shapes[1][:-1])


def _einsum(shapes: Shapes, options: Options, made: tuple[int, ...]) -> int:
    equation = options["equation"]
    left, _, right = (equation.decode() if isinstance(equation, bytes) else str(equation)).partition("->")
    terms = left.split(",")
    if len(terms) == 1:
        return 0
    sizes: dict[str, int] = {}
    for term, shape in [*zip(terms, shapes, strict=True), (right, made)]:
        before, dots, after = term.partition("...")
        sizes |= dict(zip(before, shape, strict=False))
        sizes |= dict(zip(after, shape[len(shape) - len(after) :], strict=True)) if after else {}
        if dots:
            inner = shape[len(before) : len(shape) - len(after)]
            sizes["..."] = max(sizes.get("...", 1), prod(inner))
    return 2 * prod(sizes.values())


_KINDS: Mapping[str, Callable[[Shapes, Options, tuple[int, ...]], int]] = {
    **dict.fromkeys(("MatMul", "BatchMatMul", "BatchMatMulV2", "BatchMatMulV3"), _product),
    **dict.fromkeys(("Conv2D", "Conv3D"), _convolution),
    "DepthwiseConv2dNative": _depthwise,
    **dict.fromkeys(("Conv2DBackpropInput", "Conv3DBackpropInputV2"), _transposed),
    "Einsum": _einsum,
}


def _jax(run: Callable[[], Any]) -> Counted:
    """Walk through what JAX makes of the function; a loop counts as often as it is run."""
    import jax

    return _equations(jax.make_jaxpr(run)().jaxpr)


def _equations(program: Any) -> Counted:
    total, opaque = 0, dict[str, None]()
    for equation in program.eqns:
        name, options = equation.primitive.name, equation.params
        made = equation.outvars[0].aval.shape if equation.outvars else ()
        if name == "dot_general":
            (contracted, _), _batch = options["dimension_numbers"]
            shape = equation.invars[0].aval.shape
            total += 2 * prod(made) * prod(shape[axis] for axis in contracted)
        elif name == "conv_general_dilated":
            kernel, axes = equation.invars[1].aval.shape, options["dimension_numbers"].rhs_spec
            each = 2 * prod(kernel) // kernel[axes[0]]
            # Of a transposed convolution, most of what is multiplied are the zeros between the given pixels.
            total += prod(made) * each // prod(options["lhs_dilation"])
        elif name == "while" and any(_equations(one)[0] for one in _inner(options)):
            opaque["while"] = None
        elif name in ("fft", "svd", "qr", "cholesky", "triangular_solve", "eigh", "pure_callback"):
            opaque[name] = None
        else:
            times = options.get("length", 1) if name == "scan" else 1
            for one in _inner(options):
                more, unknown = _equations(one)
                total += times * more
                opaque |= dict.fromkeys(unknown)
    return total, tuple(opaque)


def _inner(options: Mapping[str, Any]) -> list[Any]:
    values = [one for value in options.values() for one in (value if isinstance(value, list | tuple) else [value])]
    return [getattr(value, "jaxpr", value) for value in values if hasattr(getattr(value, "jaxpr", value), "eqns")]


def _torch(run: Callable[[], Any]) -> Counted:
    """Have PyTorch's own counter listen."""
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        run()
    return int(counter.get_total_flops()), ()


_BACKENDS: Mapping[str, Callable[[Callable[[], Any]], Counted]] = {
    "tensorflow": _tensorflow,
    "jax": _jax,
    "torch": _torch,
}
