"""Feature spaces: one file an entry; in which samples and images are compared."""

from vae.features._base import FEATURES, Extract, FeatureSpace

__all__ = ["FEATURES", "Extract", "FeatureSpace"]
