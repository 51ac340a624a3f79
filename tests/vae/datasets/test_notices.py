"""What a user is told of images that can be read, but may not be what they are taken for."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from vae.datasets import check, load
from vae.datasets._formats import what_it_is
from vae.datasets._notices import Depth, of_depths, of_pixels
from vae.errors import DataError
from vae.spec import DataSpec

RANDOM = np.random.default_rng(0)


def told(folder: Path, **settings: Any) -> tuple[str, ...]:
    """Return the notices of the first load, which a second and a check repeat."""
    spec = DataSpec(name="image_folder", path=str(folder), **settings)
    first = load(spec).notices
    assert load(spec).notices == first  # from the cache
    if not settings:
        lines = check("image_folder", str(folder))
        assert [line.removeprefix("notice: ") for line in lines if line.startswith("notice: ")] == list(first)
    return first


def deep(low: int, high: int) -> NDArray[np.uint16]:
    pixels = RANDOM.integers(low, high, (32, 32), np.uint16)
    pixels[0, :2] = low, high - 1
    return pixels


@pytest.fixture
def write_deep(tmp_path: Path, encoded: Callable[..., bytes]) -> Callable[[int, int], Path]:
    """Return a function that makes six 16-bit images with values from low to high, and gives their folder."""

    def write(low: int, high: int) -> Path:
        for index in range(6):
            (tmp_path / f"{index}.tif").write_bytes(encoded(deep(low, high), "tif"))
        return tmp_path

    return write


def test_deep_images_that_become_constant_are_told(write_deep: Callable[..., Path]) -> None:
    assert told(write_deep(6, 45)) == (
        "16-bit images reach 44 of 65,535: 1 grey level is left of 256. Rescale them so that they fill the range",
        "all 6 images are constant, each of one colour: there is nothing to be learned from them",
    )


def test_deep_images_that_keep_few_levels_are_told(write_deep: Callable[..., Path]) -> None:
    assert told(write_deep(0, 4096)) == (
        "16-bit images reach 4,095 of 65,535: 17 grey levels are left of 256. Rescale them so that they fill the range",
        (
            "pixels reach from 0 to 16 of 0 to 255, 17 levels: hardly any contrast. Rescale them, unless they are "
            "meant to be so"
        ),
    )


def test_deep_images_that_fill_their_range_are_not_worth_a_word(write_deep: Callable[..., Path]) -> None:
    assert told(write_deep(0, 65536)) == ()


def test_two_levels_of_16_bits_are_two_levels_of_8() -> None:
    assert list(of_depths([Depth(16, 65535, 2)], np.array([[[0, 255]]], np.uint8))) == []


def images_of(*values: int, spread: int = 200) -> NDArray[np.uint8]:
    """Return noise, and constant images of these values."""
    noise = RANDOM.integers(0, spread, (5, 8, 8, 3), np.uint8)
    return np.concatenate([noise, *(np.full((1, 8, 8, 3), value, np.uint8) for value in values)])


def test_constant_images_are_counted() -> None:
    assert of_pixels(images_of(), images_of()) == ()
    assert of_pixels(images_of(3), images_of(0, 255)) == ("3 of 13 images are constant, each of one colour",)
    red = np.zeros((1, 8, 8, 3), np.uint8)
    red[..., 0] = 200
    assert of_pixels(images_of(), red) == ("1 of 6 images are constant, each of one colour",)


def test_a_range_without_contrast_is_told() -> None:
    (notice,) = of_pixels(images_of(spread=2))
    assert notice.startswith("pixels reach from 0 to 1 of 0 to 255, 2 levels: hardly any contrast")
    masks = np.where(images_of(spread=2) > 0, 255, 0).astype(np.uint8)
    assert of_pixels(masks) == ()


def pages(count: int, kind: str) -> bytes:
    frames = [Image.fromarray(RANDOM.integers(0, 256, (16, 16), np.uint8)) for _ in range(count)]
    buffer = io.BytesIO()
    frames[0].save(buffer, kind, save_all=True, append_images=frames[1:])
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["tiff", "gif", "png", "webp"])
def test_pages_and_frames_that_are_not_read_are_told(kind: str, tmp_path: Path) -> None:
    for index in range(2):
        (tmp_path / f"{index}.{kind}").write_bytes(pages(30, kind))
    assert told(tmp_path) == (
        "2 files hold 60 pages or frames; the first of each is read. Save each as a file of its own to have them all",
    )
    (tmp_path / f"0.{kind}").write_bytes(pages(1, kind))
    (notice,) = told(tmp_path)
    assert notice.startswith("1 file holds 30 pages or frames; the first of them is read")


def sized(folder: Path, sizes: list[tuple[int, int]], encoded: Callable[..., bytes]) -> Path:
    for index, size in enumerate(sizes):
        (folder / f"{index}.png").write_bytes(encoded(RANDOM.integers(0, 256, size, np.uint8)))
    return folder


def test_a_size_that_nobody_chose_is_told(tmp_path: Path, encoded: Callable[..., bytes]) -> None:
    sized(tmp_path, [(80 + 10 * i, 100 + 10 * i) for i in range(20)], encoded)
    assert told(tmp_path) == (
        (
            "images of 20 sizes are stretched to 270 x 290, which only 1 of 20 has. Choose one with data.size = "
            "[height, width]"
        ),
        (
            "images of 270 x 290 pixels make large networks and long trainings. Choose a smaller size with data.size = "
            "[height, width], such as [64, 64]"
        ),
    )
    assert told(tmp_path, size=(32, 32)) == ()


def test_a_size_that_most_images_have_is_a_choice(tmp_path: Path, encoded: Callable[..., bytes]) -> None:
    assert told(sized(tmp_path, [(16, 16)] * 3 + [(16, 17), (18, 19)], encoded)) == ()
    assert told(sized(tmp_path, [(16, 16)] * 2 + [(16, 17), (18, 19), (20, 20)], encoded)) == (
        (
            "images of 4 sizes are stretched to 16 x 16, which only 2 of 5 have. Choose one with data.size = [height, "
            "width]"
        ),
    )


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "is empty (0 bytes)"),
        (bytes(4096), "is nothing but 4,096 zero bytes, as a failed copy leaves them"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n", "is a Git LFS pointer"),
        (b"\r\n<!DOCTYPE html><html><body>404</body></html>", "is a web page, as a failed download leaves it"),
        (b"<?xml version='1.0'?>\n<svg xmlns='...'/>", "is an SVG drawing"),
        (b"\0\0\0\x20ftypheic", "is a HEIC image"),
        (b"\0\0\0\x20ftypavif", "is an AVIF image"),
        (b"\0\0\0\x0cjP  \r\n\x87\n", "is a JPEG 2000 image"),
        (bytes(128) + b"DICM", "is a DICOM file"),
        (b"%PDF-1.7", "is a PDF document"),
        (b"PK\3\4....", "is a zip file"),
        (b"\x89PNG\r\n\x1a\n" + bytes(20), "is a PNG file, but damaged or of a kind that is not read"),
        (b"\xff\xd8\xff\xe0", "is a JPEG file, but damaged"),
        (b"II*\0\xff\xff\xff\xff", "is a TIFF file, but damaged"),
        (b"hello", "no readable image: none of A, B"),
    ],
)
def test_what_is_no_image_is_called_what_it_is(content: bytes, expected: str) -> None:
    assert what_it_is(content, "A, B").startswith(expected)


def test_files_that_are_no_images_are_named_as_what_they_are(
    tmp_path: Path, images: Callable[..., Any], write: Callable[..., Any]
) -> None:
    write(tmp_path, images(["1.png", "2.png"]) | {"3.png": b"", "4.png": b"version https://git-lfs.github.com/spec/v1"})
    with pytest.raises(DataError, match=r"3\.png: is empty \(0 bytes\)\n  4\.png: is a Git LFS pointer.*git lfs pull"):
        load(DataSpec(name="image_folder", path=str(tmp_path)))
