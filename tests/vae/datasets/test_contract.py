"""What every data set promises, whoever wrote it."""

import importlib
import pkgutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from needs import missing

import vae.datasets
from vae.datasets import DATASETS, check, fingerprint, load
from vae.datasets._official import Official
from vae.errors import DataError
from vae.spec import DataSpec


@pytest.fixture(params=list(DATASETS))
def spec(
    request: pytest.FixtureRequest,
    install: Callable[..., Any],
    empty_machine: Path,
    images: Callable[..., Any],
    write: Callable[..., Any],
) -> DataSpec:
    """Each data set, with small files in its official format; a new one must be loadable as it is, or is skipped."""
    name = request.param
    if issubclass(DATASETS[name], Official):
        install(name, empty_machine / name)
    elif name == "arrays":
        shades = np.random.default_rng(0).integers(0, 256, (30, 16, 12, 3), np.uint8)
        np.savez(empty_machine / "arrays.npz", images=shades, labels=np.arange(30) % 3)
        return DataSpec(name=name, path=str(empty_machine / "arrays.npz"))
    elif DATASETS[name].takes_path != "no":
        write(empty_machine / name, images([f"{c}/{i}.png" for c in "abc" for i in range(10)], (16, 12)))
        return DataSpec(name=name, path=str(empty_machine / name))
    spec = DataSpec(name=name)
    try:
        fingerprint(spec)
    except DataError as error:
        missing(str(error))
    return spec


@pytest.mark.parametrize("name", list(DATASETS))
def test_an_entry_describes_itself(name: str) -> None:
    entry = DATASETS[name]
    assert entry.__doc__ and entry.__doc__ != entry.__mro__[1].__doc__  # noqa: PT018
    for text in (entry.title, entry.licence, entry.source):
        assert text.strip() == text != ""
    assert entry.takes_path in {"no", "optional", "required"}


def test_images_are_bytes_and_labels_whole_numbers(spec: DataSpec) -> None:
    data = load(spec)
    for split in (data.train, data.test):
        assert split.images.dtype == np.uint8
        assert split.images.ndim == 4
        assert split.images.shape[1:] == data.shape
        assert len(split.images)
        if split.labels is not None:
            assert split.labels.dtype == np.int64
            assert split.labels.shape == split.images.shape[:1]
            assert 0 <= split.labels.min() <= split.labels.max() < len(data.class_names)
    assert (data.train.labels is None) == (data.test.labels is None) == (not data.class_names)
    assert 1 <= data.shape[2] <= 16
    assert min(data.shape[:2]) >= 8
    assert (data.name, data.licence) == (spec.name, DATASETS[spec.name].licence)


def test_the_same_spec_is_the_same_data(spec: DataSpec) -> None:
    one, other = load(spec), load(spec)
    assert one.checksum == other.checksum == fingerprint(spec)
    assert len(bytes.fromhex(one.checksum)) == 32
    assert np.array_equal(one.train.images, other.train.images)
    assert np.array_equal(one.test.images, other.test.images)


def positions(part: np.ndarray, whole: np.ndarray) -> list[int]:
    """Return where the images of `part` come in `whole`, taking equal images in turn."""
    left = list(map(bytes, whole))
    found = []
    for image in map(bytes, part):
        found.append(left.index(image, found[-1] + 1 if found else 0))
    return found


def test_limits_nest_keep_the_order_and_balance_the_classes(spec: DataSpec) -> None:
    whole = load(spec)
    small, large = (load(spec.model_copy(update={"limit": limit, "test_limit": 3})) for limit in (6, 12))
    assert (len(small.train.images), len(large.train.images), len(small.test.images)) == (6, 12, 3)
    assert positions(small.train.images, large.train.images)
    assert positions(large.train.images, whole.train.images)
    assert len({whole.checksum, small.checksum, large.checksum}) == 3
    if whole.train.labels is not None:
        available = np.bincount(whole.train.labels)
        for data in (small, large):
            counts = np.bincount(data.train.labels, minlength=len(available))
            assert (counts[counts < available] >= counts.max() - 1).all()


def test_every_data_set_can_be_resized_and_checked(spec: DataSpec) -> None:
    data = load(spec.model_copy(update={"size": (10, 9)}))
    assert data.shape[:2] == (10, 9)
    assert data.checksum != load(spec).checksum
    assert all(line and "\n" not in line for line in check(spec.name, spec.path))


@pytest.mark.parametrize("name", sorted(module.name for module in pkgutil.iter_modules(vae.datasets.__path__)))
def test_every_module_says_what_is_public(name: str) -> None:
    module = importlib.import_module(f"vae.datasets.{name}")
    assert module.__doc__
    assert sorted(module.__all__) == sorted(set(module.__all__))
    for public in module.__all__:
        assert getattr(module, public) is not None
