"""Damaged images, archives and arrays: each is read, or refused with one error, and nothing is on the screen.

A number stands for a mutation; the one that a failure names gives the same bytes again.
"""

import contextlib
import io
import random
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from files import bmp, chunk, exif, png, tiff, xmp
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from vae.datasets import load
from vae.datasets._formats import read_anew, what_it_is
from vae.datasets._images import read_images
from vae.datasets._pixels import Rules
from vae.datasets._trees import open_tree
from vae.errors import DataError, SpecError
from vae.spec import DataSpec

EACH = 10  # mutations of an example
SIDE = 8
PIXELS = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), np.uint8)
DEEP = PIXELS[..., 0].astype(np.uint16) * 257

many = settings(
    max_examples=400,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def saved(kind: str, pixels: np.ndarray = PIXELS, mode: str | None = None, **options: Any) -> bytes:
    image, buffer, told = Image.fromarray(pixels), io.BytesIO(), Image.Exif()
    told[0x0112] = 6
    if kind in {"JPEG", "PNG", "TIFF", "WEBP"}:
        options["exif"] = told
    (image.convert(mode) if mode else image).save(buffer, kind, **options)
    return buffer.getvalue()


def animated(kind: str) -> bytes:
    return saved(kind, save_all=True, append_images=[Image.fromarray(PIXELS[::-1])])


def whole_images() -> Mapping[str, list[bytes]]:
    """Return images of every kind that is read, by the ending of their names."""
    rows = [bytes(range(8 * row, 8 * row + 8)) for row in range(8)]
    grey = {256: SIDE, 257: SIDE, 262: 0, 277: 1, 278: SIDE}
    planes = [DEEP.tobytes()] * 3
    profile = zlib.compress(b"\nexif\n      32\n" + (b"Exif\0\0" + exif(6)).hex().encode())
    return {
        "jpg": [saved("JPEG"), saved("JPEG", mode="CMYK"), saved("JPEG", mode="L", progressive=True)],
        "png": [
            *(saved("PNG", mode=mode) for mode in ("1", "L", "LA", "P", "RGB", "RGBA")),
            saved("PNG", DEEP),
            animated("PNG"),
            png(2, 0, 8, [b"\x1b\x1b"] * 8, chunk(b"tRNS", b"\0\1"), chunk(b"eXIf", exif(6))),
            png(16, 2, 1, [bytes(6)] * 8, chunk(b"tRNS", bytes(6))),
            png(8, 0, 8, rows, chunk(b"zTXt", b"Raw profile type exif\0\0" + profile)),
            png(8, 0, 8, rows, chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(xmp(6)))),
        ],
        "tif": [
            *(saved("TIFF", compression=name) for name in (None, "tiff_lzw", "tiff_deflate", "jpeg", "packbits")),
            saved("TIFF", mode="1", compression="group4"),
            saved("TIFF", DEEP),
            saved("TIFF", DEEP.astype(np.float32)),
            animated("TIFF"),
            saved("TIFF", DEEP, big_tiff=True),
            tiff(planes, {256: SIDE, 257: SIDE, 258: (16,) * 3, 262: 2, 277: 3, 278: SIDE, 284: 2}),
            tiff(planes[:1], grey | {258: 16}),
            tiff([bytes(96)], grey | {258: 12, 262: 1}),
            tiff([bytes(64)], grey | {258: 8, 339: 2}),
            tiff([bytes(128)], grey | {258: (8, 8), 262: 1, 277: 2, 338: 1}),
        ],
        "webp": [saved("WEBP"), saved("WEBP", lossless=True), animated("WEBP")],
        "gif": [saved("GIF"), animated("GIF")],
        "bmp": [saved("BMP"), bmp([bytes([1, 2, 3, 0])] * 64, 8, (0xFF0000, 0xFF00, 0xFF, 0xFF000000))],
        "ppm": [saved("PPM"), b"P3 8 8 255 " + b"1 2 3 " * 64, b"P5 8 8 4095 " + DEEP.byteswap().tobytes()],
    }


def mutated(content: bytes, chance: random.Random) -> bytes:
    """Return content with up to four pieces changed, cut out, doubled or put in, or its end cut off."""
    changed = bytearray(content)
    for _ in range(chance.randint(1, 4)):
        # Headers decide more than pixels do: half of the changes are made to the beginning or the end.
        place = chance.choice([chance.randint(0, 80), -chance.randint(1, 120), chance.randint(0, len(changed) or 1)])
        start = min(place % max(len(changed), 1), len(changed))
        end = min(start + chance.choice([0, 1, 1, 2, 4, 8, 40]), len(changed))
        piece = chance.choice(
            [b"", b"\xff", b"\0", b"\0\0\0\0", b"\xff" * 4, b"\x80", chance.randbytes(4), bytes(changed[start:end]) * 2]
        )
        if chance.random() < 0.1:
            del changed[end:]
        else:
            changed[start:end] = piece
    return bytes(changed)


