"""How far the posterior is from the prior."""

from typing import Any, ClassVar, Literal

from pydantic import Field

from vae.posteriors import divergence
from vae.terms._base import TERMS, Outputs, Term

__all__ = ["KL"]


@TERMS.register("kl")
class KL(Term):
    """KL(q(z|x) || p(z)), nats: of a Gaussian and N(0, I), -1/2 sum (1 + log s^2 - m^2 - s^2) over the dimensions.

    A pair without a formula has it estimated by log q(z|x) - log p(z) of the draw (`vae.posteriors.divergence`).

    With the squared-error sum, a weight w is a Gaussian likelihood of variance w / 2 (Higgins et al., 2017, for the
    weight; Rybkin et al., 2021, for its meaning).

    Attributes:
        weight: at the end of training; the paper tried 1e-4 to 1e-2.
        schedule: `constant`; `warmup`, from 0 to the weight over the first `ramp` of training (Bowman et al., 2016);
            `cyclical`, the same in each of `cycles` cycles (Fu et al., 2019).
        ramp: share of training, or of a cycle, over which the weight rises linearly.
        cycles: number of cycles.
    """

    needs_posterior: ClassVar[bool] = True

    weight: float = Field(5e-4, ge=0)
    schedule: Literal["constant", "warmup", "cyclical"] = "constant"
    ramp: float = Field(0.5, gt=0, le=1)
    cycles: int = Field(4, ge=1)

    def __call__(self, outputs: Outputs) -> Any:
        """Return the divergence for each image, (batch,)."""
        if outputs.posterior is None or outputs.prior is None:
            raise ValueError("a deterministic autoencoder has no posterior, and so no divergence from a prior")
        return divergence(outputs.posterior, outputs.prior, outputs.z)

    @property
    def scheduled(self) -> bool:
        """Whether the weight changes during training."""
        return self.schedule != "constant"

    def weight_at(self, progress: float) -> float:
        """Return the weight when `progress` (0 to 1) of the training steps are done."""
        if self.schedule == "constant" or progress >= 1:
            return self.weight
        cycles = self.cycles if self.schedule == "cyclical" else 1
        return self.weight * min((progress * cycles % 1) / self.ramp, 1.0)
