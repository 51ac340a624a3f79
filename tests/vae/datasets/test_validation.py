"""Validation images: neither trained on nor reported, the same wherever and whenever they are drawn."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from vae.datasets import Split, fingerprint, load
from vae.errors import DataError, SpecError
from vae.on_arrays import as_data
from vae.spec import DataSpec, RunSpec


def rows(split: Split) -> set[bytes]:
    return {image.tobytes() for image in split.images}


def test_a_share_of_the_training_images_is_kept_back_and_the_test_stays_what_it_is() -> None:
    whole, parted = load(DataSpec(limit=200)), load(DataSpec(limit=200, validation=0.2))
    assert whole.validation is None
    assert whole.chosen_on is whole.test, "the paper's way"
    assert parted.validation is not None
    assert parted.chosen_on is parted.validation
    assert (len(parted.train.images), len(parted.validation.images)) == (160, 40)
    assert rows(parted.train) | rows(parted.validation) == rows(whole.train)
    assert not rows(parted.train) & rows(parted.validation)
    assert np.array_equal(parted.test.images, whole.test.images)
    assert set(Counter(np.asarray(parted.validation.labels).tolist()).values()) == {4}, "of each class its share"


def test_it_belongs_to_the_identity_of_the_data_and_nothing_to_nothing() -> None:
    assert DataSpec(validation=0.0).identity == DataSpec().identity
    checksums = {
        fingerprint(DataSpec(validation=share, split_seed=seed)) for share in (0.0, 0.1, 0.2) for seed in (1, 2)
    }
    assert len(checksums) == 6
    assert fingerprint(DataSpec(validation=0.1)) == load(DataSpec(validation=0.1)).checksum


def test_another_seed_draws_others() -> None:
    one, other = (load(DataSpec(limit=200, validation=0.2, split_seed=seed)).validation for seed in (1, 2))
    assert one is not None
    assert other is not None
    assert rows(one) != rows(other)


@pytest.mark.parametrize(("share", "said"), [(1.0, "validation"), (-0.1, "validation")])
def test_a_share_that_is_none_is_an_error(share: float, said: str) -> None:
    with pytest.raises(SpecError, match=said):
        DataSpec.parse({"validation": share}, "data")


def test_a_share_that_leaves_nothing_to_train_on_is_an_error() -> None:
    with pytest.raises(DataError, match=r"validation = 0\.99 holds out 2, which leaves 0.*another data\.validation"):
        load(DataSpec(limit=2, validation=0.99))


def test_of_images_at_hand_a_share_is_kept_back_too() -> None:
    images = np.random.default_rng(0).integers(0, 256, (50, 8, 8, 1), dtype=np.uint8)
    spec = RunSpec.parse({"data": {"validation": 0.2}}, "")
    data = as_data(images, spec)
    assert data.validation is not None
    assert (len(data.train.images), len(data.validation.images), len(data.test.images)) == (28, 7, 15)
    assert len(rows(data.train) | rows(data.validation) | rows(data.test)) == 50


def test_of_a_folder_a_share_is_kept_back_too(tmp_path: Path) -> None:
    from PIL import Image

    for number in range(20):
        Image.new("L", (8, 8), number * 10).save(tmp_path / f"{number:02}.png")
    spec = DataSpec(name="image_folder", path=str(tmp_path), validation=0.25)
    first, again = load(spec), load(spec)
    assert first.validation is not None
    assert again.validation is not None
    assert (len(first.train.images), len(first.validation.images), len(first.test.images)) == (10, 4, 6)
    assert rows(first.validation) == rows(again.validation), "from the cache"
