import io
import struct
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from vae.datasets import Data, check, fingerprint, load
from vae.errors import DataError, SpecError
from vae.spec import DataSpec

RANDOM = np.random.default_rng(0)


def spec(path: Path, **settings: object) -> DataSpec:
    return DataSpec(name="image_folder", path=str(path), **settings)


def pixels(data: Data) -> np.ndarray:
    return np.concatenate([data.train.images, data.test.images])


def test_a_flat_folder_has_no_labels(tmp_path: Path, images: Callable[..., Any], write: Callable[..., Any]) -> None:
    data = load(spec(write(tmp_path, images([f"{i}.png" for i in range(10)]))))
    assert data.train.images.shape == (7, 10, 12, 3)
    assert data.test.images.shape == (3, 10, 12, 3)
    assert data.train.labels is None
    assert data.class_names == ()


def test_sub_folders_are_classes_of_any_name(
    tmp_path: Path, images: Callable[..., Any], write: Callable[..., Any]
) -> None:
    folders = ["weird ü/", "1 2 3/", "UPPER.png/"]
    data = load(spec(write(tmp_path, images([f"{folder}{i}.png" for folder in folders for i in range(10)]))))
    assert data.class_names == ("1 2 3", "UPPER.png", "weird ü")
    assert np.bincount(data.train.labels).tolist() == [7, 7, 7]
    assert np.bincount(data.test.labels).tolist() == [3, 3, 3]


def test_each_image_keeps_its_own_label(tmp_path: Path, encoded: Callable[..., Any], write: Callable[..., Any]) -> None:
    shades = {f"class{c}/{i}.png": np.full((8, 8), 100 * c + i, np.uint8) for c in range(3) for i in range(6)}
    data = load(spec(write(tmp_path, {name: encoded(shade) for name, shade in shades.items()})))
    for split in (data.train, data.test):
        assert (split.images[:, 0, 0, 0] // 100).tolist() == split.labels.tolist()


def test_official_splits_are_kept(tmp_path: Path, images: Callable[..., Any], write: Callable[..., Any]) -> None:
    files = images(["train/a/1.png", "train/b/2.png", "test/b/3.png", "val/a/4.png", "train/b/5.png"])
    data = load(spec(write(tmp_path, files)))
    assert (data.train.labels.tolist(), data.test.labels.tolist()) == ([0, 1, 1], [1])
    assert data.class_names == ("a", "b")
    assert data.checksum == fingerprint(spec(tmp_path, test_fraction=0.5, split_seed=1))
    expected = np.asarray(Image.open(tmp_path / "test/b/3.png"))
    assert np.array_equal(data.test.images[0], expected)


def test_official_splits_may_be_flat(tmp_path: Path, images: Callable[..., Any], write: Callable[..., Any]) -> None:
    data = load(spec(write(tmp_path, images(["train/1.png", "train/2.png", "test/3.png"]))))
    assert (len(data.train.images), len(data.test.images), data.train.labels) == (2, 1, None)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["train/1.png", "test/2.png", "3.png"], r"images beside them too, such as 3\.png"),
        (["train/1.png", "test/2.png", "more/3.png"], "such as more/3.png"),
        (["a/1.png", "b/2.png", "3.png"], r"1 images lie beside the class folders, such as 3\.png"),
        (["1.png"], "1 image cannot be split"),
    ],
)
def test_a_folder_that_can_be_read_two_ways_is_refused(
    names: list[str], message: str, tmp_path: Path, images: Callable[..., Any], write: Callable[..., Any]
) -> None:
    with pytest.raises(DataError, match=message):
        load(spec(write(tmp_path, images(names))))


def test_the_split_follows_fraction_and_seed(
    tmp_path: Path, images: Callable[..., Any], write: Callable[..., Any]
) -> None:
    write(tmp_path, images([f"{i}.png" for i in range(20)]))
    one, same, fraction, seed = (
        load(spec(tmp_path, **settings)) for settings in ({}, {}, {"test_fraction": 0.5}, {"split_seed": 1})
    )
    assert one.checksum == same.checksum
    assert len({one.checksum, fraction.checksum, seed.checksum}) == 3
    assert len(fraction.test.images) == 10
    assert not np.array_equal(one.test.images, seed.test.images)


def test_a_zip_file_is_the_same_data_and_stays_packed(
    tmp_path: Path, images: Callable[..., Any], write: Callable[..., Any], pack: Callable[..., Any]
) -> None:
    files = images([f"{c}/{i}.png" for c in "ab" for i in range(4)])
    folder, packed = write(tmp_path / "folder", files), pack(tmp_path / "x.zip", files)
    one, other = load(spec(folder)), load(spec(packed))
    assert one.checksum == other.checksum
    assert np.array_equal(one.train.images, other.train.images)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "x.zip"]


