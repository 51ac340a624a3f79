from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

from vae.datasets import check, load
from vae.errors import SpecError
from vae.spec import DataSpec


def test_digits_are_scikit_learns_scaled_to_bytes() -> None:
    found = load_digits()
    data = load(DataSpec(name="digits"))
    images = np.concatenate([data.train.images, data.test.images])[..., 0]
    expected = np.rint(found.images * 255 / 16).astype(np.uint8)
    assert sorted(map(bytes, images)) == sorted(map(bytes, expected))
    assert (images.min(), images.max()) == (0, 255)
    by_pixels = {bytes(image): label for image, label in zip(expected, found.target, strict=True)}
    assert [by_pixels[bytes(image)] for image in data.test.images[..., 0]] == data.test.labels.tolist()


def test_the_split_is_stratified_and_follows_the_settings() -> None:
    data = load(DataSpec(name="digits"))
    assert (len(data.train.images), len(data.test.images)) == (1257, 540)
    assert np.ptp(np.bincount(data.test.labels)) <= 3
    fifth = load(DataSpec(name="digits", test_fraction=0.2))
    assert len(fifth.test.images) == 360
    assert load(DataSpec(name="digits", split_seed=1)).checksum != data.checksum != fifth.checksum


def test_digits_need_no_file(cache: Path) -> None:
    load(DataSpec(name="digits"))
    assert not cache.exists()
    assert check("digits")[1] == "1257 training and 540 test images read, 8 x 8 x 1"


def test_digits_take_no_path() -> None:
    with pytest.raises(
        SpecError, match=r"data\.path: got 'x', but 'digits' takes no path; arrays, celeba and image_folder do"
    ):
        load(DataSpec(name="digits", path="x"))


def test_a_caller_cannot_change_another_callers_images() -> None:
    first = load(DataSpec(name="digits"))
    first.train.images[:] = 0
    assert load(DataSpec(name="digits")).train.images.max() == 255
