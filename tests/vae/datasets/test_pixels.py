"""Pixels of kinds of files whose samples are easily taken for what they are not."""

import io
import os
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageOps, TiffImagePlugin

sys.path.append(str(Path(__file__).parent))  # test folders are no packages: this finds files.py

from files import bmp, chunk, exif, png, tiff, xmp

from vae.datasets import fingerprint, load
from vae.datasets._quiet import muted
from vae.errors import DataError
from vae.spec import DataSpec

RANDOM = np.random.default_rng(0)
SIDE = 16
WHITE = [255, 255, 255]


@pytest.fixture
def read(tmp_path: Path) -> Callable[[bytes, str], NDArray[Any]]:
    """Return a function that loads two copies of a file and gives the image."""

    def one(content: bytes, suffix: str) -> NDArray[Any]:
        for index in range(2):
            (tmp_path / f"{index}.{suffix}").write_bytes(content)
        data = load(DataSpec(name="image_folder", path=str(tmp_path)))
        assert np.array_equal(data.train.images, data.test.images)
        return data.train.images[0]

    return one


def strips(planes: NDArray[Any], order: str = "<", rows: int = SIDE) -> list[bytes]:
    """Return strips of some rows of each plane (bands, height, width), of 16 bits."""
    return [
        plane[start : start + rows].astype(f"{order}u2").tobytes() for plane in planes for start in range(0, SIDE, rows)
    ]


def plain(bits: int | tuple[int, ...], photometric: int, **more: Any) -> dict[int, Any]:
    bands = 1 if isinstance(bits, int) else len(bits)
    tags = {256: SIDE, 257: SIDE, 258: bits, 262: photometric, 277: bands, 278: SIDE}
    return tags | {int(tag[1:]): value for tag, value in more.items()}


DEEP = RANDOM.integers(0, 65536, (4, SIDE, SIDE), np.uint16)
FULL = DEEP[0].copy()
FULL[0, :2] = 0, 65535


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("rows", [SIDE, 5])
@pytest.mark.parametrize("packed", [False, True])
def test_16_bit_planes_are_put_together(order: str, rows: int, packed: bool, read: Callable[..., NDArray[Any]]) -> None:
    written = strips(DEEP[:3], order, rows)
    content = tiff(
        [zlib.compress(strip) for strip in written] if packed else written,
        plain((16, 16, 16), 2, _284=2, _278=rows, _259=8 if packed else 1),
        order,
    )
    assert np.abs(read(content, "tif") - np.moveaxis(DEEP[:3], 0, -1) / 257.0).max() <= 1


def test_16_bit_planes_with_transparency_are_put_together(read: Callable[..., NDArray[Any]]) -> None:
    content = tiff(strips(DEEP), plain((16, 16, 16, 16), 2, _284=2, _338=2))
    alpha = DEEP[3][..., None] / 65535
    expected = np.moveaxis(DEEP[:3], 0, -1) / 257 * alpha + 255 * (1 - alpha)
    assert np.abs(read(content, "tif") - expected).max() <= 2


@pytest.mark.parametrize("bits", [8, 16])
def test_white_is_zero_where_the_file_says_so(bits: int, read: Callable[..., NDArray[Any]]) -> None:
    stored = FULL if bits == 16 else FULL.astype(np.uint8)
    image = read(tiff([stored.astype(f"<u{bits // 8}").tobytes()], plain(bits, 0)), "tif")
    assert np.array_equal(image[..., 0], np.rint((2**bits - 1 - stored.astype(int)) / (2**bits - 1) * 255))


def test_12_bits_reach_white(read: Callable[..., NDArray[Any]]) -> None:
    values = RANDOM.integers(0, 4096, (SIDE, SIDE))
    values[0, :2] = 0, 4095
    pairs = values.reshape(-1, 2)
    packed = np.stack([pairs[:, 0] >> 4, (pairs[:, 0] & 15) << 4 | pairs[:, 1] >> 8, pairs[:, 1] & 255], axis=1)
    image = read(tiff([packed.astype(np.uint8).tobytes()], plain(12, 1)), "tif")
    assert np.array_equal(image[..., 0], np.rint(values / 4095 * 255))


def test_signed_bytes_are_refused(read: Callable[..., NDArray[Any]]) -> None:
    content = tiff([RANDOM.integers(-128, 128, (SIDE, SIDE), np.int8).tobytes()], plain(8, 1, _339=2))
    with pytest.raises(DataError, match=r"0\.tif: has signed 8-bit pixels, of which it is not known which is black"):
        read(content, "tif")


@pytest.mark.skipif(
    (b"II", 1, (1,), 1, (8, 8), (1,)) not in TiffImagePlugin.OPEN_INFO, reason="this Pillow does not know such files"
)
def test_premultiplied_grey_lies_over_white(read: Callable[..., NDArray[Any]]) -> None:
    row = bytes([0, 0]) * 4 + bytes([100, 255]) * 4 + bytes([50, 128]) * 8
    image = read(tiff([row * SIDE], plain((8, 8), 1, _338=1)), "tif")
    assert image.shape == (SIDE, SIDE, 1)
    assert image[0, [0, 5, 9], 0].tolist() == [255, 100, pytest.approx(50 + 127, abs=1)]


