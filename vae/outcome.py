"""What a trained model makes of the test split: what metrics look at, made when it is first asked for, and once."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from vae.datasets import RANGES, Data, as_float, spread_over
from vae.draws import drawn_noise
from vae.errors import REMEDY, AbsentError, DivergedError
from vae.floor import floor
from vae.likelihood import bernoulli, discretised_gaussian, is_binary
from vae.posteriors import Given
from vae.priors import Bound
from vae.spec import RunSpec

__all__ = ["ACTIVE_VARIANCE", "REFERENCE_IMAGES", "Model", "Outcome", "to_unit"]

ACTIVE_VARIANCE = 0.01  # of a dimension's posterior mean over the test images, from which on it is active
REFERENCE_IMAGES = 10_000  # training images among which neighbours are looked for
NOISE_IMAGES = 2_000  # training images to which the noise of pixels is fitted
LEAST_NOISE = 1 / 2550  # a tenth of a level: below it nothing is left of the noise but rounding
FITTED_CODES = 5_000  # training images, to whose codes a mixture is fitted
FITTED = "the noise of draws to which a mixture is fitted"
DRAWN = "the noise of draws of the posterior"
REFITTED = "the noise of draws to which the noise of pixels is fitted"

Array = NDArray[np.floating]
Images = NDArray[np.float32]
Labels = NDArray[np.int64] | None


class Model(Protocol):
    """What of a model is asked for: a `VAE`, or one that was trained elsewhere."""

    def posterior_of(self, images: Any, labels: Any = None) -> dict[str, NDArray[np.float32]]:
        """Return the posterior's parameters by name, and `mean`."""

    def decode(self, z: Array, labels: Any = None) -> NDArray[np.float32]:
        """Return images."""

    @property
    def bound_prior(self) -> Bound | None:
        """The prior."""


@dataclass(frozen=True)
class _Sampled:
    images: Images
    labels: Labels


