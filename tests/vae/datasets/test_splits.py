import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vae.datasets import fingerprint, load
from vae.datasets._splits import layout_of, trained_on_too
from vae.errors import DataError
from vae.spec import DataSpec

WHERE = Path("photos")


def images(*folders: str, count: int = 2) -> list[str]:
    """Names of images in folders, in order."""
    return sorted(f"{folder}/{i}.png" for folder in folders for i in range(count))


def sides(names: list[str]) -> tuple[dict[str, int], dict[str, int]]:
    """Training and test images by class, empty where there is none."""
    layout = layout_of(WHERE, names)
    assert layout.training is not None
    classes = layout.classes or ("",) * len(layout.names)
    train, test = classes[: layout.training], classes[layout.training :]
    return {name: train.count(name) for name in set(train)}, {name: test.count(name) for name in set(test)}


@pytest.mark.parametrize(
    ("train", "test"),
    [
        ("train", "test"),
        ("Train", "Test"),
        ("TRAIN", "test"),
        ("training", "testing"),
        ("Training", "Testing"),
        ("training_set", "test_set"),
        ("trainset", "testset"),
        ("seg_train", "seg_test"),
        ("train2017", "test2017"),
        ("trainA", "testA"),
        ("train_images", "test-images"),
        ("data train", "data test"),
        ("trainval", "test"),
        ("train", "val"),
        ("train", "valid"),
        ("Train", "Validation"),
        ("train2017", "val2017"),
        ("train", "dev"),
        ("images/train", "images/val"),
        ("set/images/Train", "set/images/Val"),
    ],
)
def test_usual_names_are_a_split(train: str, test: str) -> None:
    names = images(f"{train}/ants", f"{train}/bees", count=3) + images(f"{test}/ants", f"{test}/bees")
    assert sides(names) == ({"ants": 3, "bees": 3}, {"ants": 2, "bees": 2})


@pytest.mark.parametrize(
    ("folders", "classes"),
    [
        (["{}/images/a", "{}/images/b"], ["a", "b"]),  # what says nothing is no class
        (["{0}/{0}/a", "{0}/{0}/b"], ["a", "b"]),  # as archives are packed
        (["a/{}", "b/{}"], ["a", "b"]),  # classes first
        (["a/more/{}/x", "b/more/{}/y"], ["a", "b"]),
        (["{}/a/images", "{}/b/images"], ["a", "b"]),
        (["archive_{}/{}/a", "archive_{}/{}/b"], ["a", "b"]),
        (["{}/images"], [""]),
        (["{}"], [""]),
    ],
)
def test_a_split_is_found_at_any_depth_and_classes_beside_it(folders: list[str], classes: list[str]) -> None:
    train, test = ([folder.format(side, side) for folder in folders] for side in ("seg_train", "seg_test"))
    names = images(*train, count=3) + images(*test)
    assert sides(names) == (dict.fromkeys(classes, 3), dict.fromkeys(classes, 2))


def test_a_third_split_is_left_out_and_counted() -> None:
    names = images("train/a", "train/b", "test/a", "test/b") + images("val/a", "val/b", "pred", count=5)
    layout = layout_of(WHERE, names)
    assert set(layout.names) == set(images("train/a", "train/b", "test/a", "test/b"))
    assert layout.notices == ("images left out, neither trained on nor tested: 15 in pred/, val/",)


def test_validation_is_the_test_where_there_is_none_and_that_is_told() -> None:
    layout = layout_of(WHERE, images("train/a", "train/b", "val/a", "val/b"))
    assert layout.training == 4
    assert layout.notices == ("val/ is taken as the test: there is no other",)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (images("train/a", "Train/a", "test/a"), "Train/ and train/ both look like the training images"),
        (images("trainA", "trainB", "testA", "testB"), "trainA/ and trainB/ both look like the training images"),
        (images("train", "val", "valid"), "val/ and valid/ both look like the validation images"),
        (images("train/a", "test/a", "test_2/a"), "test/ and test_2/ both look like the test images"),
        (
            images("cats/train", "cats/test", "dogs"),
            r"\*/train/ and \*/test/, but images beside them too, such as dogs",
        ),
        (images("train", "more"), "train/ is called like one side of a split, but nothing beside it is the other"),
        (images("val", "test"), "test/ is called like one side of a split"),
        (images("cat", "Testing"), "Testing/ is called like one side of a split"),
        (
            images("GT_Final_Training_Images", "GT_Final_Test_Images"),
            "Training_Images/ and .*Test_Images/ are called like",
        ),
        (
            images("cats-train", "dogs-train", "cats-val", "dogs-val"),
            "cats-train/ and cats-val/ are called like the two",
        ),
        (images("train/a", "train/b", "test"), r"test/ has no class folders \(test/0\.png\), but train/ has: a, b"),
        (images("train", "test/a", "test/b"), r"train/ has no class folders \(train/0\.png\), but test/ has: a, b"),
        (images("train/a/images", "train/b/images", "val/images", "test/images"), "test/ has no class folders"),
        (images("train/a", "train/b", "test/unknown"), r"test/ has no class folders \(test/unknown/0\.png\)"),
        ([*images("train/a", "train/b", "test/a"), "train/0.png"], r"1 images lie beside .* such as train/0\.png"),
    ],
)
def test_what_can_be_read_in_two_ways_is_refused(names: list[str], message: str) -> None:
    with pytest.raises(DataError, match=message):
        layout_of(WHERE, sorted(names))


@pytest.mark.parametrize(
    "folder", ["class train", "test track", "restrain", "testimony", "valid", "Dev", "Vala", "contest", "untrained"]
)
def test_names_that_only_contain_a_splits_are_classes(folder: str) -> None:
    layout = layout_of(WHERE, images("cat", folder))
    assert set(layout.classes) == {"cat", folder}
    assert (layout.training, layout.settings) == (None, {})


