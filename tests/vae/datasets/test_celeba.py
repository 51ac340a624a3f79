from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from sklearn.model_selection import train_test_split

from vae.datasets import Data, Split, check, fingerprint, load
from vae.errors import DataError
from vae.spec import DataSpec

NAMES = [f"{i:06}.jpg" for i in range(1, 21)]
SMILING = [1 if i % 3 else -1 for i in range(20)]


def face(number: int) -> np.ndarray:
    """Return a plain image, told from a blank one by a step in its middle."""
    pixels = np.full((109, 89, 3), 10 * number, np.uint8)
    pixels[50:] += 3
    return pixels


def faces(encoded: Callable[..., bytes]) -> dict[str, bytes]:
    """Images whose brightness tells their number."""
    return {f"img_align_celeba/{name}": encoded(face(i), "jpg") for i, name in enumerate(NAMES)}


def attributes(rows: Mapping[str, int]) -> bytes:
    lines = [str(len(rows)), "Male Smiling Young ", *(f"{name} -1  {value}  1" for name, value in rows.items())]
    return "\n".join(lines).encode()


def numbers(split: Split) -> list[int]:
    return np.rint(split.images.mean((1, 2, 3)) / 10).astype(int).tolist()


def spec(path: Path, **settings: object) -> DataSpec:
    return DataSpec(name="celeba", path=str(path), **settings)


@pytest.fixture
def folder(tmp_path: Path, encoded: Callable[..., Any], write: Callable[..., Any]) -> Path:
    return write(tmp_path / "celeba", faces(encoded))


def test_without_lists_it_is_the_plain_seeded_split(folder: Path) -> None:
    data = load(spec(folder))
    train, test = train_test_split(np.arange(20), test_size=0.3, random_state=42)
    assert (numbers(data.train), numbers(data.test)) == (sorted(train), sorted(test))
    assert data.shape == (64, 64, 3)
    assert data.train.labels is None


@pytest.mark.parametrize("place", ["", "img_align_celeba", ".."])
def test_the_label_is_the_smile_and_leaves_the_split_alone(place: str, folder: Path, write: Callable[..., Any]) -> None:
    plain = load(spec(folder / "img_align_celeba"))
    if place == "..":
        place = "../celeba"  # beside the images' folder
    write(folder / place, {"list_attr_celeba.txt": attributes(dict(zip(NAMES, SMILING, strict=True)))})
    data = load(spec(folder / "img_align_celeba"))
    assert numbers(data.test) == numbers(plain.test)
    assert data.class_names == ("not smiling", "smiling")
    assert data.train.labels.tolist() == [int(SMILING[i] == 1) for i in numbers(data.train)]
    assert data.checksum != plain.checksum


def test_a_zip_file_and_the_folder_it_lies_in_give_the_same(
    tmp_path: Path, encoded: Callable[..., Any], pack: Callable[..., Any], write: Callable[..., Any], folder: Path
) -> None:
    (tmp_path / "down").mkdir()
    packed = pack(tmp_path / "down" / "img_align_celeba.zip", faces(encoded))
    for place in (folder, tmp_path / "down"):
        write(place, {"list_attr_celeba.txt": attributes(dict(zip(NAMES, SMILING, strict=True)))})
    checksums = {load(spec(path)).checksum for path in (packed, tmp_path / "down", folder)}
    assert len(checksums) == 1


def test_the_official_partition_is_kept_and_validation_left_out(folder: Path, write: Callable[..., Any]) -> None:
    parts = {name: (0, 0, 1, 2)[i % 4] for i, name in enumerate(NAMES)}
    write(folder, {"list_eval_partition.txt": "\n".join(f"{name} {part}" for name, part in parts.items()).encode()})
    data = load(spec(folder))
    assert numbers(data.train) == [i for i in range(20) if i % 4 < 2]
    assert numbers(data.test) == [i for i in range(20) if i % 4 == 3]
    assert data.checksum == fingerprint(spec(folder, split_seed=1))  # nothing is drawn


PARTS = {name: (0, 0, 1, 2)[i % 4] for i, name in enumerate(NAMES)}
LISTS = {
    "list_eval_partition.txt": "\n".join(f"{name} {part}" for name, part in PARTS.items()).encode(),
    "list_attr_celeba.txt": attributes(dict(zip(NAMES, SMILING, strict=True))),
}
TABLES = {
    "list_eval_partition.csv": b"image_id,partition\r\n"
    + "".join(f"{name},{part}\r\n" for name, part in PARTS.items()).encode(),
    "list_attr_celeba.csv": "\ufeffimage_id,Male,Smiling\r\n".encode()
    + "".join(f"{name},-1,{value}\r\n" for name, value in zip(NAMES, SMILING, strict=True)).encode(),
}


def below(folder: str, files: Mapping[str, bytes]) -> dict[str, bytes]:
    return {f"{folder}/{name}": content for name, content in files.items()}


OFFICIAL = {"Eval/list_eval_partition.txt": LISTS["list_eval_partition.txt"]} | {
    "Anno/list_attr_celeba.txt": LISTS["list_attr_celeba.txt"]
}


