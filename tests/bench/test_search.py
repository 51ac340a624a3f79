"""What searches and rungs give: counted by hand on an executor that trains nothing."""

import math
from typing import Any

import pytest
from scipy import stats

from bench import search

pytest.importorskip("keras_tuner")
FIXED: dict[str, Any] = search.settings("digits", 64)


def test_an_interval_is_students() -> None:
    values = [3.0, 4.0, 8.0, 5.0]
    mean, half = search.interval(values)
    low, high = stats.t.interval(0.95, 3, loc=mean, scale=stats.sem(values))
    assert (mean - half, mean + half) == pytest.approx((low, high))
    assert math.isnan(search.interval([3.0])[1])