class Outcome:
    """What a trained model makes of the test split; each member is made when it is first asked for, and kept.

    Arrays are in NumPy; pixels are float32 in [0, 1], whatever range the model was trained in.

    Args:
        model: the trained model; None where all that is asked for is known.
        data: what it was trained on.
        spec: the run.
        known: members that are known already, by name.
    """

    def __init__(
        self, model: Model | None = None, data: Data | None = None, spec: RunSpec | None = None, **known: Any
    ) -> None:
        """Remember where things come from."""
        if strange := known.keys() - _MEMBERS:
            raise TypeError(f"an outcome has no {', '.join(sorted(strange))}; it has {', '.join(sorted(_MEMBERS))}")
        self._model, self._data, self._spec = model, data, spec
        self._samples: dict[tuple[int, int], _Sampled] = {}
        self._shared: dict[str, Any] = {}
        vars(self).update(known)

    @property
    def model(self) -> Any:
        """The trained model: a `VAE`, with `encode`, `decode` and `sample`."""
        return self._there(self._model, "model")

    @property
    def data(self) -> Data:
        """The data set: `train` and `test`, of uint8 images and labels."""
        found: Data = self._there(self._data, "data")
        return found

    @property
    def spec(self) -> RunSpec:
        """The run."""
        found: RunSpec = self._there(self._spec, "spec")
        return found

    def _there(self, found: Any, name: str) -> Any:
        if found is None:
            raise AbsentError(f"this outcome is of arrays alone: its {name} is not known")
        return found

    @cached_property
    def images(self) -> Images:
        """The test images (n, height, width, channels)."""
        return as_float(self.data.test.images, "unit")

    @cached_property
    def labels(self) -> Labels:
        """Their classes (n,), or None."""
        return self.data.test.labels

    @cached_property
    def posterior(self) -> dict[str, NDArray[np.float32]]:
        """The posterior's parameters of the test images by name, (n, width) each, and `mean`, the point decoded."""
        return self._encoded(self.data.test.images, self.labels)

    @cached_property
    def reconstructions(self) -> Images:
        """What is decoded from the posterior's mean, in the test images' shape.

        Raises:
            DivergedError: a pixel is not finite.
        """
        made = to_unit(self.model.decode(self.z_mean, self.labels), self.spec)
        if not np.isfinite(made).all():
            raise DivergedError(f"the model's images are not finite after the last epoch. {REMEDY}")
        return made

    @cached_property
    def z_mean(self) -> Array:
        """The posterior's mean (n, latent_dim)."""
        return self.posterior["mean"]

    @cached_property
    def z_log_var(self) -> Array | None:
        """The logarithm of the posterior's variance (n, latent_dim); None where it has no variance that is known."""
        given = self._given()
        if given is None:
            return None
        if "z_log_var" in self.posterior:
            return self.posterior["z_log_var"]
        variance = given.part.variance(given.values, np)
        return None if variance is None else np.log(variance)

    @cached_property
    def z(self) -> Array:
        """One draw of the posterior of each test image (n, latent_dim), its noise fixed; of a point, the point."""
        given = self._given()
        if given is None:
            return self.z_mean
        return _draw(given, drawn_noise(DRAWN, self.z_mean.shape))

    @cached_property
    def drawn(self) -> Images:
        """What is decoded from the draw `z`, in the test images' shape."""
        return to_unit(self.model.decode(self.z, self.labels), self.spec)

    @cached_property
    def rates(self) -> Array | None:
        """KL(q(z_i|x) || p(z_i)) in nats of each latent dimension (n, latent_dim); None where no formula is known."""
        if "posterior" not in vars(self) and self._model is None:
            log_var = self.z_log_var
            return None if log_var is None else -0.5 * (1 + log_var - self.z_mean**2 - np.exp(log_var))
        given, prior = self._given(), self.prior
        return None if given is None or prior is None else given.kl(prior, np)

    @cached_property
    def rate(self) -> Array | None:
        """KL(q(z|x) || p(z)) in nats (n,): by formula, or from the draw `z`; None of a deterministic autoencoder."""
        if self.rates is not None:
            return np.asarray(self.rates.sum(axis=1))
        given, prior = self._given(), self.prior
        if given is None or prior is None:
            return None
        z = _tensor(self.z.astype(np.float32))
        return _numpy(_tensors(given).log_prob(z) - prior.log_prob(z))

    @property
    def prior(self) -> Bound | None:
        """p(z), with `sample`, `log_prob` and `scale`; None of a deterministic autoencoder."""
        return None if self._model is None else self._model.bound_prior

    @cached_property
    def has_posterior(self) -> bool:
        """Whether there is a distribution, and not a point alone."""
        return self._given() is not None if self._model is not None else self.z_log_var is not None

    @cached_property
    def active(self) -> NDArray[np.bool_]:
        """Latent dimensions (latent_dim,) whose mean varies by more than 0.01 over the images (Burda et al., 2016)."""
        return np.asarray(self.z_mean.var(axis=0) > ACTIVE_VARIANCE)

    @cached_property
    def reference(self) -> NDArray[np.int64]:
        """Places of the training images (m,) that codes are compared with, 10,000 at most."""
        places = np.arange(len(self.data.train.images))
        if len(places) > REFERENCE_IMAGES:
            places = np.sort(np.random.default_rng(0).permutation(places)[:REFERENCE_IMAGES])
        return places

    @cached_property
    def reference_images(self) -> Images:
        """These training images (m, height, width, channels)."""
        return as_float(self.data.train.images[self.reference], "unit")

    @cached_property
    def reference_labels(self) -> Labels:
        """Their classes (m,), or None."""
        return None if self.data.train.labels is None else self.data.train.labels[self.reference]

    @cached_property
    def reference_posterior(self) -> dict[str, NDArray[np.float32]]:
        """Their posterior's parameters by name, as of `posterior`."""
        return self._encoded(self.data.train.images[self.reference], self.reference_labels)

    @cached_property
    def reference_z_mean(self) -> Array:
        """Their codes (m, latent_dim)."""
        return self.reference_posterior["mean"]

    @cached_property
    def is_bernoulli(self) -> bool:
        """Whether pixels are black or white, and the loss takes them for draws of a Bernoulli."""
        families = (term.family for term in self.spec.terms.values())
        return next(filter(None, families), None) == "bernoulli" and is_binary(self.data.test.images)

    @cached_property
    def noise_scale(self) -> float | None:
        """Root mean square of what draws of the posterior miss of training images, 2,000 at most; None of a point.

        That is the scale of the Gaussian noise of pixels in [0, 1] under which these images are likeliest. None where
        the noise is a Bernoulli's.
        """
        if not self.has_posterior or self.is_bernoulli:
            return None
        every = slice(None, None, -(-len(self.reference) // NOISE_IMAGES))
        labels = None if self.reference_labels is None else self.reference_labels[every]
        given = self._given({name: value[every] for name, value in self.reference_posterior.items()})
        if given is None:
            return None
        z = _draw(given, drawn_noise(REFITTED, (len(self.reference[every]), self.z_mean.shape[1])))
        images = as_float(self.data.train.images[self.reference[every]], "unit")
        missed = images - to_unit(self.model.decode(z, labels), self.spec)
        return max(float(np.sqrt(np.square(missed, dtype=np.float64).mean())), LEAST_NOISE)

    @cached_property
    def pca_mse(self) -> float:
        """Test MSE of a PCA with latent_dim components fitted on the training split."""
        return floor(self.data, self.spec.model.latent_dim)

    @cached_property
    def kl_weight(self) -> float | None:
        """The KL weight that belongs to a squared-error sum of pixels in [0, 1]; None for other likelihoods."""
        spec = self.spec
        if "kl" not in spec.loss:
            return None
        variances = (term.noise_variance(spec.loss["kl"].weight) for term in spec.loss.values())
        variance = next((found for found in variances if found is not None), None)
        low, high = RANGES[spec.data.range]
        return None if variance is None else 2 * variance / (high - low) ** 2

    def spread(self, n: int) -> NDArray[np.int64]:
        """Return places of n test images, evenly spread: the first n may be of few classes."""
        return spread_over(len(self.data.test.images), n)

    def log_likelihood(self, made: Images, scale: float | None = None) -> Array:
        """Return log p(x|z) in nats, (m,), of m test images, evenly spread, given what was decoded from z (m, ...).

        Args:
            made: decoded images.
            scale: of the Gaussian noise; `noise_scale` without it.
        """
        levels = self.data.test.images
        levels = levels if len(made) == len(levels) else levels[self.spread(len(made))]
        if self.is_bernoulli:
            return bernoulli(levels, made)
        scale = self.noise_scale if scale is None else scale
        if scale is None:
            raise AbsentError("a deterministic autoencoder has no likelihood")
        return discretised_gaussian(levels, made, scale)

    def log_weights(self, noise: NDArray[np.float32]) -> Array:
        """Return log p(x|z) + log p(z) - log q(z|x) in nats, (m,), of m test images, evenly spread, and a draw z each.

        Args:
            noise: standard normal, (m, latent_dim).
        """
        places = self.spread(len(noise))
        given, prior = self._given({name: value[places] for name, value in self.posterior.items()}), self.prior
        if given is None or prior is None:
            raise AbsentError("a deterministic autoencoder has no likelihood")
        tensors = _tensors(given)
        z = tensors.sample(_tensor(noise))
        latent = _numpy(prior.log_prob(z) - tensors.log_prob(z)).astype(np.float64)
        labels = None if self.labels is None else self.labels[places]
        made = to_unit(self.model.decode(_numpy(z), labels), self.spec)
        return np.asarray(self.log_likelihood(made) + latent)

    def log_posterior(self, n: int, shift: int = 0) -> Array:
        """Return log q(z_i|x_j) in nats, (n,), of draws `z` of n test images, evenly spread; j = i + shift modulo n."""
        places = self.spread(n)
        values = {name: np.roll(value[places], -shift, axis=0) for name, value in self.posterior.items()}
        given = self._given(values)
        if given is None:
            raise AbsentError("a deterministic autoencoder has no density")
        return _numpy(_tensors(given).log_prob(_tensor(self.z[places].astype(np.float32)))).astype(np.float64)

    def samples_expost(self, n: int, components: int = 10) -> Images:
        """Return n images decoded from a Gaussian mixture that was fitted to codes of training images afterwards.

        Where they look better than `samples`, the prior is at fault and not the decoder (Ghosh et al., 2020). The codes
        are draws of the posterior of 5,000 training images at most; of a deterministic autoencoder, its points.
        """
        found = self.once(f"a mixture of {components}", lambda: self._mixture(components), shared=True)
        weights, means, roots = found
        rng = np.random.default_rng(0)
        chosen = rng.choice(len(weights), n, p=weights)
        z = means[chosen] + np.einsum("nij,nj->ni", roots[chosen], rng.standard_normal((n, means.shape[1])))
        return to_unit(self.model.decode(z.astype(np.float32), self.sample_labels(n)), self.spec)

    def _mixture(self, components: int) -> tuple[Array, Array, Array]:
        """Return weights, means, and roots of the covariances, of a Gaussian mixture fitted to training codes."""
        from sklearn.mixture import GaussianMixture

        places = spread_over(len(self.reference), FITTED_CODES)
        posterior = {name: value[places] for name, value in self.reference_posterior.items()}
        given = self._given(posterior)
        codes = posterior["mean"] if given is None else _draw(given, drawn_noise(FITTED, posterior["mean"].shape))
        codes = codes.astype(np.float64)
        found = GaussianMixture(min(components, len(codes)), random_state=0).fit(codes)
        return found.weights_ / found.weights_.sum(), found.means_, np.linalg.cholesky(found.covariances_)

    def samples(self, n: int, seed: int = 0) -> Images | None:
        """Return n images (n, height, width, channels) decoded from draws of the prior; None where there is no prior.

        Of a conditional model, the classes take turns (`sample_labels`).
        """
        prior = self.prior
        if prior is None:
            return None
        if (n, seed) not in self._samples:
            z, labels = prior.sample(np.random.default_rng(seed), n), self.sample_labels(n)
            self._samples[n, seed] = _Sampled(to_unit(self.model.decode(z, labels), self.spec), labels)
        return self._samples[n, seed].images

    def sample_labels(self, n: int) -> Labels:
        """Return the class asked for of each of n samples; None of an unconditional model."""
        return np.arange(n) % len(self.data.class_names) if self.spec.model.conditional else None

    def on_validation(self) -> "Outcome | None":
        """Return what the model makes of the validation images instead; None where there are none.

        What hangs on training images and draws of the prior alone is not made again.
        """
        if self._data is None or self._data.validation is None:
            return None
        known = {name: value for name, value in vars(self).items() if name in _OF_TRAINING}
        other = Outcome(self._model, replace(self._data, test=self._data.validation), self._spec, **known)
        other._samples, other._shared = self._samples, self._shared
        return other

    def once(self, name: str, make: Callable[[], Any], *, shared: bool = False) -> Any:
        """Return what `make` returns, made once for all metrics that ask for it under this name.

        Args:
            name: of what is made.
            make: makes it.
            shared: it hangs on the model and the training images alone, and is the same for validation images.
        """
        kept: dict[str, Any] = self._shared if shared else vars(self).setdefault("_kept", {})
        if name not in kept:
            kept[name] = make()
        return kept[name]

    def _encoded(self, images: NDArray[np.uint8], labels: Labels) -> dict[str, NDArray[np.float32]]:
        found: dict[str, NDArray[np.float32]] = self.model.posterior_of(as_float(images, self.spec.data.range), labels)
        return found

    def _given(self, values: dict[str, NDArray[np.float32]] | None = None) -> Given | None:
        """Return the posterior of the test images, or of parameters, in NumPy; None of a deterministic autoencoder."""
        part = getattr(self._model, "posterior", None)
        if part is None or part.deterministic:
            return None
        values = {name: value for name, value in (values or self.posterior).items() if name != "mean"}
        return Given(part, values, getattr(self._model, "posterior_layer", None))


_OF_TRAINING = ("reference", "reference_images", "reference_labels", "reference_posterior", "noise_scale")
_MEMBERS = {name for name, value in vars(Outcome).items() if isinstance(value, cached_property)}


def to_unit(images: NDArray[np.float32], spec: RunSpec) -> NDArray[np.float32]:
    """Return images of the model's range on the scale of [0, 1], where all metrics are measured."""
    return images if spec.data.range == "unit" else ((images + 1) / 2).astype(np.float32)


def _draw(given: Given, noise: NDArray[np.float32]) -> Array:
    return _numpy(_tensors(given).sample(_tensor(noise)))


def _tensors(given: Given) -> Given:
    return Given(given.part, {name: _tensor(value) for name, value in given.values.items()}, given.own)


def _tensor(values: Array) -> Any:
    from keras import ops

    return ops.convert_to_tensor(values)


def _numpy(values: Any) -> Array:
    from keras import ops

    return np.asarray(ops.convert_to_numpy(values))