@pytest.mark.parametrize(
    ("images_in", "lists", "given"),
    [
        ("celeba", below("celeba", LISTS), "celeba"),
        ("celeba", below("celeba", LISTS), ""),
        ("celeba", below("celeba", LISTS), "celeba/img_align_celeba"),
        ("img_align_celeba", TABLES, ""),
        ("img_align_celeba", TABLES, "img_align_celeba"),
        ("img_align_celeba", TABLES, "img_align_celeba/img_align_celeba"),
        ("Img", OFFICIAL, ""),
        ("Img", OFFICIAL, "Img"),
        ("Img", OFFICIAL, "Img/img_align_celeba"),
    ],
)
def test_the_lists_are_found_where_copies_keep_them(
    images_in: str,
    lists: dict[str, bytes],
    given: str,
    tmp_path: Path,
    encoded: Callable[..., Any],
    write: Callable[..., Any],
) -> None:
    write(tmp_path, below(images_in, faces(encoded)) | lists)
    is_official(load(spec(tmp_path / given)))


def is_official(data: Data) -> None:
    assert numbers(data.train) == [i for i in range(20) if i % 4 < 2]
    assert numbers(data.test) == [i for i in range(20) if i % 4 == 3]
    assert data.test.labels.tolist() == [int(SMILING[i] == 1) for i in numbers(data.test)]
    assert data.notices == ()


@pytest.mark.parametrize(
    ("copy", "given"),
    [
        (("archive.zip", below("img_align_celeba", TABLES), {}), "archive.zip"),
        (("archive.zip", TABLES, {}), ""),
        (("celeba.zip", below("celeba", LISTS), {}), "celeba.zip"),
        (("Img/img_align_celeba.zip", {}, OFFICIAL), "Img"),
        (("Img/img_align_celeba.zip", {}, OFFICIAL), "Img/img_align_celeba.zip"),
        (("Img/img_align_celeba.zip", {}, OFFICIAL), ""),
        (("celeba/img_align_celeba.zip", {}, below("celeba", LISTS)), ""),
    ],
)
def test_the_lists_are_found_in_and_around_a_zip_file(
    copy: tuple[str, dict[str, bytes], dict[str, bytes]],
    given: str,
    tmp_path: Path,
    encoded: Callable[..., Any],
    write: Callable[..., Any],
    pack: Callable[..., Any],
) -> None:
    name, inside, outside = copy
    write(tmp_path, outside)
    (tmp_path / name).parent.mkdir(exist_ok=True)
    pack(tmp_path / name, faces(encoded) | inside)
    is_official(load(spec(tmp_path / given)))


@pytest.mark.parametrize(
    ("lists", "given", "expected"),
    [
        ({}, "", "c866288b68e50d6a"),
        (LISTS, "", "71fe74fbb420c9f4"),
        ({"list_eval_partition.txt": LISTS["list_eval_partition.txt"]}, "img_align_celeba", "ceabe1311ea17a99"),
        (
            below("img_align_celeba", {"list_attr_celeba.txt": LISTS["list_attr_celeba.txt"]}),
            "img_align_celeba",
            "00e6eedeb73f07b5",
        ),
    ],
)
def test_checksums_of_lists_that_were_always_found_never_change(
    lists: dict[str, bytes], given: str, expected: str, tmp_path: Path, write: Callable[..., Any]
) -> None:
    folder = write(tmp_path / "celeba", {f"img_align_celeba/{name}": name.encode() for name in NAMES} | lists)
    assert fingerprint(spec(folder / given))[:16] == expected


def test_images_of_another_ending_go_with_the_lists(
    tmp_path: Path, encoded: Callable[..., Any], write: Callable[..., Any]
) -> None:
    images = {f"{name[:-4]}.png": encoded(face(i)) for i, name in enumerate(NAMES)}
    is_official(load(spec(write(tmp_path, images | LISTS))))


def test_lists_that_are_not_found_are_told(folder: Path, write: Callable[..., Any]) -> None:
    split, labels = load(spec(folder)).notices
    assert split.startswith("list_eval_partition.txt or .csv was not found in or near")
    assert split.endswith("the split is drawn, so that official test images may be trained on")
    assert labels.startswith("list_attr_celeba.txt or .csv was not found")
    write(folder, {"list_eval_partition.txt": "\n".join(f"{name} 1" for name in NAMES).encode()})
    split = next(notice for notice in load(spec(folder)).notices if "list_eval_partition" in notice)
    assert split.endswith("has none of these images in its test part: the split is drawn")


def test_a_partition_without_test_images_is_passed_over(folder: Path, write: Callable[..., Any]) -> None:
    plain = load(spec(folder))
    write(folder, {"list_eval_partition.txt": "\n".join(f"{name} 0" for name in NAMES).encode()})
    data = load(spec(folder))
    assert numbers(data.test) == numbers(plain.test)
    assert data.checksum == plain.checksum