def test_a_relative_path_is_below_the_current_folder(
    tmp_path: Path, images: Callable[..., Any], write: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "photos", images(["1.png", "2.png"]))
    monkeypatch.chdir(tmp_path)
    assert load(spec(Path("photos"))).shape == (10, 12, 3)


def test_the_fingerprint_decodes_nothing(
    tmp_path: Path, images: Callable[..., Any], write: Callable[..., Any], no_decoding: None
) -> None:
    folder = write(tmp_path, images([f"{i}.png" for i in range(4)]))
    assert len(fingerprint(spec(folder))) == 64


@pytest.mark.parametrize(
    "change",
    [{"limit": 2}, {"test_limit": 2}, {"size": (8, 8)}, {"test_fraction": 0.5}, {"split_seed": 7}],
)
def test_every_setting_that_changes_pixels_changes_the_checksum(
    change: dict[str, Any], tmp_path: Path, images: Callable[..., Any], write: Callable[..., Any]
) -> None:
    folder = write(tmp_path, images([f"{i}.png" for i in range(8)]))
    assert fingerprint(spec(folder)) != fingerprint(spec(folder, **change)) == load(spec(folder, **change)).checksum


def test_one_changed_pixel_changes_the_checksum(
    tmp_path: Path, images: Callable[..., Any], write: Callable[..., Any], encoded: Callable[..., Any]
) -> None:
    folder = write(tmp_path, images(["1.png", "2.png"]))
    before = load(spec(folder)).checksum
    changed = np.asarray(Image.open(folder / "1.png")).copy()
    changed[0, 0, 0] ^= 1
    write(folder, {"1.png": encoded(changed)})
    assert load(spec(folder)).checksum != before


def test_differing_sizes_become_the_most_common(
    tmp_path: Path, images: Callable[..., Any], write: Callable[..., Any]
) -> None:
    write(tmp_path, images(["a.png", "b.png"], (9, 14)) | images(["c.png"], (20, 20)))
    assert load(spec(tmp_path)).shape == (9, 14, 3)
    write(tmp_path, images(["c.png", "d.png"], (20, 20)))
    assert load(spec(tmp_path)).shape == (20, 20, 3)  # of those equally common the largest


def test_a_given_size_is_kept_and_does_stretch(
    tmp_path: Path, encoded: Callable[..., Any], write: Callable[..., Any]
) -> None:
    stripes = np.zeros((20, 10), np.uint8)
    stripes[10:] = 255
    data = load(spec(write(tmp_path, {"1.png": encoded(stripes), "2.png": encoded(stripes)}), size=(10, 20)))
    image = data.train.images[0, ..., 0]
    assert image.shape == (10, 20)
    assert (image[:4] == 0).all()
    assert (image[6:] == 255).all()


def test_images_of_one_size_are_left_alone(
    tmp_path: Path, write: Callable[..., Any], encoded: Callable[..., Any]
) -> None:
    array = RANDOM.integers(0, 256, (11, 17, 3), np.uint8)
    data = load(spec(write(tmp_path, {"1.png": encoded(array), "2.png": encoded(array)})))
    assert all(np.array_equal(image, array) for image in pixels(data))


GREY = RANDOM.integers(0, 256, (8, 9), np.uint8)
COLOUR = RANDOM.integers(0, 256, (8, 9, 3), np.uint8)
WIDE = RANDOM.integers(0, 65536, (8, 9), np.uint16)
ALPHA = np.dstack([COLOUR, np.tile(np.array([0, 255, 128], np.uint8), (8, 3))])


def over_white(rgba: np.ndarray) -> np.ndarray:
    alpha = rgba[..., 3:] / 255
    return rgba[..., :3] * alpha + 255 * (1 - alpha)


