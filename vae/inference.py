"""What a trained model is asked for: codes, reconstructions, samples, and walks through its latent space."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from keras import ops
from numpy.typing import NDArray

from vae.datasets import RANGES, as_float
from vae.errors import SpecError
from vae.latent import Walk, interpolate, traverse
from vae.networks import Network
from vae.posteriors import Given, Posterior
from vae.priors import Bound

__all__ = ["INFERENCE_BATCH", "Inference", "batches"]

INFERENCE_BATCH = 500

Pixels = NDArray[Any]
Labels = NDArray[np.integer] | Sequence[int] | int | None


class Inference:
    """The methods of a model that take and give NumPy arrays; all that is drawn is a function of a seed."""

    network: Network
    posterior: Posterior
    shape: tuple[int, ...]
    classes: int
    data_range: str

    def given(self, image: Any, label: Any = None, training: bool = False) -> Given:
        """Return q(z|x) of backend tensors."""
        raise NotImplementedError

    def made_of(self, z: Any, label: Any = None, training: bool = False) -> Any:
        """Return the images of backend tensors."""
        raise NotImplementedError

    @property
    def bound_prior(self) -> Bound | None:
        """p(z)."""
        raise NotImplementedError

    def check_range(self, images: NDArray[np.floating]) -> None:
        """Refuse images whose pixels are not in the range that the model was built for.

        Raises:
            SpecError: naming what was got and what the output activation reaches.
        """
        low, high = RANGES[self.data_range]
        got = float(np.min(images)), float(np.max(images))
        if not (got[0] >= low and got[1] <= high):  # NaN is neither
            raise SpecError(
                f"images have pixels in [{got[0]:g}, {got[1]:g}], but data_range = '{self.data_range}' and output = "
                f"'{self.network.output}' are for [{low:g}, {high:g}]: no reconstruction could reach them. "
                "Scale the images, or change data_range and output together",
            )

    def encode(self, images: Pixels, labels: Labels = None) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
        """Return z_mean and z_log_var (n, latent_dim) of images; the second is None of a posterior without one.

        Args:
            images: (n, height, width, channels), uint8 of [0, 255], which is scaled, or floats in the model's range.
            labels: the class of each, of a conditional model.

        Raises:
            SpecError: the images or labels are of another shape, type or range.
        """
        values = self.posterior_of(images, labels)
        mean = values.pop("mean")
        return mean, values.get("z_log_var")

    def posterior_of(self, images: Pixels, labels: Labels = None) -> dict[str, NDArray[np.float32]]:
        """Return the posterior's parameters by name, (n, width) each, and `mean`, the point that is decoded."""
        pixels = self._pixels(images)
        found: dict[str, list[Any]] = {}
        for batch in batches(pixels, self._labels(labels, len(pixels))):
            given = self.given(*batch)
            for name, value in {**given.values, "mean": given.mean}.items():
                found.setdefault(name, []).append(value)
        return {name: _joined(values) for name, values in found.items()}

    def decode(self, z: NDArray[np.floating], labels: Labels = None) -> NDArray[np.float32]:
        """Return the images (n, height, width, channels), in the model's range, of latent vectors (n, latent_dim).

        Raises:
            SpecError: the vectors are of another size, or labels are missing.
        """
        z = np.asarray(z, dtype=np.float32)
        if z.ndim != 2 or z.shape[1] != self.network.latent_dim:  # noqa: PLR2004 - (n, latent_dim)
            raise SpecError(f"got latent vectors of shape {z.shape}, expected (n, {self.network.latent_dim})")
        return _joined([self.made_of(*batch) for batch in batches(z, self._labels(labels, len(z)))])

    def reconstruct(self, images: Pixels, labels: Labels = None) -> NDArray[np.float32]:
        """Return what the decoder makes of the images' codes (the posterior's mean), in the model's range."""
        return self.decode(self.posterior_of(images, labels)["mean"], labels)

    def sample(self, n: int, label: Labels = None, seed: int = 0) -> NDArray[np.float32]:
        """Return n images decoded from draws of the prior, in the model's range.

        Args:
            n: how many.
            label: the class of all, or of each, of a conditional model.
            seed: of the draws.

        Raises:
            SpecError: a deterministic autoencoder has no prior to draw from.
        """
        prior = self.bound_prior
        if prior is None:
            raise SpecError("a deterministic autoencoder has no prior, and so no samples: train one with a posterior")
        return self.decode(prior.sample(np.random.default_rng(seed), n), label)

    def interpolate(
        self, start: Pixels, end: Pixels, steps: int = 9, path: Walk = "linear", label: Labels = None
    ) -> NDArray[np.float32]:
        """Return the images (steps, height, width, channels) of the way between the codes of two images."""
        ends = self.posterior_of(np.stack([np.asarray(start), np.asarray(end)]), label)["mean"]
        return self.decode(interpolate(ends[0], ends[1], steps, path), label)

    def traverse(
        self, image: Pixels, dimensions: Sequence[int], values: Sequence[float], label: Labels = None
    ) -> NDArray[np.float32]:
        """Return the images (dimensions, values, height, width, channels) of an image's code, one dimension changed."""
        z = self.posterior_of(np.asarray(image)[np.newaxis], label)["mean"][0]
        points = traverse(z, np.asarray(dimensions), np.asarray(values, dtype=np.float32))
        images = self.decode(points.reshape(-1, z.size), label)
        return images.reshape(*points.shape[:2], *images.shape[1:])

    def one_image(self) -> None:
        """Encode, draw and decode one image of zeros: what is counted as the cost of an image."""
        label = ops.zeros((1,), dtype="int32") if self.network.conditional else None
        given = self.given(ops.zeros((1, *self.shape)), label)
        z = given.mean if self.posterior.deterministic else given.sample(ops.zeros((1, self.network.latent_dim)))
        self.made_of(z, label)

    def _pixels(self, images: Pixels) -> NDArray[np.float32]:
        images = np.asarray(images)
        if images.shape[1:] != tuple(self.shape):
            raise SpecError(f"got images of shape {images.shape}, expected (n, {', '.join(map(str, self.shape))})")
        if images.dtype == np.uint8:
            return as_float(images, self.data_range)
        if images.dtype.kind != "f":
            raise SpecError(
                f"got {images.dtype} images, expected uint8 (0 to 255), or floating-point numbers in the model's range "
                f"{list(RANGES[self.data_range])}"
            )
        if len(images):
            self.check_range(images)
        return np.asarray(images, dtype=np.float32)

    def _labels(self, labels: Labels, n: int) -> NDArray[np.int32] | None:
        if not self.network.conditional:
            return None  # nothing asks for them
        if labels is None:
            raise SpecError(f"this model is conditional: give labels, one of 0 to {self.classes - 1} for each image")
        found = np.asarray(labels)
        if found.dtype.kind not in "iu" or found.shape not in {(), (n,)}:
            raise SpecError(f"got {found.dtype} labels of shape {found.shape}, expected whole numbers of shape ({n},)")
        if found.size and not 0 <= found.min() <= found.max() < self.classes:
            raise SpecError(f"got labels from {found.min()} to {found.max()}, expected 0 to {self.classes - 1}")
        return np.broadcast_to(found, (n,)).astype(np.int32)


def batches(rows: NDArray[np.floating], labels: NDArray[np.integer] | None = None) -> Iterator[tuple[Any, Any]]:
    """Yield rows and their labels, or None, in batches.

    They are computed eagerly: a trial's inference is over before a graph of it were traced.
    """
    for start in range(0, len(rows), INFERENCE_BATCH):
        chosen = slice(start, start + INFERENCE_BATCH)
        yield ops.convert_to_tensor(rows[chosen]), None if labels is None else ops.convert_to_tensor(labels[chosen])


def _joined(parts: Sequence[Any]) -> NDArray[np.float32]:
    return np.concatenate([ops.convert_to_numpy(one) for one in parts])