COLOUR = RANDOM.integers(0, 256, (8, 12, 3), np.uint8)


def encode(kind: str, orientation: int, pixels: NDArray[Any] = COLOUR) -> bytes:
    buffer, told = io.BytesIO(), Image.Exif()
    told[0x0112] = orientation
    options = {"webp": {"lossless": True}, "tiff": {}, "png": {}}[kind]
    Image.fromarray(pixels).save(buffer, kind, exif=told, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["png", "webp", "tiff"])
def test_every_format_is_turned_as_the_camera_says(
    kind: str, orientation: int, read: Callable[..., NDArray[Any]]
) -> None:
    content = encode(kind, orientation)
    turned = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(content))))
    upright = {1: COLOUR, 2: COLOUR[:, ::-1], 3: COLOUR[::-1, ::-1], 4: COLOUR[::-1], 6: np.rot90(COLOUR, 3)}
    assert np.array_equal(turned, upright.get(orientation, turned))
    assert np.array_equal(read(content, kind), turned)


@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_deep_images_are_turned_too(orientation: int, read: Callable[..., NDArray[Any]]) -> None:
    image = read(encode("png", orientation, FULL[:8]), "png")[..., 0]
    upright = np.rint(FULL[:8] / 257)
    assert np.array_equal(image, {1: upright, 3: upright[::-1, ::-1], 6: np.rot90(upright, 3)}[orientation])


ROWS = [bytes(range(8 * row, 8 * row + 8)) for row in range(8)]
UPRIGHT = np.frombuffer(b"".join(ROWS), np.uint8).reshape(8, 8)
PROFILE = b"\nexif\n" + b"%8d\n" % (len(exif(6)) + 6) + (b"Exif\0\0" + exif(6)).hex().encode() + b"\n"


@pytest.mark.parametrize(
    "told",
    [
        chunk(b"eXIf", exif(6)),
        chunk(b"eXIf", exif(6, ">")),
        chunk(b"eXIf", b"Exif\0\0" + exif(6)),
        chunk(b"tEXt", b"Raw profile type exif\0" + PROFILE),
        chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(PROFILE)),
        chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp(6)),
        chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(xmp(6))),
        chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp(3)) + chunk(b"eXIf", exif(6)),
    ],
    ids=["EXIF", "big-endian", "with JPEG's mark", "text", "packed text", "XMP", "packed XMP", "EXIF before XMP"],
)
def test_the_places_of_an_orientation_in_a_png(told: bytes, read: Callable[..., NDArray[Any]]) -> None:
    assert np.array_equal(read(png(8, 0, 8, ROWS, told), "png")[..., 0], np.rot90(UPRIGHT, 3))


@pytest.mark.parametrize("told", [exif(0), exif(9), exif(6)[:-10], b"", b"II*\0\xff\xff\xff\xff"])
def test_an_orientation_that_says_nothing_turns_nothing(told: bytes, read: Callable[..., NDArray[Any]]) -> None:
    assert np.array_equal(read(png(8, 0, 8, ROWS, chunk(b"eXIf", told)), "png")[..., 0], UPRIGHT)


@pytest.mark.parametrize("depth", [1, 2, 4, 8, 16])
def test_a_transparent_grey_is_white_at_every_depth(depth: int, read: Callable[..., NDArray[Any]]) -> None:
    steps = min(2**depth, 8)
    samples = [value % steps for value in range(8)]
    row = b"".join(struct.pack(">H", v) for v in samples) if depth == 16 else _packed(samples, depth)
    image = read(png(depth, 0, 8, [row] * 8, chunk(b"tRNS", struct.pack(">H", 1))), "png")
    expected = [255 if value == 1 else round(value * 255 / (2**depth - 1)) for value in samples]
    assert image[3, :, 0].tolist() == expected


def _packed(samples: list[int], depth: int) -> bytes:
    whole = 0
    for value in samples:
        whole = whole << depth | value
    return whole.to_bytes(depth)


def test_a_transparent_colour_of_16_bits_is_refused_where_it_may_be_in_the_image(
    read: Callable[..., NDArray[Any]],
) -> None:
    row = b"".join(struct.pack(">HHH", 256 * step + 5, 0, 0) for step in range(8))
    with pytest.raises(DataError, match=r"0\.png: has 16 bits a sample and a transparent colour.*alpha channel"):
        read(png(16, 2, 8, [row] * 8, chunk(b"tRNS", struct.pack(">HHH", 3 * 256 + 5, 0, 0))), "png")
    image = read(png(16, 2, 8, [row] * 8, chunk(b"tRNS", struct.pack(">HHH", 99 * 256 + 3, 0, 0))), "png")
    assert image[0].tolist() == [[step, 0, 0] for step in range(8)]


