"""Structural dissimilarity: an emphasis on local detail."""

from typing import Any

from pydantic import Field

from vae.ssim import ssim
from vae.terms._base import TERMS, Outputs, Term

__all__ = ["SSIM"]


@TERMS.register("ssim")
class SSIM(Term):
    """1 - SSIM(x, y) per image, from 0 (equal) to 2; SSIM as in `vae.ssim`, the metric's own definition.

    Attributes:
        weight: 0 by default; the paper gives no value.
    """

    weight: float = Field(0.0, ge=0)

    def __call__(self, outputs: Outputs) -> Any:
        """Return the dissimilarity for each image, (batch,)."""
        from keras import ops

        low, high = outputs.bounds
        return 1 - ssim(outputs.image, outputs.reconstruction, high - low, ops)