def test_the_cut_is_central_and_of_the_sizes_proportions(
    tmp_path: Path, encoded: Callable[..., Any], write: Callable[..., Any]
) -> None:
    tall = np.zeros((109, 89, 3), np.uint8)
    tall[:10] = tall[99:] = 255  # just what a central square leaves out
    data = load(spec(write(tmp_path / "tall", {f"{i}.png": encoded(tall) for i in range(2)})))
    assert data.train.images.max() == 0
    wide = np.zeros((40, 80, 3), np.uint8)
    wide[:, :20] = wide[:, 60:] = 255
    folder = write(tmp_path / "wide", {f"{i}.png": encoded(wide) for i in range(2)})
    assert load(spec(folder, size=(20, 20))).train.images.max() == 0
    whole = load(spec(folder, size=(20, 40))).train.images
    assert whole.shape == (1, 20, 40, 3)
    assert whole[0, 0, 0, 0] == 255


def test_grey_faces_have_three_channels_too(
    tmp_path: Path, encoded: Callable[..., Any], write: Callable[..., Any]
) -> None:
    grey = encoded(np.zeros((109, 89), np.uint8), "jpg")
    assert load(spec(write(tmp_path, {"1.jpg": grey, "2.jpg": grey}))).shape == (64, 64, 3)


@pytest.mark.parametrize("place", ["celeba", "img_align_celeba", "celeba/img_align_celeba"])
def test_it_is_found_below_the_data_folder(
    place: str, empty_machine: Path, images: Callable[..., Any], write: Callable[..., Any]
) -> None:
    with pytest.raises(DataError, match=r"CelebA is not there: looked for .*celeba\.zip.*data\.path"):
        load(DataSpec(name="celeba"))
    write(empty_machine / place, images(["1.png", "2.png"], (16, 16)))
    assert load(DataSpec(name="celeba", size=(16, 16))).shape == (16, 16, 3)


def test_without_a_data_folder_a_path_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VAEBENCH_DATA")
    with pytest.raises(DataError, match=r"VAEBENCH_DATA is not set\. Set data\.path"):
        load(DataSpec(name="celeba"))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("list_attr_celeba.txt", b"", "not in the official format"),
        ("list_attr_celeba.txt", b"1\nMale Young\n", "Smiling among them"),
        ("list_attr_celeba.txt", attributes({"000001.jpg": 1}), r"has no row for 000002\.jpg"),
        ("list_attr_celeba.txt", attributes(dict.fromkeys(NAMES, 7)), "has '7' in column 2, expected one of -1, 1"),
        ("list_attr_celeba.txt", b"1\nMale Smiling\n000001.jpg 1", "has 'nothing' in column 2"),
        ("list_attr_celeba.txt", b"\xff\n\xff", "cannot be read as text"),
        ("list_eval_partition.txt", b"000001.jpg 0", r"has no row for 000002\.jpg"),
        ("list_eval_partition.txt", b"000001.jpg 3", "has '3' in column 1, expected one of 0, 1, 2"),
        ("list_eval_partition.txt", b"\xff", "cannot be read as text"),
        ("list_eval_partition.txt", "\n".join(f"{name} 2" for name in NAMES).encode(), "none of the 20 images is for"),
    ],
)
def test_a_wrong_list_is_named(
    name: str, content: bytes, message: str, folder: Path, write: Callable[..., Any]
) -> None:
    write(folder, {name: content})
    with pytest.raises(DataError, match=message) as caught:
        fingerprint(spec(folder))
    assert name in str(caught.value)


def test_check_reads_every_image(folder: Path) -> None:
    assert "14 training and 6 test images read, 64 x 64 x 3" in check("celeba", str(folder))
    Image.new("RGB", (9, 9)).save(folder / "img_align_celeba" / "000007.jpg")
    content = (folder / "img_align_celeba" / "000007.jpg").read_bytes()
    (folder / "img_align_celeba" / "000007.jpg").write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match=r"000007\.jpg"):
        check("celeba", str(folder))


def test_the_official_validation_part_is_what_choices_are_made_on(folder: Path, write: Callable[..., Any]) -> None:
    write(folder, LISTS)
    data = load(spec(folder, validation=0.1))
    is_official(data)
    assert data.validation is not None
    assert numbers(data.validation) == [i for i in range(20) if i % 4 == 2], "all of it, whatever the share"
    assert data.validation.labels.tolist() == [int(SMILING[i] == 1) for i in numbers(data.validation)]
    again = load(spec(folder, validation=0.1))
    assert again.validation is not None
    assert numbers(again.validation) == numbers(data.validation), "from the cache"
    small = load(spec(folder, validation=0.4, limit=5))
    assert small.validation is not None
    assert (len(small.train.images), len(small.validation.images)) == (5, 2), "a small try stays small"


def test_without_an_official_part_a_share_is_drawn(folder: Path) -> None:
    data = load(spec(folder, validation=0.25))
    assert data.validation is not None
    assert (len(data.train.images), len(data.validation.images), len(data.test.images)) == (10, 4, 6)
    assert not set(numbers(data.validation)) & {*numbers(data.train), *numbers(data.test)}