def test_classes_are_found_where_there_is_only_train() -> None:
    assert set(layout_of(WHERE, images("train/cats", "train/dogs")).classes) == {"cats", "dogs"}
    assert set(layout_of(WHERE, images("train/images/cats", "train/images/dogs")).classes) == {"cats", "dogs"}
    assert layout_of(WHERE, images("train")).classes == ()


def test_two_spellings_of_one_name_are_one_class() -> None:
    composed, decomposed = "caf\u00e9", "cafe\u0301"
    layout = layout_of(WHERE, images(composed, decomposed, "tea"))
    assert set(layout.classes) == {composed, "tea"}
    assert "spelt in two ways of Unicode" in layout.notices[0]
    split = layout_of(WHERE, images(f"train/{decomposed}", "train/tea", f"test/{composed}", "test/tea"))
    assert set(split.classes) == {composed, "tea"}
    assert set(layout_of(WHERE, images(decomposed, "tea")).classes) == {decomposed, "tea"}  # as it always was


def test_classes_without_a_training_image_are_told() -> None:
    layout = layout_of(WHERE, images("train/good", "test/bad", "test/good", "test/worse"))
    assert layout.notices == ("2 of 3 classes of test/ have no training image: bad",)


def test_a_side_with_one_class_called_by_a_number_keeps_it() -> None:
    assert sides(images("train/0", "train/1", "test/0")) == ({"0": 2, "1": 2}, {"0": 2})


def test_folders_that_sound_like_masks_are_told() -> None:
    assert "annotations/ is taken for a class" in layout_of(WHERE, images("annotations", "images")).notices[0]
    assert layout_of(WHERE, images("mask", "no mask")).notices == ()


def test_copies_on_both_sides_are_counted() -> None:
    hashes = {"a": "1", "b": "2", "c": "1", "d": "3", "e": "2"}
    (notice,) = trained_on_too(hashes, ["a", "b"], ["c", "d", "e"])
    assert notice == "2 of 3 test images are trained on too, byte for byte: c is a"
    assert trained_on_too(hashes, ["a", "c"], ["b", "e"]) == []


def sample(*folders: str) -> list[str]:
    return images(*folders, count=4)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ([f"{i}.png" for i in range(10)], "6540e3f2f658a31f"),
        (sample("a", "b"), "d321159b9ababfc5"),
        (sample("a", "b", "c"), "f449d10cb3e6085c"),
        (sample("e\u0301t\u0301", "zz", "\u00fc"), "2df91780c5a36b2c"),
        (["train/a/1.png", "train/b/2.png", "test/b/3.png", "train/b/5.png"], "dbc62480c15e695d"),
        (
            ["train/a/1.png", "train/b/2.png", "test/b/3.png", "val/a/4.png", "valid/a/1.png"],
            "196a7af79d034770",
        ),
        (["train/1.png", "train/2.png", "test/3.png"], "c1120f3bbffae0c1"),
        (["top/train/1.png", "top/train/2.png", "top/test/3.png"], "4217bd3c730de9fd"),
        (["train/images/1.png", "train/images/2.png", "test/images/3.png"], "cfcfc2b6a371cc13"),
        (["train/0.png", "train/1.png", "train/2.png"], "f07cc1a327cd500e"),
        (sample("Train/a", "Train/b"), "61d17f7c4887dc76"),
        (["train/good/1.png", "train/good/2.png", "test/good/1.png", "test/bad/2.png"], "ea307407a5c666f4"),
        (["train/a/1.png", "train/b/2.png", "test/c/1.png", "test/d/2.png"], "537184edc684f52a"),
        (["cats/x/1.png", "cats/y/2.png", "dogs/x/1.png", "dogs/x/2.png"], "4f68f9b56a1bd94a"),
    ],
)
def test_checksums_of_what_was_read_rightly_never_change(
    names: list[str], expected: str, tmp_path: Path, write: Callable[..., Any]
) -> None:
    folder = write(tmp_path, {name: name.encode() for name in names})
    assert fingerprint(DataSpec(name="image_folder", path=str(folder)))[:16] == expected


@pytest.mark.parametrize(
    ("names", "before"),
    [
        (sample("train/a", "train/b", "val/a", "val/b"), "ec60ff84"),
        (sample("train/cats", "train/dogs"), "e8b15cbe"),
        (sample("train/images/a", "train/images/b", "test/images/a", "test/images/b"), "1eda1fd3"),
        (sample("cafe\u0301", "caf\u00e9", "tea"), "5652c640"),
        ([f"{i:02}/0.png" for i in range(20)], "ff6401f5"),
    ],
)
def test_checksums_of_what_is_read_otherwise_do(
    names: list[str], before: str, tmp_path: Path, write: Callable[..., Any]
) -> None:
    folder = write(tmp_path, {name: name.encode() for name in names})
    assert not fingerprint(DataSpec(name="image_folder", path=str(folder))).startswith(before)


def test_notices_reach_whoever_loads(tmp_path: Path, write: Callable[..., Any], encoded: Callable[..., Any]) -> None:
    content = encoded(np.zeros((8, 8), np.uint8))
    folder = write(tmp_path, {"train/1.png": content, "val/1.png": content, "val/notes.heic": b""})
    data = load(DataSpec(name="image_folder", path=str(folder)))
    said = "\n".join(data.notices)
    assert re.search(r"1 \.heic file passed over, such as val/notes\.heic", said)
    assert "val/ is taken as the test" in said
    assert "1 of 1 test images is trained on too, byte for byte: val/1.png is train/1.png" in said
