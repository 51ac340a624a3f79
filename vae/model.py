"""The variational autoencoder as a Keras model that any backend trains: one override, `compute_loss`."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Self

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from vae.datasets import RANGES
from vae.errors import SpecError
from vae.networks import NETWORKS, Network
from vae.terms import TERMS, Outputs, Term

__all__ = ["VAE"]

LOG_VARIANCE_BOUNDS = (-20.0, 10.0)  # exp stays finite, and a variance of e-20 is already exact to float32
INFERENCE_BATCH = 500


@keras.saving.register_keras_serializable("vaebench")
class VAE(keras.Model):
    """A network, its loss, and the reparametrised sample between them (Kingma and Welling, 2014).

    L = sum over terms of weight * mean over the batch of term(image, reconstruction, ...)

    Batches may be x, (x,) or (x, y); y is ignored. Sampling noise is a function of the seed and of the number of
    training steps done; at inference the posterior's mean is decoded.

    Args:
        network: the encoder and decoder.
        loss: term name -> term; a term of weight zero is left out.
        shape: (height, width, channels) of an image.
        data_range: `unit` or `symmetric`, as in `DataSpec.range`.
        seed: of the sampling noise.
    """

    def __init__(
        self,
        network: Network,
        loss: Mapping[str, Term],
        shape: tuple[int, int, int],
        *,
        data_range: str = "unit",
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        """Build encoder, decoder, and a tracker for each term."""
        super().__init__(**kwargs)
        self.network, self.shape, self.data_range, self.seed = network, tuple(shape), data_range, seed
        self.terms: dict[str, Term] = {name: term for name, term in loss.items() if term.weight > 0}
        self.encoder, self.decoder = network.build(self.shape)
        self.noise = keras.random.SeedGenerator(seed)
        self.term_weights = {name: self._scalar(f"{name}_weight", term.weight) for name, term in self.terms.items()}
        self.scalars = {
            name: self.add_weight(shape=(), initializer="zeros", name=name)
            for term in self.terms.values()
            for name in term.scalars
        }
        self.trackers = {name: keras.metrics.Mean(name=name) for name in self.terms}
        self.built = True

    def _scalar(self, name: str, value: float) -> Any:
        start = keras.initializers.Constant(value)
        return self.add_weight(shape=(), initializer=start, trainable=False, name=name)

    def call(self, inputs: Any, training: bool = False) -> dict[str, Any]:
        """Encode, sample (in training) and decode; returns reconstruction, z_mean, z_log_var and z by name."""
        heads = self.encoder(_images(inputs), training=training)
        if self.network.deterministic:
            z = z_mean = heads[0] if isinstance(heads, list | tuple) else heads
            return {"reconstruction": self.decoder(z, training=training), "z_mean": z_mean, "z": z}
        z_mean, z_log_var = heads[0], ops.clip(heads[1], *LOG_VARIANCE_BOUNDS)
        z = z_mean
        if training:
            noise = keras.random.normal(ops.shape(z_mean), dtype=z_mean.dtype, seed=self.noise)
            z = z_mean + ops.exp(0.5 * z_log_var) * noise
        reconstruction = self.decoder(z, training=training)
        return {"reconstruction": reconstruction, "z_mean": z_mean, "z_log_var": z_log_var, "z": z}

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,  # noqa: ARG002 - Keras' signature; labels and sample weights play no part
        y_pred: Any = None,
        sample_weight: Any = None,  # noqa: ARG002
        training: bool = True,  # noqa: ARG002
    ) -> Any:
        """Weight and reduce the terms: the one place where this is done."""
        total = 0.0
        for name, values in self._term_values(_images(x), y_pred).items():
            self.trackers[name].update_state(values)
            total = total + self.term_weights[name] * ops.mean(values)
        return total

    def _term_values(self, images: Any, made: Mapping[str, Any]) -> dict[str, Any]:
        """Return each term's values (batch,) of images and what `call` made of them."""
        outputs = Outputs(
            image=images,
            reconstruction=made["reconstruction"],
            z_mean=made["z_mean"],
            z_log_var=made.get("z_log_var"),
            z=made["z"],
            bounds=RANGES[self.data_range],
            scalars=self.scalars,
        )
        return {name: term(outputs) for name, term in self.terms.items()}

    def measure(self, images: NDArray[np.floating]) -> dict[str, float]:
        """Return the mean of each term over images (n, height, width, channels), in inference mode, and the `loss`."""
        sums = dict.fromkeys(self.terms, 0.0)
        for batch in _batches(images):
            for name, values in self._term_values(batch, self(batch, training=False)).items():
                sums[name] += float(ops.convert_to_numpy(values).sum(dtype=np.float64))
        means = {name: value / len(images) for name, value in sums.items()}
        weights = {name: float(ops.convert_to_numpy(weight)) for name, weight in self.term_weights.items()}
        return {"loss": sum(weights[name] * means[name] for name in means)} | means

    def fit(self, x: Any = None, *args: Any, **kwargs: Any) -> Any:
        """Train as `keras.Model.fit` does, after a look at the range of the pixels."""
        first = x[0] if isinstance(x, list | tuple) else x
        if isinstance(first, np.ndarray):
            self.check_range(first)
        return super().fit(x, *args, **kwargs)

    def check_range(self, images: NDArray[np.floating]) -> None:
        """Refuse images whose pixels are not in the range that the model was built for.

        Raises:
            SpecError: naming what was got and what the output activation reaches.
        """
        low, high = RANGES[self.data_range]
        got = float(np.min(images)), float(np.max(images))
        if got[0] < low or got[1] > high:
            raise SpecError(
                f"images have pixels in [{got[0]:g}, {got[1]:g}], but data_range = '{self.data_range}' and output = "
                f"'{self.network.output}' are for [{low:g}, {high:g}]: no reconstruction could reach them. "
                "Scale the images, or change data_range and output together",
            )

    def encode(self, images: NDArray[np.floating]) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
        """Return z_mean and z_log_var (n, latent_dim) of images (n, height, width, channels)."""
        heads = [self.encoder(batch, training=False) for batch in _batches(images)]
        if self.network.deterministic:
            return _joined([head[0] if isinstance(head, list | tuple) else head for head in heads]), None
        z_mean, z_log_var = (_joined([head[i] for head in heads]) for i in range(2))
        return z_mean, np.clip(z_log_var, *LOG_VARIANCE_BOUNDS)

    def decode(self, z: NDArray[np.floating]) -> NDArray[np.float32]:
        """Return the images (n, height, width, channels) of latent vectors (n, latent_dim)."""
        return _joined([self.decoder(batch, training=False) for batch in _batches(z)])

    def get_config(self) -> dict[str, Any]:
        """Return what `from_config` needs, as plain values."""
        return {
            "network": self.network.settings(),
            "loss": {name: term.settings() for name, term in self.terms.items()},
            "shape": list(self.shape),
            "data_range": self.data_range,
            "seed": self.seed,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Self:  # noqa: ARG003 - Keras' signature
        """Build the model that `get_config` described; weights are loaded by Keras."""
        network = NETWORKS[config["network"]["name"]].parse(config["network"], "network")
        loss = {name: TERMS[name].parse(term, name) for name, term in config["loss"].items()}
        shape = tuple(config["shape"])
        return cls(network, loss, shape, data_range=config["data_range"], seed=config["seed"])


def _batches(rows: NDArray[np.floating]) -> Iterator[Any]:
    """Yield rows in batches, to be computed eagerly: a trial's inference is over before a graph of it were traced."""
    for start in range(0, len(rows), INFERENCE_BATCH):
        yield ops.convert_to_tensor(rows[start : start + INFERENCE_BATCH])


def _joined(batches: Sequence[Any]) -> NDArray[np.float32]:
    return np.concatenate([ops.convert_to_numpy(batch) for batch in batches])


def _images(inputs: Any) -> Any:
    """Return the images of x, (x,) or (x, y)."""
    return inputs[0] if isinstance(inputs, list | tuple) else inputs
