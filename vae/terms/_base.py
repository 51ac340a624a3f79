"""The contract of a term, and what it may look at."""

from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Literal, NamedTuple

from pydantic import Field

from vae.layers import Shape
from vae.parts import Part
from vae.posteriors import Given
from vae.priors import Bound
from vae.registry import Registry

__all__ = ["TERMS", "Outputs", "Term", "frozen"]

TERMS: Registry[type["Term"]] = Registry("term", "vae.terms")


class Outputs(NamedTuple):
    """What one batch gives to the terms; backend tensors.

    With `train.samples` = K draws an image, each has K * batch rows in training: all images with their first draw, then
    all with their second, and so on.

    Attributes:
        image: (batch, height, width, channels), in the data's range.
        reconstruction: the same shape.
        z_mean: (batch, latent_dim), the point that stands for the posterior.
        z_log_var: (batch, latent_dim), of a Gaussian posterior; else None.
        z: (batch, latent_dim), what was decoded.
        bounds: (low, high) of the data's range.
        scalars: the trainable scalars that the terms asked for, by name.
        posterior: q(z|x) of these images; None for a deterministic autoencoder.
        prior: p(z); None for a deterministic autoencoder.
        label: (batch,) class of each image, where the run's data have labels and a part asks for them; else None.
        images: number of training images.
        training: whether this is a step of the training.
        draws: K, of which `z` has one after the other.
        own: the layers that this term's `build` made for this model.
        encode: images, in the data's range -> their posterior.
        decode: points (n, latent_dim) -> images.
    """

    image: Any
    reconstruction: Any
    z_mean: Any
    z_log_var: Any
    z: Any
    bounds: tuple[float, float]
    scalars: Mapping[str, Any]
    posterior: Given | None = None
    prior: Bound | None = None
    label: Any = None
    images: int = 0
    training: bool = False
    draws: int = 1
    own: Any = None
    encode: Callable[..., Given] | None = None
    decode: Callable[..., Any] | None = None


class Term(Part):
    """One summand of the loss, with its settings.

    Attributes:
        weight: what it is multiplied by in the sum.
    """

    registry: ClassVar[Registry[Any] | None] = TERMS
    needs_posterior: ClassVar[bool] = False  # left out for deterministic autoencoders
    needs_label: ClassVar[bool] = False

    weight: float = Field(1.0, ge=0)

    @abstractmethod
    def __call__(self, outputs: Outputs) -> Any:
        """Return the term's value for each image, (batch,), unweighted."""

    def build(self, shape: Shape, latent_dim: int) -> Any:  # noqa: ARG002 - most terms have no layers
        """Return the layers that the term has of its own, a Keras layer or model; None where it has none.

        They belong to one model: its optimizer trains what of them is trainable, and they are saved and resumed with
        it. The term finds them in `Outputs.own`.

        Args:
            shape: (height, width, channels) of an image.
            latent_dim: number of latent dimensions.
        """
        return None

    def weight_at(self, progress: float) -> float:  # noqa: ARG002 - constant unless a term has a schedule
        """Return the weight when `progress` (0 to 1) of the training steps are done."""
        return self.weight

    @property
    def scalars(self) -> tuple[str, ...]:
        """Names of the trainable scalars that the term wants from the model; they start at zero."""
        return ()

    @property
    def scheduled(self) -> bool:
        """Whether the weight changes during training."""
        return False

    def noise_variance(self, kl_weight: float) -> float | None:  # noqa: ARG002 - most terms are no likelihood
        """Return the variance that makes the term, beside a weighted KL term, a Gaussian likelihood of the pixels.

        Args:
            kl_weight: the KL term's weight.

        Returns:
            The variance in the data's range, squared; None for a term that is no such likelihood, or learns its own.
        """
        return None

    @property
    def family(self) -> Literal["gaussian", "bernoulli"] | None:
        """Which distribution of the pixels the term is the negative log-likelihood of, up to scale; None of none."""
        return None

    def check(self, data_range: str, output: str) -> None:
        """Refuse a data range or an output activation that the term cannot work with.

        Raises:
            SpecError: naming both and what would fit.
        """


def frozen(layer: Any, *inputs: Any) -> Any:
    """Return a layer's outputs with its weights held: gradients go through to the inputs, and train nothing in it.

    That is what an adversarial term needs: the critic learns from `layer(stop_gradient(fake))`, the decoder from
    `frozen(layer, fake)`, both in one sum, on every backend.
    """
    from keras import ops

    held = [ops.stop_gradient(variable.value) for variable in layer.trainable_variables]
    fixed = [variable.value for variable in layer.non_trainable_variables]
    return layer.stateless_call(held, fixed, *inputs)[0]