IMAGES = [(suffix, content) for suffix, contents in whole_images().items() for content in contents]


@pytest.fixture(autouse=True)
def _nothing_on_the_screen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Iterator[None]:
    (tmp_path / "no cache").write_text("")
    monkeypatch.setenv("VAEBENCH_CACHE", str(tmp_path / "no cache"))
    monkeypatch.setattr("vae.datasets._pixels._LARGEST_IMAGE", 2**20)  # what is larger only takes longer
    yield
    assert capfd.readouterr() == ("", "")


def test_the_images_are_whole_to_begin_with(tmp_path: Path) -> None:
    read = 0
    for index, (suffix, content) in enumerate(IMAGES):
        folder = tmp_path / str(index)
        folder.mkdir()
        (folder / f"a.{suffix}").write_bytes(content)
        with contextlib.suppress(DataError):
            read_images(open_tree(folder), [f"a.{suffix}"], Rules())
            read += 1
    # Floating-point and signed pixels and a transparent colour of 16 bits are refused; older Pillow knows no
    # premultiplied grey.
    assert read >= len(IMAGES) - 4


@many
@given(st.integers(0, 2**32 - 1))
def test_a_damaged_image_is_read_or_refused(tmp_path: Path, number: int) -> None:
    chance = random.Random(number)  # noqa: S311 - nothing is to be kept secret
    for _ in range(EACH):
        suffix, content = chance.choice(IMAGES)
        content = mutated(content, chance)
        (tmp_path / f"a.{suffix}").write_bytes(content)
        tree = open_tree(tmp_path)
        assert read_anew(content) in {True, False}
        assert what_it_is(content, "PNG")
        try:
            pixels, _ = read_images(tree, [f"a.{suffix}"], Rules())
        except DataError as error:
            assert f"a.{suffix}: " in str(error)  # noqa: PT017 - either outcome is fine, a third is not
        else:
            assert pixels.dtype == np.uint8
        (tmp_path / f"a.{suffix}").unlink()


def archives() -> list[bytes]:
    found = []
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", method) as archive:
            for number, slash in enumerate("//\\"):
                member = zipfile.ZipInfo("x")
                member.filename, member.create_system, member.compress_type = f"c{slash}{number}.png", 0, method
                archive.writestr(member, saved("PNG", np.roll(PIXELS, number)))
        found.append(buffer.getvalue())
    return found


def numpy_files() -> list[bytes]:
    found = []
    images, labels = np.stack([PIXELS] * 6), np.arange(6) % 2
    for save, arrays in (
        (np.savez, {"images": images, "labels": labels}),
        (np.savez_compressed, {"x_train": images / 255, "x_test": images / 255, "val_images": images}),
        (np.savez, {"images": images[..., 0] > 9, "labels": np.array(["a", "b"])[labels]}),
        (np.savez, {"images": images, "labels": labels, "class_names": np.array([b"cat", b"dog"])}),
        (np.savez, {"images": images, "labels": labels.astype(float)}),
    ):
        buffer = io.BytesIO()
        save(buffer, **arrays)  # type: ignore[operator]
        found.append(buffer.getvalue())
    for array in (images, np.asfortranarray(images), (images / 255).astype(">f4")):
        buffer = io.BytesIO()
        np.save(buffer, array)
        found.append(buffer.getvalue())
    return found


def loads(name: str, path: Path, content: bytes) -> None:
    """Load a file; it is refused with an error that names it, or a setting, or gives images as it should."""
    path.write_bytes(content)
    try:
        data = load(DataSpec(name=name, path=str(path)))
    except (DataError, SpecError) as error:
        assert str(path) in str(error) or "cannot be split" in str(error)  # noqa: PT017
    else:
        assert data.train.images.dtype == np.uint8


SOURCES: Mapping[str, tuple[str, Callable[[], list[bytes]]]] = {
    "image_folder": ("x.zip", archives),
    "arrays": ("x.npz", numpy_files),
}


@pytest.mark.parametrize("name", SOURCES)
def test_archives_and_arrays_are_whole_to_begin_with(name: str, tmp_path: Path) -> None:
    file, make = SOURCES[name]
    for content in make():
        (tmp_path / file).write_bytes(content)
        assert len(load(DataSpec(name=name, path=str(tmp_path / file))).train.images)


@pytest.mark.parametrize("name", SOURCES)
@settings(many, max_examples=150)
@given(number=st.integers(0, 2**32 - 1))
def test_a_damaged_archive_or_array_is_read_or_refused(name: str, tmp_path: Path, number: int) -> None:
    file, make = SOURCES[name]
    chance, whole = random.Random(number), make()  # noqa: S311
    for _ in range(EACH):
        loads(name, tmp_path / file, mutated(chance.choice(whole), chance))
