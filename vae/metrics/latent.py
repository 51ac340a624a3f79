"""What the latent space carries."""

import numpy as np

from vae.datasets import spread_over
from vae.metrics._base import Array, Asked, metric
from vae.outcome import Outcome

__all__ = ["active_units", "kl", "knn_accuracy", "posterior_scale", "probe_accuracy", "silhouette"]

ASKED: Asked = {"expense": "high", "group": "representation"}

NEIGHBOURS = 5
PROBED = 5_000  # training codes that a probe is fitted to
MOST_ITERATIONS = 1_000
SILHOUETTE = 2_000  # test codes, of whose pairs it is made


@metric("kl", "KL", unit="nats", digits=3, order=5)
def kl(outcome: Outcome) -> Array | None:
    """KL(q(z|x) || p(z)), the rate, for each image; estimated from one draw where the pair has no formula."""
    return outcome.rate


@metric("active_units", "active units", digits=3, order=6)
def active_units(outcome: Outcome) -> float | None:
    """Latent dimensions whose posterior mean varies by more than 0.01 over the test images (Burda et al., 2016).

    The threshold is of a prior of variance 1. None of a deterministic autoencoder, whose codes have no scale of their
    own.
    """
    return float(outcome.active.sum()) if outcome.has_posterior else None


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


@metric("probe_accuracy", "linear probe accuracy", better="higher", order=24, **ASKED)
def probe_accuracy(outcome: Outcome) -> float | None:
    """Share of test images whose class a logistic regression of z_mean names (Alain and Bengio, 2017).

    Fitted to 5,000 training codes at most, standardised; beside `knn_accuracy` it tells whether classes are parted by
    planes, or by any surface.
    """
    if outcome.labels is None or outcome.reference_labels is None:
        return None
    places = spread_over(len(outcome.reference_labels), PROBED)
    labels = outcome.reference_labels[places]
    if len(np.unique(labels)) == 1:
        return float(np.mean(outcome.labels == labels[0]))
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=MOST_ITERATIONS))
    probe.fit(outcome.reference_z_mean[places].astype(np.float64), labels)
    return float(probe.score(outcome.z_mean.astype(np.float64), outcome.labels))


@metric("silhouette", "silhouette of the classes", better="higher", digits=3, order=25, **ASKED)
def silhouette(outcome: Outcome) -> float | None:
    """Mean over test images of (b - a) / max(a, b), of z_mean (Rousseeuw, 1987).

    a is the mean distance to codes of the same class, b to those of the nearest other one: 1 where classes are apart,
    0 where they mix. Of 2,000 test images at most.
    """
    places = spread_over(len(outcome.z_mean), SILHOUETTE)
    labels = None if outcome.labels is None else outcome.labels[places]
    if labels is None or not 1 < len(np.unique(labels)) < len(labels):
        return None
    from sklearn.metrics import silhouette_score

    return float(silhouette_score(outcome.z_mean[places].astype(np.float64), labels))
