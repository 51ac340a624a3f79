"""How far the decoded image is from the given one."""

from math import log, pi, prod
from typing import Any, Literal

from vae.errors import SpecError
from vae.terms._base import TERMS, Outputs, Term

__all__ = ["Reconstruction"]

NOISE = "log_noise_variance"
LOWEST_LOG_VARIANCE = -12.0  # sigma = e^-6 = 0.0025, finer than the steps between 8-bit pixels


@TERMS.register("reconstruction")
class Reconstruction(Term):
    """The negative log-likelihood of the image, summed over pixels and channels.

    Attributes:
        likelihood: `squared_error`, sum (x - y)^2 (the paper's Listing 7);
            `bernoulli`, -sum x log y + (1 - x) log(1 - y), nats;
            `gaussian`, D/2 log(2 pi s^2) + sum (x - y)^2 / (2 s^2), nats, with one learned variance s^2 for all
            pixels (sigma-VAE: Rybkin, Daniilidis and Levine, 2021).
    """

    likelihood: Literal["squared_error", "bernoulli", "gaussian"] = "squared_error"

    @property
    def scalars(self) -> tuple[str, ...]:
        """The logarithm of the noise variance, where it is learned."""
        return (NOISE,) if self.likelihood == "gaussian" else ()

    def __call__(self, outputs: Outputs) -> Any:
        """Return the sum for each image, (batch,)."""
        from keras import ops

        x, y = outputs.image, outputs.reconstruction
        axes = tuple(range(1, len(x.shape)))
        if self.likelihood == "bernoulli":
            y = ops.clip(y, 1e-6, 1 - 1e-6)
            return -ops.sum(x * ops.log(y) + (1 - x) * ops.log(1 - y), axis=axes)
        squared_error = ops.sum(ops.square(x - y), axis=axes)
        if self.likelihood == "squared_error":
            return squared_error
        # Softplus keeps the variance above its floor with a gradient everywhere.
        log_variance = LOWEST_LOG_VARIANCE + ops.softplus(outputs.scalars[NOISE] - LOWEST_LOG_VARIANCE)
        size = prod(x.shape[1:])
        return 0.5 * (size * (log(2 * pi) + log_variance) + squared_error * ops.exp(-log_variance))

    def noise_variance(self, kl_weight: float) -> float | None:
        """Return s^2 = w_KL / (2 w) of the squared-error sum: w E + w_KL KL is -log N(x; y, s^2) + KL up to scale.

        Rybkin, Daniilidis and Levine (2021). A term of weight zero counts as one of weight one.
        """
        return kl_weight / (self.weight or 1.0) / 2 if self.likelihood == "squared_error" else None

    @property
    def family(self) -> Literal["gaussian", "bernoulli"]:
        """The Gaussian, of which the squared error is one too, or the Bernoulli."""
        return "bernoulli" if self.likelihood == "bernoulli" else "gaussian"

    def check(self, data_range: str, output: str) -> None:
        """Refuse a Bernoulli likelihood of anything but [0, 1] pixels and a sigmoid.

        Raises:
            SpecError: naming both.
        """
        if self.likelihood == "bernoulli" and (data_range, output) != ("unit", "sigmoid"):
            raise SpecError(
                f"loss.reconstruction.likelihood = 'bernoulli' needs data.range = 'unit' and model.output = 'sigmoid', "
                f"got '{data_range}' and '{output}'. Change them, or take 'squared_error' or 'gaussian'",
            )
