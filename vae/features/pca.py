"""Principal components of the training images."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from vae.datasets import Data, as_float, spread_over
from vae.features._base import FEATURES, Extract, FeatureSpace

__all__ = ["PrincipalComponents"]

EXACT = 1_024  # pixels up to which the whole spectrum is computed
FITTED = 5_000  # training images, evenly spread


@FEATURES.register("pca")
class PrincipalComponents(FeatureSpace):
    """Scores of the leading principal components of 5,000 training images: linear, and of pixels alone.

    It sees what a VAE's squared error sees, and forgives the blur that lies in the components left out.

    Attributes:
        components: how many, where pixels and images allow.
    """

    name: Literal["pca"] = "pca"
    components: int = Field(64, ge=1)

    def fit(self, data: Data) -> Extract:
        """Find the components."""
        from sklearn.decomposition import PCA

        known = as_float(data.train.images[spread_over(len(data.train.images), FITTED)], "unit")
        known = known.reshape(len(known), -1)
        most = min(self.components, *known.shape)
        if known.shape[1] <= EXACT:
            found = PCA(most, svd_solver="covariance_eigh").fit(known.astype(np.float64))
        else:
            found = PCA(most, svd_solver="randomized", random_state=0).fit(known)

        def extract(images: NDArray[np.float32]) -> NDArray[np.float32]:
            return np.asarray(found.transform(images.reshape(len(images), -1)), dtype=np.float32)

        return extract
