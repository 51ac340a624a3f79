"""What the latent space carries."""

import numpy as np

from vae.metrics._base import Array, Outcome, metric

__all__ = ["ACTIVE_VARIANCE", "active_units", "kl", "kl_per_dimension", "knn_accuracy", "posterior_scale"]

ACTIVE_VARIANCE = 0.01
NEIGHBOURS = 5


def kl_per_dimension(outcome: Outcome) -> Array | None:
    """Return KL(q(z_i|x) || N(0, 1)) in nats, (n, latent_dim); None for a deterministic autoencoder."""
    if outcome.z_log_var is None:
        return None
    values: Array = -0.5 * (1 + outcome.z_log_var - outcome.z_mean**2 - np.exp(outcome.z_log_var))
    return values


@metric("kl", "KL", unit="nats", digits=3, order=5)
def kl(outcome: Outcome) -> Array | None:
    """KL(q(z|x) || N(0, I)), the rate, for each image."""
    values = kl_per_dimension(outcome)
    return None if values is None else values.sum(axis=1)


@metric("active_units", "active units", digits=3, order=6)
def active_units(outcome: Outcome) -> float:
    """Latent dimensions whose posterior mean varies by more than 0.01 over the test images (Burda et al., 2016)."""
    return float(_active(outcome).sum())


@metric("posterior_scale", "posterior scale", digits=3, order=10)
def posterior_scale(outcome: Outcome) -> float | None:
    """Root mean square of z_mean over the active units; 1 where the aggregate posterior has the prior's width."""
    active = _active(outcome)
    if outcome.z_log_var is None or not active.any():
        return None
    return float(np.sqrt(np.mean(outcome.z_mean[:, active].astype(np.float64) ** 2)))


@metric("knn_accuracy", "5-NN accuracy", better="higher", order=7)
def knn_accuracy(outcome: Outcome) -> float | None:
    """Share of test images whose class the five nearest training images in latent space (z_mean) vote for."""
    if outcome.labels is None or outcome.reference_labels is None:
        return None
    from sklearn.neighbors import KNeighborsClassifier

    neighbours = min(NEIGHBOURS, len(outcome.reference_labels))
    classifier = KNeighborsClassifier(neighbours).fit(outcome.reference_z_mean, outcome.reference_labels)
    return float(classifier.score(outcome.z_mean, outcome.labels))


def _active(outcome: Outcome) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    active: np.ndarray[tuple[int], np.dtype[np.bool_]] = outcome.z_mean.var(axis=0) > ACTIVE_VARIANCE
    return active
