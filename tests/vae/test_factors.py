"""Measures of disentanglement: of codes that are the factors, of mixed ones, and of none."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.stats import ortho_group
from sklearn.metrics import mutual_info_score

from vae.datasets import DataSpec, load
from vae.metrics import METRICS, Outcome
from vae.metrics.factors import _binned, _information
from vae.spec import RunSpec

DATA = load(DataSpec(name="shapes", limit=800, test_limit=400))
NAMES = ("mig", "dci_disentanglement", "dci_completeness", "dci_informativeness")


def measured(codes: Any, *names: str) -> list[float]:
    """Measure codes made of the factors (n, 5)."""
    test, train = (np.asarray(side.factors, float) for side in (DATA.test, DATA.train))
    outcome = Outcome(
        None, DATA, RunSpec(), z_mean=codes(test), reference_z_mean=codes(train), reference=np.arange(len(train))
    )
    found = [METRICS[name].measure(outcome) for name in names]
    return [value for value in found if value is not None]


def test_codes_that_are_the_factors_are_perfect() -> None:
    gap, disentangled, complete, informed = measured(lambda factors: factors, *NAMES)
    assert gap == pytest.approx(1, abs=0.08), "of few images, other dimensions seem to know a little"
    assert disentangled > 0.95
    assert complete > 0.95
    assert informed > 0.99


def test_a_rotation_mixes_them_and_loses_nothing_else() -> None:
    turn = ortho_group.rvs(5, random_state=0)
    gap, disentangled, complete, informed = measured(lambda factors: (factors / factors.std(axis=0)) @ turn, *NAMES)
    assert gap < 0.15
    assert disentangled < 0.5
    assert complete < 0.5
    assert informed > 0.4


def test_a_factor_that_stands_twice_has_no_gap_but_stays_disentangled() -> None:
    gap, disentangled, complete = measured(lambda factors: np.hstack([factors, factors]), *NAMES[:3])
    assert gap == pytest.approx(0, abs=0.02)
    assert disentangled > 0.95
    assert complete < 0.9


def test_noise_tells_nothing() -> None:
    def noise(factors: np.ndarray) -> np.ndarray:
        return np.random.default_rng(len(factors)).standard_normal(factors.shape)

    gap, informed = measured(noise, "mig", "dci_informativeness")
    assert gap < 0.05
    assert informed < 0.35


def test_information_is_scikit_learns() -> None:
    rng = np.random.default_rng(0)
    one, other = _binned(rng.standard_normal(500)), rng.integers(0, 4, 500)
    assert _information(one, other) == pytest.approx(mutual_info_score(one, other))
    assert len(np.unique(one)) <= 20


def test_without_factors_they_do_not_apply() -> None:
    bare = replace(DATA, train=replace(DATA.train, factors=None), test=replace(DATA.test, factors=None))
    outcome = Outcome(None, bare, RunSpec(), z_mean=np.zeros((400, 2)))
    assert [METRICS[name].measure(outcome) for name in NAMES] == [None] * 4