@pytest.mark.parametrize(
    "case",
    [
        (GREY, "png", None, GREY[..., None]),
        (GREY, "pgm", None, GREY[..., None]),
        (GREY, "gif", None, GREY[..., None]),
        (GREY, "bmp", None, GREY[..., None]),
        (GREY > 99, "png", None, 255 * (GREY > 99)[..., None]),
        (WIDE, "png", None, np.rint(WIDE / 257)[..., None]),
        (WIDE, "tif", None, np.rint(WIDE / 257)[..., None]),
        (WIDE.astype(np.int32), "tif", None, np.rint(WIDE / 257)[..., None]),
        (np.dstack([GREY, ALPHA[..., 3]]), "png", None, over_white(np.dstack([GREY] * 3 + [ALPHA[..., 3]]))[..., :1]),
        (COLOUR, "png", None, COLOUR),
        (np.dstack([GREY] * 3), "png", None, np.dstack([GREY] * 3)),
        (COLOUR, "ppm", None, COLOUR),
        (COLOUR, "tif", None, COLOUR),
        (COLOUR, "webp", None, None),
        (COLOUR, "jpg", "CMYK", None),
        (COLOUR, "jpg", None, None),
        (COLOUR, "jfif", None, None),
        (COLOUR, "jpe", None, None),
        (GREY > 99, "pbm", None, 255 * (GREY > 99)[..., None]),
        (COLOUR, "pnm", None, COLOUR),
        (ALPHA, "png", None, over_white(ALPHA)),
    ],
)
def test_every_mode_becomes_one_or_three_channels(
    case: tuple[NDArray[Any], str, str | None, NDArray[Any] | None],
    tmp_path: Path,
    encoded: Callable[..., Any],
    write: Callable[..., Any],
) -> None:
    array, suffix, mode, expected = case
    content = encoded(array, suffix, mode)
    if expected is None:
        expected = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
    data = load(spec(write(tmp_path, {f"{i}.{suffix}": content for i in range(2)})))
    for image in pixels(data):
        assert image.shape == expected.shape
        assert np.abs(image - np.asarray(expected, float)).max() <= (1 if array is ALPHA else 0.51)


@pytest.mark.parametrize(("colours", "channels"), [([(0, 0, 0), (90, 90, 90)], 1), ([(0, 0, 0), (90, 90, 91)], 3)])
def test_a_palette_is_grey_if_its_colours_are(
    colours: list[tuple[int, ...]], channels: int, tmp_path: Path, write: Callable[..., Any]
) -> None:
    image = Image.new("P", (9, 8))
    image.putpalette([value for colour in colours for value in colour])
    image.putdata((GREY % 2).ravel().tolist())
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    data = load(spec(write(tmp_path, {"1.png": buffer.getvalue(), "2.png": buffer.getvalue()})))
    assert data.shape == (8, 9, channels)
    assert np.array_equal(data.train.images[0], np.array(colours, np.uint8)[GREY % 2][..., :channels])


def test_a_transparent_palette_colour_is_white(tmp_path: Path, write: Callable[..., Any]) -> None:
    image = Image.new("P", (8, 8))
    image.putpalette([200, 0, 0, 0, 200, 0])
    image.putpixel((0, 0), 1)
    buffer = io.BytesIO()
    image.save(buffer, "PNG", transparency=bytes([255, 0]))
    data = load(spec(write(tmp_path, {"1.png": buffer.getvalue(), "2.png": buffer.getvalue()})))
    assert data.train.images[0, 0, :2].tolist() == [[255, 255, 255], [200, 0, 0]]


def test_one_coloured_image_makes_all_three_channels(
    tmp_path: Path, write: Callable[..., Any], encoded: Callable[..., Any]
) -> None:
    data = load(spec(write(tmp_path, {"1.png": encoded(GREY), "2.png": encoded(COLOUR)})))
    assert sorted(np.ptp(image, axis=-1).max() == 0 for image in pixels(data)) == [False, True]


def test_photographs_are_turned_as_the_camera_says(tmp_path: Path, write: Callable[..., Any]) -> None:
    image = Image.fromarray(np.tile(np.linspace(0, 255, 32).astype(np.uint8), (16, 1)))
    exif = Image.Exif()
    exif[0x0112] = 6
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", exif=exif, quality=95)
    data = load(spec(write(tmp_path, {"1.jpg": buffer.getvalue(), "2.jpg": buffer.getvalue()})))
    assert data.shape == (32, 16, 1)
    assert data.train.images[0, 0, 8, 0] < data.train.images[0, -1, 8, 0]


MODES = st.sampled_from(["1", "L", "LA", "P", "RGB", "RGBA", "I;16", "CMYK"])


