"""The same mathematics by faster kernels: where TensorFlow has one operation for what Keras builds of ten.

Every class here is a Keras class with the same variables, names and numbers (to float32 rounding), so that a saved
model does not know which of the two made it. Other backends get Keras' own, which their compilers fuse by themselves.
"""

from typing import Any

import keras
from keras import ops

__all__ = ["FAST", "Adam", "BatchNormalization", "Conv2DTranspose", "fast"]

FEW = 64  # times as many input channels as filters from which the matrix product is the faster: 256 to 1, not 32 to 1


def fast(kind: type[Any]) -> type[Any]:
    """Return the faster class of this name where the backend has one, else the Keras class `kind` itself."""
    return FAST.get(kind, kind) if keras.backend.backend() == "tensorflow" else kind


@keras.saving.register_keras_serializable("vaebench")
class Adam(keras.optimizers.Adam):
    """Adam (Kingma and Ba, 2015) with one pass over memory a variable, where Keras makes about ten.

    The sum of gradients over replicas, of which there is one, is left out: it registers a gradient function that
    TensorFlow never forgets, so that each model trained in a process would leave its graphs behind.
    """

    def _all_reduce_sum_gradients(self, gradients: list[Any]) -> list[Any]:
        return gradients

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Update one variable and its two moments."""
        import tensorflow as tf

        if isinstance(gradient, tf.IndexedSlices) or variable.dtype != "float32":
            super().update_step(gradient, variable, learning_rate)
            return
        index = self._get_variable_index(variable)
        step = tf.cast(self.iterations + 1, tf.float32)
        tf.raw_ops.ResourceApplyAdam(
            var=_handle(variable),
            m=_handle(self._momentums[index]),
            v=_handle(self._velocities[index]),
            beta1_power=tf.pow(tf.constant(self.beta_1, tf.float32), step),
            beta2_power=tf.pow(tf.constant(self.beta_2, tf.float32), step),
            lr=tf.cast(learning_rate, tf.float32),
            beta1=self.beta_1,
            beta2=self.beta_2,
            epsilon=self.epsilon,
            grad=gradient,
        )


@keras.saving.register_keras_serializable("vaebench")
class BatchNormalization(keras.layers.BatchNormalization):
    """Batch normalisation in training by TensorFlow's fused kernel; in inference as Keras has it."""

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """Normalise by the batch's statistics and move the averages, or by the averages."""
        if not training or mask is not None:
            return super().call(inputs, training=training, mask=mask)
        import tensorflow as tf

        flat = len(inputs.shape) == 2  # noqa: PLR2004 - vectors are images of one pixel
        images = inputs[:, None, None, :] if flat else inputs
        outputs, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=images,
            scale=self.gamma,
            offset=self.beta,
            mean=[],
            variance=[],
            epsilon=self.epsilon,
            is_training=True,
        )
        # The kernel gives the unbiased variance, of n - 1; Keras' average is of the biased one.
        n = tf.cast(tf.size(images) // tf.shape(images)[-1], tf.float32)
        for average, value in ((self.moving_mean, mean), (self.moving_variance, variance * (n - 1) / n)):
            average.assign(average * self.momentum + value * (1.0 - self.momentum))
        return outputs[:, 0, 0, :] if flat else outputs


@keras.saving.register_keras_serializable("vaebench")
class Conv2DTranspose(keras.layers.Conv2DTranspose):
    """Transposed convolution whose bias is added by the operation that has a gradient of its own.

    One of stride 1 from many channels to few, as at a decoder's end, is a matrix product and shifted sums.
    """

    def call(self, inputs: Any) -> Any:
        """Convolve, add the bias, activate."""
        import tensorflow as tf

        few = inputs.shape[-1] >= FEW * self.filters
        if few and self.strides == (1, 1) and self.padding == "same":
            outputs = _product_and_shifts(inputs, ops.cast(self.kernel, inputs.dtype))
        else:
            outputs = ops.conv_transpose(inputs, self.kernel, strides=list(self.strides), padding=self.padding)
        outputs = tf.nn.bias_add(outputs, ops.cast(self.bias, outputs.dtype))
        return outputs if self.activation is None else self.activation(outputs)


def _product_and_shifts(x: Any, kernel: Any) -> Any:
    """Return y[p + i] = sum over p of x[p] kernel[i], cut to the size of x (batch, height, width, channels)."""
    import tensorflow as tf

    height, width, channels = x.shape[1:]
    rows, columns, filters, _ = kernel.shape
    matrix = tf.reshape(tf.transpose(kernel, (3, 0, 1, 2)), (channels, rows * columns * filters))
    parts = tf.matmul(tf.reshape(x, (-1, channels)), matrix)
    parts = tf.reshape(parts, (-1, height, width, rows, columns, filters))
    whole = tf.add_n(
        [
            tf.pad(parts[:, :, :, i, j], ((0, 0), (i, rows - 1 - i), (j, columns - 1 - j), (0, 0)))
            for i in range(rows)
            for j in range(columns)
        ]
    )
    top, left = (rows - 1) // 2, (columns - 1) // 2
    return whole[:, top : top + height, left : left + width]


def _handle(variable: Any) -> Any:
    """Return TensorFlow's handle of its own variable, or of the one inside a Keras variable."""
    return (variable.value if isinstance(variable, keras.Variable) else variable).handle


FAST: dict[type[Any], type[Any]] = {
    keras.optimizers.Adam: Adam,
    keras.layers.BatchNormalization: BatchNormalization,
    keras.layers.Conv2DTranspose: Conv2DTranspose,
}
