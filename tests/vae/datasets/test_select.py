from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split

from vae.datasets._select import draws_classes, split_indices, subset_indices
from vae.errors import DataError

FIRST_SIX = [0, 5, 7, 9, 12, 17]
LABELS = st.lists(st.integers(0, 5), min_size=2, max_size=120).map(lambda values: np.array(values, np.int64))


def fair_counts(available: np.ndarray, limit: int) -> list[int]:
    """Hand out one image after the other to the class that has the fewest and still some left."""
    counts = np.zeros_like(available)
    for _ in range(limit):
        counts[np.argmin(np.where(counts < available, counts, np.iinfo(np.int64).max))] += 1
    return sorted(np.minimum(counts, available))


@given(LABELS, st.data())
def test_a_limited_subset_is_as_balanced_as_the_classes_allow(labels: NDArray[Any], data: st.DataObject) -> None:
    limit = data.draw(st.integers(1, len(labels) - 1))
    chosen = subset_indices(len(labels), labels, limit)
    assert len(chosen) == limit
    assert (np.diff(chosen) > 0).all()
    available = np.bincount(labels, minlength=6)
    assert sorted(np.bincount(labels[chosen], minlength=6)) == fair_counts(available, limit)


@given(st.one_of(st.none(), LABELS), st.data())
def test_a_smaller_limit_gives_a_subset_of_a_larger_ones(labels: NDArray[Any], data: st.DataObject) -> None:
    count = 50 if labels is None else len(labels)
    small, large = sorted(data.draw(st.tuples(st.integers(1, count), st.integers(1, count))))
    inner, outer = (subset_indices(count, labels, limit) for limit in (small, large))
    if outer is not None:
        assert set(inner) <= set(outer)


@pytest.mark.parametrize("limit", [None, 10, 11])
def test_a_limit_that_takes_all_takes_all(limit: int | None) -> None:
    assert subset_indices(10, None, limit) is None


def test_the_subset_of_a_limit_never_changes() -> None:
    assert subset_indices(20, None, 6).tolist() == FIRST_SIX
    assert subset_indices(20, np.arange(20) % 2, 6).tolist() != FIRST_SIX


@given(st.integers(2, 200), st.floats(0.01, 0.99), st.integers(0, 2**32 - 1))
def test_without_labels_the_split_is_scikit_learns(count: int, fraction: float, seed: int) -> None:
    try:
        expected = train_test_split(np.arange(count), test_size=fraction, random_state=seed)
    except ValueError:
        with pytest.raises(DataError):
            split_indices(count, fraction, seed)
        return
    for found, wanted in zip(split_indices(count, fraction, seed), expected, strict=True):
        assert found.tolist() == sorted(wanted)


@given(LABELS, st.floats(0.1, 0.9), st.integers(0, 9))
def test_a_stratified_split_takes_each_class_by_its_share(labels: NDArray[Any], fraction: float, seed: int) -> None:
    count = len(labels)
    held_out = int(np.ceil(fraction * count))
    if held_out == count:
        with pytest.raises(DataError, match="test_fraction"):
            split_indices(count, fraction, seed, labels)
        return
    train, test = split_indices(count, fraction, seed, labels)
    assert sorted([*train, *test]) == list(range(count))
    assert len(test) == held_out
    share = np.bincount(labels, minlength=6) * held_out / count
    assert (np.abs(np.bincount(labels[test], minlength=6) - share) < 1).all()


def test_another_seed_gives_another_split() -> None:
    labels = np.arange(60) % 3
    assert split_indices(60, 0.3, 1, labels)[1].tolist() != split_indices(60, 0.3, 2, labels)[1].tolist()


@pytest.mark.parametrize("size", [1, 2, 3])
def test_the_seed_chooses_among_classes_too_small_to_give_an_image_each(size: int) -> None:
    labels = np.repeat(np.arange(20), size)
    assert draws_classes(0.3, labels)
    chosen = [tuple(labels[split_indices(len(labels), 0.3, seed, labels)[1]]) for seed in range(50)]
    assert all(len(set(one)) == len(one) == 6 * size for one in chosen)
    assert len(set(chosen)) > 10
    assert set().union(*chosen) == set(range(20))  # all have their turn
    assert chosen[7] == tuple(labels[split_indices(len(labels), 0.3, 7, labels)[1]])


def test_where_every_class_gives_an_image_ties_go_by_name_as_ever() -> None:
    labels = np.repeat(np.arange(3), 4)
    assert not draws_classes(0.3, labels)
    for seed in range(5):
        assert np.bincount(labels[split_indices(12, 0.3, seed, labels)[1]]).tolist() == [2, 1, 1]


def test_classes_of_other_sizes_do_not_hang_on_the_draw() -> None:
    labels = np.r_[np.zeros(70, np.int64), np.arange(1, 31)]  # one large class beside thirty of one image
    held = [labels[split_indices(100, 0.3, seed, labels)[1]] for seed in range(20)]
    assert {np.count_nonzero(one == 0) for one in held} == {21}
    assert len({tuple(one) for one in held}) == 20


@pytest.mark.parametrize("count", [0, 1])
def test_one_image_cannot_be_split(count: int) -> None:
    with pytest.raises(DataError, match=f"^{count} image"):
        split_indices(count, 0.3, 42)
