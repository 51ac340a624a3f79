"""A model that was trained elsewhere, under the same metrics: an encoder and a decoder, or images to images."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from vae.datasets import Data
from vae.environment import keras_defaults
from vae.errors import DataError
from vae.inference import batches
from vae.outcome import Outcome, to_unit
from vae.posteriors import Posterior, usual_posterior, usual_prior
from vae.priors import Bound
from vae.spec import RunSpec

__all__ = ["Elsewhere", "outcome_elsewhere"]


class Elsewhere:
    """A Keras model of anybody's, asked as ours are.

    Args:
        encoder: images -> codes, or a list (mean, log-variance), or (mean, log-variance, draw).
        decoder: codes -> images.
        latent_dim: number of latent dimensions.
        gaussian: whether the encoder gives a log-variance: the prior is then taken for N(0, I).
    """

    posterior_layer = None

    def __init__(self, encoder: Any, decoder: Any, latent_dim: int, *, gaussian: bool) -> None:
        """Remember the halves."""
        self.encoder, self.decoder, self.latent_dim = encoder, decoder, latent_dim
        self.posterior: Posterior = usual_posterior(deterministic=not gaussian)

    @classmethod
    @keras_defaults()
    def load(cls, path: Path, shape: tuple[int, int, int], names: tuple[str, str] = ("encoder", "decoder")) -> Any:
        """Return a model of a `.keras` file; one without halves of these names as it is, from images to images.

        It is read in Keras' safe mode: a file that brings code along is refused.

        Raises:
            DataError: it can't be read, or its halves are not for such images.
        """
        try:
            model = keras.saving.load_model(path, compile=False, safe_mode=True)
        except Exception as error:
            raise DataError(f"{path}: no model could be made of it ({type(error).__name__}: {error})") from error
        halves = [_half(model, name) for name in names]
        blank = keras.ops.zeros((1, *shape))
        try:
            if None in halves:
                made = model(blank, training=False)
                _check_image(path, made, shape)
                return model
            codes = halves[0](blank, training=False)
            codes = list(codes) if isinstance(codes, list | tuple) else [codes]
            _check_image(path, halves[1](codes[0], training=False), shape)
        except (ValueError, TypeError) as error:
            raise DataError(
                f"{path}: it can't be given images of shape {shape}: {str(error).splitlines()[0]}. Name halves with "
                "--encoder and --decoder, or take another data set"
            ) from None
        return cls(halves[0], halves[1], int(codes[0].shape[-1]), gaussian=len(codes) > 1)

    @property
    def bound_prior(self) -> Bound | None:
        """N(0, I) of a model with a log-variance; else None."""
        prior = usual_prior(self.posterior)
        return None if prior is None else Bound(prior, self.latent_dim)

    def posterior_of(self, images: Any, labels: Any = None) -> dict[str, NDArray[np.float32]]:  # noqa: ARG002
        """Return z_mean, z_log_var where there is one, and `mean`."""
        rows: list[list[Any]] = []
        for batch, _ in batches(np.asarray(images, dtype=np.float32)):
            made = self.encoder(batch, training=False)
            rows.append(
                [keras.ops.convert_to_numpy(one) for one in (made if isinstance(made, list | tuple) else [made])]
            )
        heads = [np.concatenate(parts) for parts in zip(*rows, strict=True)]
        names = ("z_mean", "z_log_var")[: len(heads)]
        found = dict(zip(names, heads, strict=False))
        if "z_log_var" in found:
            values: Mapping[str, Any] = self.posterior.parameters(found)
            found = {name: np.asarray(keras.ops.convert_to_numpy(value)) for name, value in values.items()}
        return {**found, "mean": found["z_mean"]}

    def decode(self, z: NDArray[np.floating], labels: Any = None) -> NDArray[np.float32]:  # noqa: ARG002
        """Return images."""
        return _through(self.decoder, np.asarray(z, dtype=np.float32))


@keras_defaults()
def outcome_elsewhere(model: Any, data: Data, spec: RunSpec) -> Outcome:
    """Return what metrics look at, of a model from `Elsewhere.load`.

    Args:
        model: it.
        data: the data set.
        spec: says the range of the pixels; its loss and its network are not the model's, and are not asked.
    """
    if isinstance(model, Elsewhere):
        spec = spec.model_copy(update={"model": spec.model.model_copy(update={"latent_dim": model.latent_dim})})
        return Outcome(model, data, spec, kl_weight=None)
    blank = Outcome(None, data, spec, kl_weight=None)
    low_high = spec.data.range
    pixels = blank.images if low_high == "unit" else (blank.images * 2 - 1).astype(np.float32)
    made = to_unit(_through(model, pixels), spec)
    return Outcome(None, data, None, kl_weight=None, reconstructions=made)


def _half(model: Any, name: str) -> Any:
    found = getattr(model, name, None)
    if callable(found):
        return found
    layers = {layer.name: layer for layer in getattr(model, "layers", ())}
    return layers.get(name)


def _check_image(path: Path, made: Any, shape: tuple[int, int, int]) -> None:
    if isinstance(made, list | tuple | dict):
        raise DataError(f"{path}: it makes {len(made)} tensors of an image, expected an image")
    if tuple(made.shape[1:]) != shape:
        raise DataError(f"{path}: it makes images of shape {tuple(made.shape[1:])}, expected {shape}, the data set's")


def _through(model: Any, rows: NDArray[np.float32]) -> NDArray[np.float32]:
    made = [keras.ops.convert_to_numpy(model(batch, training=False)) for batch, _ in batches(rows)]
    return np.concatenate(made)