@settings(max_examples=25)
@given(st.lists(st.tuples(MODES, st.integers(8, 20), st.integers(8, 20)), min_size=2, max_size=5), st.booleans())
def test_any_mixture_of_modes_and_sizes_loads(kinds: list[tuple[str, int, int]], resized: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for index, (mode, height, width) in enumerate(kinds):
            image = Image.new("L", (width, height), 40 * index)
            suffix = "tif" if mode == "CMYK" else "png"
            (Image.new(mode, image.size) if mode == "I;16" else image.convert(mode)).save(
                Path(folder, f"{index}.{suffix}"),
            )
        data = load(spec(Path(folder), size=(12, 10) if resized else None))
    expected = [(height, width) for _, height, width in kinds]
    assert len(pixels(data)) == len(kinds)
    assert data.shape[:2] == (12, 10) if resized else data.shape[:2] in expected
    grey = {"1", "L", "LA", "I;16", "P"}
    assert data.shape[2] == (1 if {mode for mode, _, _ in kinds} <= grey else 3)


def bomb() -> bytes:
    """Return a small PNG that claims 30000 x 30000 pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 30_000, 30_000, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def postscript() -> bytes:
    return b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\nshowpage\n"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"no image at all", "no readable image: none of BMP, GIF"),
        (bomb(), "far too large"),
        (postscript(), "is a PostScript document"),
    ],
)
def test_a_file_that_is_no_image_is_named(
    content: bytes, reason: str, tmp_path: Path, images: Callable[..., Any], write: Callable[..., Any]
) -> None:
    write(tmp_path, images(["1.png", "2.png"]) | {"bad.png": content})
    with pytest.raises(DataError, match=rf"1 of 3 image files cannot be used:\n  bad\.png: {reason}"):
        load(spec(tmp_path))


def test_an_image_between_our_limit_and_pillows_is_named(
    tmp_path: Path, images: Callable[..., Any], write: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vae.datasets._pixels._LARGEST_IMAGE", 100)
    write(tmp_path, images(["1.png"], (8, 8)) | images(["2.png"], (11, 10)))
    with pytest.raises(DataError, match=r"2\.png: 10 x 11 pixels, more than the 100"):
        load(spec(tmp_path))


def test_cut_images_are_counted_and_the_first_are_named(
    tmp_path: Path, images: Callable[..., Any], write: Callable[..., Any]
) -> None:
    files = images([f"{i:02}.png" for i in range(12)])
    write(tmp_path, {name: content[:-40] if int(name[:2]) > 3 else content for name, content in files.items()})
    with pytest.raises(DataError, match="8 of 12 image files") as caught:
        load(spec(tmp_path))
    message = str(caught.value)
    assert "04.png" in message
    assert "08.png" in message
    assert "09.png" not in message
    assert "and 3 more; vaebench data check lists all" in message


def test_check_names_every_image_that_cannot_be_read(
    tmp_path: Path, images: Callable[..., Any], write: Callable[..., Any]
) -> None:
    files = images([f"{i:02}.png" for i in range(40)])
    empty = dict.fromkeys(list(files)[::4], b"")  # told by the header
    cut = {name: files[name][:-40] for name in list(files)[1::4]}  # only by the pixels
    write(tmp_path, files | empty | cut)
    with pytest.raises(DataError, match=r": 20 of 40 image files cannot be used:\n") as caught:
        check("image_folder", str(tmp_path))
    named = [line.split(":")[0].strip() for line in str(caught.value).splitlines()[1:-1]]
    assert named == sorted(empty | cut)


def test_pixels_of_unknown_range_are_refused(
    tmp_path: Path, encoded: Callable[..., Any], write: Callable[..., Any]
) -> None:
    content = encoded(np.full((8, 8), 0.5, np.float32), "tif")
    with pytest.raises(DataError, match=r"1\.tif: has floating-point pixels"):
        load(spec(write(tmp_path, {"1.tif": content, "2.tif": content})))
    content = encoded(np.full((8, 8), 70_000, np.int32), "tif")
    with pytest.raises(DataError, match=r"1\.tif: pixels reach from 70000 to 70000"):
        load(spec(write(tmp_path, {"1.tif": content, "2.tif": content})))


def test_images_too_small_or_too_many_are_refused_with_the_way_out(
    tmp_path: Path, images: Callable[..., Any], write: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, images(["1.png", "2.png"], (7, 9)))
    with pytest.raises(DataError, match=r"7 x 9 pixels are too small.*data\.size"):
        load(spec(tmp_path))
    assert load(spec(tmp_path, size=(8, 9))).shape == (8, 9, 3)
    monkeypatch.setattr("vae.datasets._images._LARGEST_DATA", 400)
    with pytest.raises(DataError, match=r"2 images of 9 x 9 x 3 .*data\.size"):
        load(spec(tmp_path, size=(9, 9)))


def test_a_path_is_needed() -> None:
    with pytest.raises(SpecError, match=r"data\.path: 'image_folder' needs"):
        load(DataSpec(name="image_folder"))


def test_check_reads_every_image(tmp_path: Path, images: Callable[..., Any], write: Callable[..., Any]) -> None:
    folder = write(tmp_path, images([f"{c}/{i}.png" for c in "ab" for i in range(3)]))
    assert "4 training and 2 test images read, 10 x 12 x 3" in check("image_folder", str(folder))
    (folder / "b" / "1.png").write_bytes(b"no")
    with pytest.raises(DataError, match=r"b/1\.png"):
        check("image_folder", str(folder))