BGRA = (0xFF0000, 0xFF00, 0xFF, 0xFF000000)


@pytest.mark.parametrize(
    ("masks", "pixel"),
    [
        (BGRA, bytes([10, 20, 200, 0])),
        ((0xFF000000, 0xFF0000, 0xFF00, 0xFF), bytes([0, 10, 20, 200])),
        ((0xFF, 0xFF00, 0xFF0000, 0xFF000000), bytes([200, 20, 10, 0])),
        ((0, 0, 0, 0), bytes([10, 20, 200, 0])),
    ],
)
def test_an_alpha_channel_of_zeros_is_none(
    masks: tuple[int, ...], pixel: bytes, read: Callable[..., NDArray[Any]]
) -> None:
    image = read(bmp([pixel] * 64, 8, masks, after=b"\xff" * 40), "bmp")
    assert (image == [200, 20, 10]).all()


def test_an_alpha_channel_that_is_used_is_one(read: Callable[..., NDArray[Any]]) -> None:
    image = read(bmp([bytes([10, 20, 200, 0]), bytes([10, 20, 200, 255])] * 32, 8, BGRA), "bmp")
    assert image[0, :2].tolist() == [WHITE, [200, 20, 10]]


ANEW: dict[str, bytes] = {
    "tif": tiff([FULL.tobytes()], plain(16, 0)),
    "tiff": tiff(strips(DEEP[:3]), plain((16, 16, 16), 2, _284=2)),
    "png": png(8, 0, 8, ROWS, chunk(b"eXIf", exif(6))),
    "webp": encode("webp", 3),
    "bmp": bmp([bytes([10, 20, 200, 0])] * 64, 8, BGRA),
}
AS_EVER: dict[str, bytes] = {
    "tif": tiff([FULL.tobytes()], plain(16, 1)),
    "tiff": encode("tiff", 6),
    "png": png(8, 0, 8, ROWS, chunk(b"eXIf", exif(1)), chunk(b"tRNS", b"\0\5")),
    "webp": encode("webp", 1),
    "bmp": bmp([bytes([10, 20, 200, 7])] * 64, 8, BGRA),
}


@pytest.mark.parametrize("suffix", ANEW)
def test_only_what_is_read_anew_gets_another_checksum(
    suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_decoding: None
) -> None:
    def checksums(content: bytes) -> tuple[str, str]:
        for index in range(2):
            (tmp_path / f"{index}.{suffix}").write_bytes(content)
        spec = DataSpec(name="image_folder", path=str(tmp_path))
        with monkeypatch.context() as patch:
            now = fingerprint(spec)
            patch.setattr("vae.datasets.image_folder.pixel_revision", lambda *_: {})  # as it was
            return now, fingerprint(spec)

    now, before = checksums(ANEW[suffix])
    assert now != before
    now, before = checksums(AS_EVER[suffix])
    assert now == before


@pytest.mark.parametrize("place", [b"\xff" * 8, b"\0" * 7 + b"\x40", b"\x10" + b"\0" * 7])
def test_a_big_tiff_that_points_nowhere_is_refused(place: bytes, read: Callable[..., NDArray[Any]]) -> None:
    with pytest.raises(DataError, match=r"0\.tif: "):
        read(b"II+\0\x08\0\0\0" + place, "tif")


def test_a_turned_png_that_is_called_a_jpeg_is_named(read: Callable[..., NDArray[Any]]) -> None:
    with pytest.raises(DataError, match=r"0\.jpg: is of another format than its name says: rename it"):
        read(ANEW["png"], "jpg")
    assert np.array_equal(read(AS_EVER["png"], "jpg").shape, (8, 8, 1))


def test_decoders_say_nothing_on_the_terminal(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    many = tiff([bytes(13 * 256)], plain((8,) * 13, 1))
    cut = tiff([zlib.compress(FULL.tobytes())[:-50]], plain(16, 1, _259=8))
    for index, content in enumerate((many, cut)):
        (tmp_path / str(index)).mkdir()
        (tmp_path / str(index) / "a.tif").write_bytes(content)
        (tmp_path / str(index) / "b.tif").write_bytes(content)
    code = (
        "import sys; from vae.datasets import load; from vae.spec import DataSpec\n"
        "for index in '01':\n"
        f"    try: load(DataSpec(name='image_folder', path={str(tmp_path)!r} + '/' + index))\n"
        "    except Exception as error: print(error)\n"
        "sys.stderr.write('heard again')"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    said, errors = capfd.readouterr()
    assert "a.tif: is a TIFF of 13 x 8-bit unsigned samples, which is not read" in said
    assert "a.tif: no readable image" in said
    assert errors == "heard again"


def test_many_may_be_quiet_at_once(capfd: pytest.CaptureFixture[str]) -> None:
    def whisper(_: int) -> None:
        with muted():
            os.write(2, b"never heard")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(whisper, range(200)))
    os.write(2, b"heard")
    assert capfd.readouterr().err == "heard"
