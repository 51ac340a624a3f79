"""What the latent space carries."""

import numpy as np

from vae.metrics._base import Array, metric
from vae.outcome import Outcome

__all__ = ["active_units", "kl", "knn_accuracy", "posterior_scale"]

NEIGHBOURS = 5


@metric("kl", "KL", unit="nats", digits=3, order=5)
def kl(outcome: Outcome) -> Array | None:
    """KL(q(z|x) || p(z)), the rate, for each image; estimated from one draw where the pair has no formula."""
    return outcome.rate


@metric("active_units", "active units", digits=3, order=6)
def active_units(outcome: Outcome) -> float:
    """Latent dimensions whose posterior mean varies by more than 0.01 over the test images (Burda et al., 2016)."""
    return float(outcome.active.sum())


@metric("posterior_scale", "posterior scale", digits=3, order=10)
def posterior_scale(outcome: Outcome) -> float | None:
    """Width of the aggregate posterior over the prior's: sqrt(mean(m^2 + s^2)) over images and active units.

    1 where the codes of all images together are as wide as what samples are drawn from, below it narrower. The
    variance within each image's posterior counts as much as that between images. None of a deterministic autoencoder,
    and of a posterior whose variance is not known.
    """
    active, log_var = outcome.active, outcome.z_log_var
    if log_var is None or not active.any():
        return None
    mean, variance = outcome.z_mean[:, active].astype(np.float64), np.exp(log_var[:, active].astype(np.float64))
    scale = 1.0 if outcome.prior is None else outcome.prior.scale
    return float(np.sqrt(np.mean(mean**2 + variance)) / scale)


@metric("knn_accuracy", "5-NN accuracy", better="higher", order=7)
def knn_accuracy(outcome: Outcome) -> float | None:
    """Share of test images whose class the five nearest training images in latent space (z_mean) vote for."""
    if outcome.labels is None or outcome.reference_labels is None:
        return None
    from sklearn.neighbors import KNeighborsClassifier

    neighbours = min(NEIGHBOURS, len(outcome.reference_labels))
    classifier = KNeighborsClassifier(neighbours).fit(outcome.reference_z_mean, outcome.reference_labels)
    return float(classifier.score(outcome.z_mean, outcome.labels))
