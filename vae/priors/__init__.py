"""Priors: one file an entry; where codes are expected to lie, and where samples are drawn from."""

from vae.priors._base import PRIORS, Bound, Prior

__all__ = ["PRIORS", "Bound", "Prior"]
