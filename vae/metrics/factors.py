"""Whether latent dimensions and known factors of the data go together, one by one."""

import numpy as np
from numpy.typing import NDArray

from vae.datasets import spread_over
from vae.metrics._base import Array, Asked, metric
from vae.outcome import Outcome

__all__ = ["dci_completeness", "dci_disentanglement", "dci_informativeness", "mig"]

ASKED: Asked = {"expense": "high", "group": "factors"}
BINS = 20  # of each latent dimension, as Locatello et al. (2019) have them
TREES, DEEPEST = 50, 12
FITTED = 5_000  # training images


@metric("mig", "mutual information gap", better="higher", digits=3, order=30, **ASKED)
def mig(outcome: Outcome) -> float | None:
    """Mean over factors of (I(z_a; v) - I(z_b; v)) / H(v), z_a and z_b the dimensions that know most of v.

    Chen et al. (2018): 1 where each factor has a dimension of its own, 0 where two share it. Of z_mean of the test
    images, in 20 bins of equal width. None of data whose factors are not known.
    """
    factors = outcome.data.test.factors
    if factors is None:
        return None
    gaps = []
    for values in factors.T:
        known = sorted((_information(_binned(one), values) for one in outcome.z_mean.T), reverse=True)
        entropy = _information(values, values)
        if entropy > 0:
            gaps.append((known[0] - (known[1] if len(known) > 1 else 0.0)) / entropy)
    return float(np.mean(gaps)) if gaps else None


@metric("dci_disentanglement", "disentanglement (DCI)", better="higher", digits=3, order=31, **ASKED)
def dci_disentanglement(outcome: Outcome) -> float | None:
    """Whether a latent dimension tells of one factor alone (Eastwood and Williams, 2018).

    1 - H over factors of each dimension's importances, logarithms to the base of their number, weighted by the
    dimension's share of all importance. Importances are those of a random forest that predicts each factor of z_mean.
    """
    found = _importances(outcome)
    return None if found is None else _weighted(found[0])


@metric("dci_completeness", "completeness (DCI)", better="higher", digits=3, order=32, **ASKED)
def dci_completeness(outcome: Outcome) -> float | None:
    """Whether a factor stands in one latent dimension alone: the same over dimensions (Eastwood and Williams, 2018)."""
    found = _importances(outcome)
    return None if found is None else _weighted(found[0].T)


@metric("dci_informativeness", "informativeness (DCI)", better="higher", digits=3, order=33, **ASKED)
def dci_informativeness(outcome: Outcome) -> float | None:
    """Mean share of the factors' values of test images that the forests name rightly."""
    found = _importances(outcome)
    return None if found is None else float(np.mean(found[1]))


def _binned(values: Array) -> NDArray[np.int64]:
    edges = np.linspace(values.min(), values.max(), BINS + 1)[1:-1]
    return np.asarray(np.digitize(values, edges), dtype=np.int64)


def _information(one: NDArray[np.int64], other: NDArray[np.int64]) -> float:
    """Return I(one; other) in nats of whole numbers from 0, by their counts."""
    counts = np.zeros((one.max() + 1, other.max() + 1))
    np.add.at(counts, (one, other), 1)
    joint = counts / counts.sum()
    apart = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0)
    there = joint > 0
    return float(np.sum(joint[there] * np.log(joint[there] / apart[there])))


def _weighted(importances: Array) -> float:
    """Return the mean over rows of 1 - the entropy of a row's shares, each row by its share of the whole."""
    totals = importances.sum(axis=1)
    used = importances[totals > 0]
    if not len(used):
        return 0.0
    shares = used / used.sum(axis=1, keepdims=True)
    logs = np.log(np.where(shares > 0, shares, 1.0)) / np.log(max(importances.shape[1], 2))
    return float(np.sum((1 + (shares * logs).sum(axis=1)) * totals[totals > 0] / totals.sum()))


def _importances(outcome: Outcome) -> tuple[Array, Array] | None:
    """Return the importances (latent_dim, factors), and how often each factor of a test image is named rightly."""
    train, test = outcome.data.train.factors, outcome.data.test.factors
    if train is None or test is None:
        return None

    def measure() -> tuple[Array, Array]:
        from sklearn.ensemble import RandomForestClassifier

        places = spread_over(len(outcome.reference), FITTED)
        codes, known = outcome.reference_z_mean[places], train[outcome.reference[places]]
        importances, rights = [], []
        for column in range(known.shape[1]):
            forest = RandomForestClassifier(TREES, max_features=None, max_depth=DEEPEST, random_state=0)
            forest.fit(codes, known[:, column])
            importances.append(forest.feature_importances_)
            rights.append(forest.score(outcome.z_mean, test[:, column]))
        return np.stack(importances, axis=1), np.array(rights)

    found: tuple[Array, Array] = outcome.once("importances of the factors", measure)
    return found
