"""The variational autoencoder as a Keras model that any backend trains: one override, `compute_loss`."""

from collections.abc import Mapping
from typing import Any, Self

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from vae.assembly import assemble
from vae.datasets import RANGES
from vae.draws import drawn_noise
from vae.inference import INFERENCE_BATCH, Inference, batches
from vae.networks import NETWORKS, Network
from vae.posteriors import POSTERIORS, Given, Posterior, usual_posterior, usual_prior
from vae.priors import PRIORS, Bound, Prior
from vae.terms import TERMS, Outputs, Term

__all__ = ["PENALTY", "VAE"]

PENALTY = "penalty"
"""Of the history: what layers add to the loss by themselves, such as an L2 regularizer."""

VALIDATION = "the noise of draws in validation"
_TRIED = 2  # images of the first look at what somebody's own layers make


@keras.saving.register_keras_serializable("vaebench")
class VAE(Inference, keras.Model):
    """A network, a posterior, a prior, the loss, and the reparametrised sample between (Kingma and Welling, 2014).

    L = sum over terms of weight * mean over the batch of term(image, reconstruction, ...), and what the layers add

    Batches may be x, (x,) or (x, y), of which y is ignored; where labels are wanted, ((x, labels),). Sampling noise is
    a function of the seed and of the number of training steps done; at inference the posterior's mean is decoded.

    Args:
        network: the encoder and decoder.
        loss: term name -> term; a term of weight zero is left out.
        shape: (height, width, channels) of an image.
        posterior: on the encoder's features; the network's default without one.
        prior: of the latent space; the standard normal one without one.
        classes: of the labels; 0 where there are none.
        samples: draws of z for each image of a training step.
        images: number of training images, for the terms that ask for it.
        data_range: `unit` or `symmetric`, as in `DataSpec.range`.
        seed: of the sampling noise.
    """

    def __init__(  # noqa: PLR0913 - what a model is made of, by name
        self,
        network: Network,
        loss: Mapping[str, Term],
        shape: tuple[int, int, int],
        *,
        posterior: Posterior | None = None,
        prior: Prior | None = None,
        classes: int = 0,
        samples: int = 1,
        images: int = 0,
        data_range: str = "unit",
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        """Build encoder, decoder, the layers of the parts, and a tracker for each term."""
        super().__init__(**kwargs)
        self.network, self.shape, self.data_range, self.seed = network, tuple(shape), data_range, seed
        self.classes, self.samples, self.images = classes, samples, images
        self.posterior = posterior or usual_posterior(network.deterministic)
        self.prior = prior or usual_prior(self.posterior)
        self.terms: dict[str, Term] = {name: term for name, term in loss.items() if term.weight > 0}
        self.encoder, self.decoder = assemble(network, self.posterior, self.shape, classes)
        self.noise = keras.random.SeedGenerator(seed)
        self.term_weights = {name: self._scalar(f"{name}_weight", term.weight) for name, term in self.terms.items()}
        self.scalars = {
            name: self.add_weight(shape=(), initializer="zeros", name=name)
            for term in self.terms.values()
            for name in term.scalars
        }
        size = network.latent_dim
        self.posterior_layer = self.posterior.build(size)
        self.prior_layer = None if self.prior is None else self.prior.build(size)
        own = {name: term.build(self.shape, size) for name, term in self.terms.items()}
        self.term_layers = {name: layer for name, layer in own.items() if layer is not None}
        self.built = True
        self.penalized = self._is_penalized()
        names = [*self.terms, PENALTY] if self.penalized else list(self.terms)
        self.trackers = {name: keras.metrics.Mean(name=name) for name in names}

    def _scalar(self, name: str, value: float) -> Any:
        start = keras.initializers.Constant(value)
        return self.add_weight(shape=(), initializer=start, trainable=False, name=name)

    def _is_penalized(self) -> bool:
        """Run what is not ours once, so that its weights are there, and tell whether its layers add to the loss."""
        if self._is_foreign():
            rows = np.zeros((_TRIED, *self.shape), np.float32)
            inputs = [rows, np.zeros(_TRIED, np.int32)] if self.classes else [rows]
            self._term_values(inputs, self(inputs, training=False), training=False)
            self._draw()
        return bool(self.losses)

    def _is_foreign(self) -> bool:
        layers = (self.posterior_layer, self.prior_layer)
        described = type(self.network).__module__.startswith("vae.networks.")
        return not described or bool(self.term_layers) or any(layer is not None for layer in layers)

    def _draw(self) -> None:
        """Have posterior and prior make their weights, which no inference may ask for."""
        z = np.zeros((_TRIED, self.network.latent_dim), np.float32)
        if (prior := self.bound_prior) is not None and prior.own is not None:
            prior.log_prob(ops.convert_to_tensor(z))
        if self.posterior_layer is not None:
            self.given(np.zeros((_TRIED, *self.shape), np.float32), np.zeros(_TRIED, np.int32)).sample(z)

    @property
    def parameters(self) -> int:
        """Trainable parameters of network, posterior and prior."""
        layers = (self.encoder, self.decoder, self.posterior_layer, self.prior_layer)
        variables = [one for layer in layers if layer is not None for one in layer.trainable_variables]
        return sum(int(np.prod(variable.shape)) for variable in variables)

    @property
    def bound_prior(self) -> Bound | None:
        """p(z), with the layers that belong to this model; None of a deterministic autoencoder."""
        return None if self.prior is None else Bound(self.prior, self.network.latent_dim, self.prior_layer)

    def given(self, image: Any, label: Any = None, training: bool = False) -> Given:
        """Return q(z|x) of backend tensors: images (batch, height, width, channels) in the data's range."""
        heads = self.encoder([image, label] if self.network.conditional else image, training=training)
        heads = heads if isinstance(heads, list | tuple) else [heads]
        named = dict(zip(self.posterior.heads(self.network.latent_dim), heads, strict=True))
        return Given(self.posterior, self.posterior.parameters(named), self.posterior_layer)

    def made_of(self, z: Any, label: Any = None, training: bool = False) -> Any:
        """Return the images (batch, height, width, channels) of backend tensors: points (batch, latent_dim)."""
        return self.decoder([z, label] if self.network.conditional else z, training=training)

    def call(self, inputs: Any, training: bool = False) -> dict[str, Any]:
        """Encode, sample (in training) and decode; returns reconstruction, z_mean, z and the posterior by name."""
        image, label = _split(inputs)
        given = self.given(image, label, training)
        if training and not self.posterior.deterministic:
            if self.samples > 1:
                label = None if label is None else self._drawn(label)
                given = Given(given.part, {name: self._drawn(one) for name, one in given.values.items()}, given.own)
            z_mean = given.mean
            noise = keras.random.normal(ops.shape(z_mean), dtype=z_mean.dtype, seed=self.noise)
            z = given.sample(noise)
        else:
            z = z_mean = given.mean
        return self._decoded(given, z_mean, z, label, training)

    def _made(self, inputs: Any, noise: NDArray[np.float32]) -> dict[str, Any]:
        """Return what `call` does at inference, with z drawn by this noise (batch, latent_dim)."""
        image, label = _split(inputs)
        given = self.given(image, label)
        z_mean = given.mean
        z = z_mean if self.posterior.deterministic else given.sample(ops.convert_to_tensor(noise))
        return self._decoded(given, z_mean, z, label, training=False)

    def _decoded(self, given: Given, z_mean: Any, z: Any, label: Any, training: bool) -> dict[str, Any]:
        reconstruction = self.made_of(z, label, training)
        return {"reconstruction": reconstruction, "z_mean": z_mean, "z": z, "posterior": dict(given.values)}

    def _drawn(self, rows: Any) -> Any:
        """Repeat a batch for each draw, all rows once before any twice."""
        return ops.tile(rows, (self.samples, *[1] * (len(rows.shape) - 1)))

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,  # noqa: ARG002 - Keras' signature; labels and sample weights play no part
        y_pred: Any = None,
        sample_weight: Any = None,  # noqa: ARG002
        training: bool = True,
    ) -> Any:
        """Weight and reduce the terms: the one place where this is done."""
        penalties = list(self.losses) if self.penalized else []  # before a term calls the layers again
        total = 0.0
        for name, values in self._term_values(x, y_pred, training=training).items():
            self.trackers[name].update_state(values)
            total = total + self.term_weights[name] * ops.mean(values)
        if penalties:
            penalty = sum(penalties)
            self.trackers[PENALTY].update_state(penalty)
            total = total + penalty
        return total

    def _term_values(self, inputs: Any, made: Mapping[str, Any], *, training: bool) -> dict[str, Any]:
        """Return each term's values (batch,) of images and what `call` made of them."""
        image, label = _split(inputs)
        draws = self.samples if training and not self.posterior.deterministic else 1
        if draws > 1:
            image, label = self._drawn(image), None if label is None else self._drawn(label)
        values = made["posterior"]
        outputs = Outputs(
            image=image,
            reconstruction=made["reconstruction"],
            z_mean=made["z_mean"],
            z_log_var=values.get("z_log_var"),
            z=made["z"],
            bounds=RANGES[self.data_range],
            scalars=self.scalars,
            posterior=None if self.posterior.deterministic else Given(self.posterior, values, self.posterior_layer),
            prior=self.bound_prior,
            label=label,
            images=self.images,
            training=training,
            draws=draws,
            encode=lambda image, label=label: self.given(image, label, training),
            decode=lambda z, label=label: self.made_of(z, label, training),
        )
        return {
            name: term(outputs._replace(own=self.term_layers[name]) if name in self.term_layers else outputs)
            for name, term in self.terms.items()
        }

    def measure(self, images: NDArray[np.floating], labels: NDArray[np.integer] | None = None) -> dict[str, float]:
        """Return the mean of each term over images (n, height, width, channels), and the `loss`.

        That is the objective of the training: z is drawn once for each image. Layers are in inference mode, and the
        noise is the same at each call and in each model of that latent size, so that curves differ by the weights.
        """
        sums = dict.fromkeys(self.trackers, 0.0)
        noise = drawn_noise(VALIDATION, (len(images), self.network.latent_dim))
        for k, batch in enumerate(batches(images, labels)):
            made = self._made(batch, noise[k * INFERENCE_BATCH :][: len(batch[0])])
            values = dict(self._term_values(batch, made, training=False))
            if self.penalized:
                values[PENALTY] = sum(self.losses) * ops.ones(len(batch[0]))
            for name, value in values.items():
                sums[name] += float(ops.convert_to_numpy(value).sum(dtype=np.float64))
        means = {name: value / len(images) for name, value in sums.items()}
        weights = {name: float(ops.convert_to_numpy(weight)) for name, weight in self.term_weights.items()}
        return {"loss": sum(weights.get(name, 1.0) * means[name] for name in means)} | means

    def fit(self, x: Any = None, *args: Any, **kwargs: Any) -> Any:
        """Train as `keras.Model.fit` does, after a look at the range of the pixels."""
        first = x[0] if isinstance(x, list | tuple) else x
        if isinstance(first, np.ndarray):
            self.check_range(first)
        return super().fit(x, *args, **kwargs)

    def get_config(self) -> dict[str, Any]:
        """Return what `from_config` needs, as plain values."""
        return {
            "network": self.network.settings(),
            "loss": {name: term.settings() for name, term in self.terms.items()},
            "posterior": self.posterior.settings(),
            "prior": None if self.prior is None else self.prior.settings(),
            "shape": list(self.shape),
            "classes": self.classes,
            "samples": self.samples,
            "images": self.images,
            "data_range": self.data_range,
            "seed": self.seed,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Self:  # noqa: ARG003 - Keras' signature
        """Build the model that `get_config` described, of any version; weights are loaded by Keras."""
        network = NETWORKS[config["network"]["name"]].parse(config["network"], "network")
        posterior, prior = config.get("posterior"), config.get("prior")
        return cls(
            network,
            {name: TERMS[name].parse(term, name) for name, term in config["loss"].items()},
            tuple(config["shape"]),
            posterior=POSTERIORS[posterior["name"]].parse(posterior, "posterior") if posterior else None,
            prior=PRIORS[prior["name"]].parse(prior, "prior") if prior else None,
            classes=config.get("classes", 0),
            samples=config.get("samples", 1),
            images=config.get("images", 0),
            data_range=config["data_range"],
            seed=config["seed"],
        )


def _split(inputs: Any) -> tuple[Any, Any]:
    """Return the images and the labels, or None, of x, (x,) or (x, labels)."""
    if not isinstance(inputs, list | tuple):
        return inputs, None
    return inputs[0], inputs[1] if len(inputs) > 1 else None
