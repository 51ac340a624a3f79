"""Terms of the loss: one file an entry; each gives (batch,) values, weighted and reduced by the model alone."""

from vae.terms._base import TERMS, Outputs, Term, frozen

__all__ = ["TERMS", "Outputs", "Term", "frozen"]
