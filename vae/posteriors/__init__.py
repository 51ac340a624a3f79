"""Posteriors: one file an entry; what the encoder's features say of where an image lies in the latent space."""

from vae.posteriors._base import POSTERIORS, Given, Posterior, divergence, usual_posterior, usual_prior

__all__ = ["POSTERIORS", "Given", "Posterior", "divergence", "usual_posterior", "usual_prior"]
