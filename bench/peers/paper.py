"""The peer `paper`: the paper's own way, written anew from its Listings 5 to 8 and its training logs.

A subclassed Keras model with a GradientTape in `train_step`, NumPy arrays into `fit`, validation on the test images
after each epoch, one process, one trial after the other. The decoder's filters grow with resolution (Listing 6), and
batch normalisation has Keras' default momentum of 0.99. Nothing is made slower than it would be typed: the images are
float32 once and for all, the optimiser and the compilation are Keras' defaults.
"""

from math import floor, log2, prod
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers
from numpy.typing import NDArray

from bench.peers._contract import Notebook, Task
from bench.peers._keras_clock import Clock

__all__ = ["PaperVAE", "Sampling", "build_decoder", "build_encoder", "main"]

ENCODER_FILTERS = (32, 64, 128, 256)
DECODER_FILTERS = (256, 128, 64, 32)
HIDDEN = 512
PREDICT_BATCH = 500


class Sampling(layers.Layer):
    """Draw z = mean + standard deviation * noise."""

    def call(self, inputs: Any) -> Any:
        """Return z (batch, latent_dim)."""
        mean, log_var = inputs
        return mean + tf.exp(0.5 * log_var) * tf.random.normal(tf.shape(mean))


def build_encoder(shape: tuple[int, ...], latent_dim: int) -> tuple[Any, tuple[int, ...], int]:
    """Return Listing 5: the encoder, the shape before its flattening, and the number of blocks."""
    blocks = max(floor(log2(min(shape[:2]))) - 2, 1)
    image = keras.Input(shape)
    x = image
    for filters in ENCODER_FILTERS[:blocks]:
        x = _block(layers.Conv2D(filters, 3, strides=2, padding="same"), x)
    small = tuple(x.shape[1:])
    x = layers.LeakyReLU()(layers.Dense(HIDDEN)(layers.Flatten()(x)))
    mean, log_var = layers.Dense(latent_dim, name="z_mean")(x), layers.Dense(latent_dim, name="z_log_var")(x)
    return keras.Model(image, [mean, log_var, Sampling()([mean, log_var])]), small, blocks


def build_decoder(small: tuple[int, ...], latent_dim: int, shape: tuple[int, ...], blocks: int) -> Any:
    """Return Listing 6: the decoder, its filters in the order that the listing gives them."""
    latent = keras.Input((latent_dim,))
    x = layers.LeakyReLU()(layers.Dense(HIDDEN)(latent))
    x = layers.LeakyReLU()(layers.Dense(prod(small))(x))
    x = layers.Reshape(small)(x)
    for filters in DECODER_FILTERS[:blocks][::-1]:
        x = _block(layers.Conv2DTranspose(filters, 3, strides=2, padding="same"), x)
    x = layers.Conv2DTranspose(shape[2], 3, activation="sigmoid", padding="same")(x)
    # Same-padded strides never fall short of the image, so that cropping is all that Listing 6 comes to.
    height, width = x.shape[1] - shape[0], x.shape[2] - shape[1]
    if height or width:
        x = layers.Cropping2D(((height // 2, height - height // 2), (width // 2, width - width // 2)))(x)
    return keras.Model(latent, x)


def _block(convolution: Any, x: Any) -> Any:
    return layers.LeakyReLU()(layers.BatchNormalization()(convolution(x)))


class PaperVAE(keras.Model):
    """Encoder and decoder with training and test steps of their own (Listings 7 and 8)."""

    def __init__(self, encoder: Any, decoder: Any, kl_weight: float) -> None:
        """Keep the parts, and a mean for each line of the paper's logs."""
        super().__init__()
        self.encoder, self.decoder, self.kl_weight = encoder, decoder, kl_weight
        self.means = {name: keras.metrics.Mean(name) for name in ("loss", "reconstruction_loss", "kl_loss")}

    @property
    def metrics(self) -> list[Any]:
        """What `fit` resets before each epoch."""
        return list(self.means.values())

    def losses_of(self, images: Any, training: bool) -> dict[str, Any]:
        """Return the loss and its two parts: sums over an image and over a code, means over the batch."""
        mean, log_var, z = self.encoder(images, training=training)
        error = tf.math.squared_difference(images, self.decoder(z, training=training))
        reconstruction = tf.reduce_mean(tf.reduce_sum(error, axis=[1, 2, 3]))
        kl = -0.5 * tf.reduce_mean(tf.reduce_sum(1 + log_var - tf.square(mean) - tf.exp(log_var), axis=1))
        return {"loss": reconstruction + self.kl_weight * kl, "reconstruction_loss": reconstruction, "kl_loss": kl}

    def train_step(self, data: Any) -> dict[str, Any]:
        """Take one step of gradient descent."""
        images = data[0] if isinstance(data, tuple) else data
        with tf.GradientTape() as tape:
            losses = self.losses_of(images, training=True)
        gradients = tape.gradient(losses["loss"], self.trainable_weights)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_weights, strict=True))
        return self._note(losses)

    def test_step(self, data: Any) -> dict[str, Any]:
        """Measure one batch."""
        return self._note(self.losses_of(data[0] if isinstance(data, tuple) else data, training=False))

    def _note(self, losses: dict[str, Any]) -> dict[str, Any]:
        for name, value in losses.items():
            self.means[name].update_state(value)
        return {name: mean.result() for name, mean in self.means.items()}


def main() -> None:
    """Run the study of the command line."""
    task = Task.parse()
    notebook = Notebook(task)
    train, test = (images.astype(np.float32) / np.float32(255) for images in task.images())
    for latent_dim, seed in task.trials():
        notes = notebook.begin(latent_dim, seed)
        keras.utils.set_random_seed(seed)
        encoder, small, blocks = build_encoder(train.shape[1:], latent_dim)
        decoder = build_decoder(small, latent_dim, train.shape[1:], blocks)
        model = PaperVAE(encoder, decoder, task.kl_weight)
        model.compile(optimizer=keras.optimizers.Adam(task.learning_rate))

        def reconstruct(model: PaperVAE = model) -> NDArray[np.float32]:
            mean = model.encoder.predict(test, batch_size=PREDICT_BATCH, verbose=0)[0]
            decoded: NDArray[np.float32] = model.decoder.predict(mean, batch_size=PREDICT_BATCH, verbose=0)
            return decoded

        clock = Clock(notes, reconstruct)
        model.fit(
            train,
            epochs=task.epochs,
            batch_size=task.batch_size,
            validation_data=(test,),
            callbacks=[clock],
            verbose=0,
        )
        parameters = sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
        notes.finish(parameters, reconstruct())
    notebook.close("keras", "tensorflow", "numpy")


if __name__ == "__main__":
    main()
