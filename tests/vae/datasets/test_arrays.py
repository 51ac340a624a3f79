import io
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from vae.datasets import Data, check, fingerprint, load
from vae.errors import DataError, SpecError
from vae.spec import DataSpec

RANDOM = np.random.default_rng(0)
COUNT = 10
IMAGES = RANDOM.integers(0, 256, (COUNT, 9, 8), np.uint8)
LABELS = np.arange(COUNT) % 2


@pytest.fixture
def spec(tmp_path: Path) -> Callable[..., DataSpec]:
    """Return a function that saves arrays and gives the spec of them."""

    def save(settings: dict[str, Any] | None = None, **arrays: NDArray[Any]) -> DataSpec:
        np.savez(tmp_path / "mine.npz", **arrays)
        return DataSpec(name="arrays", path=str(tmp_path / "mine.npz"), **(settings or {}))

    return save


def together(data: Data) -> NDArray[np.uint8]:
    """Return all images, sorted as rows of bytes, so that a split plays no part."""
    rows = np.concatenate([data.train.images, data.test.images]).reshape(COUNT, -1)
    return rows[np.lexsort(rows.T[::-1])]


def test_grey_bytes_come_back_as_they_are(spec: Callable[..., DataSpec]) -> None:
    data = load(spec(images=IMAGES))
    assert data.train.images.shape == (7, 9, 8, 1)
    assert (data.train.labels, data.test.labels, data.class_names) == (None, None, ())
    rows = IMAGES.reshape(COUNT, -1)
    assert np.array_equal(together(data), rows[np.lexsort(rows.T[::-1])])


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 16])
def test_up_to_sixteen_channels_come_back_as_they_are(channels: int, spec: Callable[..., DataSpec]) -> None:
    images = RANDOM.integers(0, 256, (COUNT, 9, 8, channels), np.uint8)
    data = load(spec(images=images[:6], test_images=images[6:]))
    assert np.array_equal(data.train.images, images[:6])
    assert np.array_equal(data.test.images, images[6:])
    assert load(spec({"size": (20, 10)}, images=images)).shape == (20, 10, channels)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, ">f4"])
def test_numbers_from_0_to_1_become_256_levels(dtype: Any, spec: Callable[..., DataSpec]) -> None:
    images = np.linspace(0, 1, COUNT * 64).reshape(COUNT, 8, 8).astype(dtype)
    data = load(spec(images=images[:5], test_images=images[5:]))
    expected = np.rint(images.astype(np.float32) * 255)[..., None]
    assert np.array_equal(np.concatenate([data.train.images, data.test.images]), expected)
    assert (data.train.images.min(), data.test.images.max()) == (0, 255)


def test_booleans_are_black_and_white(spec: Callable[..., DataSpec]) -> None:
    data = load(spec(images=IMAGES > 99, test_images=IMAGES > 99))
    assert np.array_equal(data.train.images[..., 0], np.where(IMAGES > 99, 255, 0))


@pytest.mark.parametrize("order", ["C", "F"])
def test_one_array_by_itself_is_the_images(order: Any, tmp_path: Path) -> None:
    np.save(tmp_path / "mine.npy", np.asarray(IMAGES, order=order))
    data = load(DataSpec(name="arrays", path=str(tmp_path / "mine.npy")))
    assert data.shape == (9, 8, 1)
    assert np.array_equal(np.sort(together(data)[:, 0]), np.sort(IMAGES[:, 0, 0]))


@pytest.mark.parametrize(
    "names",
    [
        ("images", "labels", "test_images", "test_labels"),
        ("train_images", "train_labels", "test_images", "test_labels"),
        ("x_train", "y_train", "x_test", "y_test"),
        ("X_train", "y_train", "X_test", "y_test"),
    ],
)
def test_usual_names_are_known_and_the_test_part_is_kept(names: tuple[str, ...], spec: Callable[..., DataSpec]) -> None:
    parts = IMAGES[:6], LABELS[:6], IMAGES[6:], LABELS[6:, None]
    mine = spec(**dict(zip(names, parts, strict=True)))
    data = load(mine)
    assert np.array_equal(data.train.images[..., 0], IMAGES[:6])
    assert np.array_equal(data.test.images[..., 0], IMAGES[6:])
    assert (data.train.labels.tolist(), data.test.labels.tolist()) == (LABELS[:6].tolist(), LABELS[6:].tolist())
    assert data.checksum == fingerprint(mine.model_copy(update={"split_seed": 1, "test_fraction": 0.5}))


def test_arrays_saved_by_place_are_images_and_labels(tmp_path: Path) -> None:
    np.savez(tmp_path / "mine.npz", IMAGES, LABELS)
    assert load(DataSpec(name="arrays", path=str(tmp_path / "mine.npz"))).class_names == ("0", "1")


def test_a_split_is_drawn_by_class_and_each_image_keeps_its_label(spec: Callable[..., DataSpec]) -> None:
    images = np.repeat(np.arange(40, dtype=np.uint8), 64).reshape(40, 8, 8)
    data = load(spec(images=images, labels=np.arange(40) % 4))
    assert np.bincount(data.test.labels).tolist() == [3, 3, 3, 3]
    assert np.array_equal(data.train.images[:, 0, 0, 0] % 4, data.train.labels)
    assert load(spec({"split_seed": 7}, images=images)).checksum != load(spec(images=images)).checksum


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        (LABELS * 5 + 3, ("3", "8")),
        (LABELS.astype(np.uint8), ("0", "1")),
        (LABELS.astype(float), ("0", "1")),
        (np.array(["cat", "dög"])[LABELS], ("cat", "dög")),
        (np.array([b"cat", b"dog"])[LABELS], ("cat", "dog")),
        (LABELS == 1, ("False", "True")),
        (np.zeros(COUNT, int), ()),
    ],
)
def test_labels_are_numbers_or_texts(labels: Any, names: tuple[str, ...], spec: Callable[..., DataSpec]) -> None:
    data = load(spec(images=IMAGES, labels=labels, test_images=IMAGES, test_labels=labels))
    assert data.class_names == names
    if names:
        assert data.train.labels.tolist() == data.test.labels.tolist() == LABELS.tolist()


def test_classes_may_be_named(spec: Callable[..., DataSpec]) -> None:
    names = np.array(["cat", "dog", "none yet"])
    assert load(spec(images=IMAGES, labels=LABELS, class_names=names)).class_names == ("cat", "dog", "none yet")
    with pytest.raises(DataError, match=r"class_names: 1 names, but labels reach from 0 to 1"):
        load(spec(images=IMAGES, labels=LABELS, class_names=names[:1]))


def test_what_is_left_out_is_told(spec: Callable[..., DataSpec]) -> None:
    mine = spec(train_images=IMAGES, val_images=IMAGES, test_images=IMAGES, notes=np.array("by me"))
    expected = "arrays that are not read: notes, val_images"
    assert load(mine).notices == load(mine).notices == (expected,)
    assert f"notice: {expected}" in check("arrays", mine.path)


def test_a_size_of_large_networks_is_told(spec: Callable[..., DataSpec]) -> None:
    images = RANDOM.integers(0, 256, (4, 16, 300), np.uint8)
    (notice,) = load(spec(images=images)).notices
    assert notice.startswith("images of 16 x 300 pixels make large networks and long trainings")
    assert load(spec({"size": (16, 16)}, images=images)).notices == ()


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"images": IMAGES * 1.0}, r"images: pixels reach from 0 to 255, expected numbers from 0 to 1; rescale"),
        ({"images": IMAGES / 255 - 0.5}, r"pixels reach from -0\.5 to 0\.5"),
        ({"images": np.full((4, 8, 8), np.nan)}, "pixels reach from nan to nan"),
        ({"images": IMAGES.astype(np.uint16)}, "uint16 pixels, whose range is not known, expected uint8, or"),
        ({"images": IMAGES.astype(np.int8)}, "int8 pixels"),
        ({"images": IMAGES.astype("U")}, "<U3 pixels"),
        ({"images": IMAGES.reshape(COUNT, -1)}, r"shape \(10, 72\), expected .*in one row\? Reshape them"),
        ({"images": np.zeros((4, 3, 9, 8), np.uint8)}, r"channels first; np\.moveaxis\(images, 1, -1\)"),
        ({"images": np.zeros((4, 9, 8, 17), np.uint8)}, "has 17 channels, expected 1 to 16"),
        ({"images": IMAGES[:0]}, "holds no image"),
        ({"images": IMAGES[:, :7]}, "7 x 8 pixels are too small"),
        ({"images": IMAGES, "x_train": IMAGES}, "images and x_train may each be the images"),
        ({"pixels": IMAGES}, r"holds pixels, but no images, expected an array called images, train_images"),
        ({"images": IMAGES, "test_images": IMAGES[:, :8]}, r"training images are \(9, 8, 1\), but test images \(8, 8"),
        ({"images": IMAGES, "test_images": IMAGES, "labels": LABELS}, "only one of the two parts has labels"),
        ({"images": IMAGES, "labels": LABELS[:5]}, r"labels: shape \(5,\), expected one label for each of 10 images"),
        ({"images": IMAGES, "labels": np.eye(2)[LABELS]}, r"one-hot\? Then save np\.argmax"),
        ({"images": IMAGES, "labels": LABELS / 2}, "are not all whole numbers"),
        ({"images": IMAGES, "labels": np.full(COUNT, np.inf)}, "are not all whole numbers"),
        ({"images": IMAGES, "labels": LABELS.astype(complex)}, "complex128, expected whole numbers or text"),
    ],
)
def test_what_may_mean_something_else_is_refused(
    arrays: dict[str, Any], message: str, spec: Callable[..., DataSpec], tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=message) as caught:
        load(spec(**arrays))
    assert str(tmp_path / "mine.npz") in str(caught.value)


class Canary:
    def __reduce__(self) -> tuple[Any, ...]:
        return print, ("run",)


def test_no_pickle_is_opened(spec: Callable[..., DataSpec], capsys: pytest.CaptureFixture[str]) -> None:
    for arrays in (
        {"images": np.full((3, 8, 8), Canary())},
        {"images": IMAGES, "labels": np.array([Canary()] * COUNT)},
        {"images": IMAGES, "labels": LABELS, "class_names": np.array([Canary()])},
    ):
        with pytest.raises(DataError, match=r"mine\.npz: \w+: holds Python objects"):
            load(spec(**arrays))
    (path := Path(spec(images=IMAGES).path or "")).write_bytes(pickle.dumps(Canary()))
    with pytest.raises(DataError, match=r"mine\.npz: begins with 80\w+, expected a \.npy or \.npz file"):
        load(DataSpec(name="arrays", path=str(path)))
    assert "run" not in capsys.readouterr().out


def header(shape: tuple[int, ...], dtype: str = "|u1") -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": dtype, "fortran_order": False, "shape": shape})
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty, expected a"),
        (header((10, 8, 8)) + bytes(100), r"100 bytes, but its header of uint8 \(10, 8, 8\) makes 640 expected"),
        (header((2**40, 8, 8)), r"0 bytes, but its header of uint8 .* makes 70,368,744,177,664 expected"),
        (header((-10, 8, 8)), "makes -640 expected"),
        (b"\x93NUMPY\x03\x00" + header((1, 8, 8))[8:], r"of version 3\.0 of the format"),
        (b"\x93NUMPY\x01\x00\x10\x00{'descr': __imp", "cannot be read"),
    ],
)
def test_a_damaged_array_is_named_before_memory_is_taken(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "mine.npy").write_bytes(content)
    with pytest.raises(DataError, match=rf"mine\.npy: .*{message}"):
        load(DataSpec(name="arrays", path=str(tmp_path / "mine.npy")))
    if content:
        with zipfile.ZipFile(tmp_path / "mine.npz", "w") as archive:
            archive.writestr("images.npy", content)
        with pytest.raises(DataError, match=rf"mine\.npz: images: .*{message}"):
            load(DataSpec(name="arrays", path=str(tmp_path / "mine.npz")))


def test_a_damaged_archive_is_named(spec: Callable[..., DataSpec], tmp_path: Path) -> None:
    path = Path(spec(images=IMAGES).path or "")
    content = bytearray(path.read_bytes())
    content[300] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"mine\.npz: images: cannot be read: Bad CRC-32"):
        load(DataSpec(name="arrays", path=str(path)))
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(DataError, match=r"mine\.npz: is a zip file, but holds no array"):
        load(DataSpec(name="arrays", path=str(path)))


def test_a_file_is_needed(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"data\.path: 'arrays' needs the \.npz or \.npy file"):
        load(DataSpec(name="arrays"))
    with pytest.raises(DataError, match=r"is a folder, expected .* for 'image_folder'"):
        load(DataSpec(name="arrays", path=str(tmp_path)))
    with pytest.raises(DataError, match="there is no such file"):
        load(DataSpec(name="arrays", path=str(tmp_path / "nothing.npz")))


def test_an_array_of_another_pixel_is_other_data(spec: Callable[..., DataSpec]) -> None:
    before = load(spec(images=IMAGES)).checksum
    changed = IMAGES.copy()
    changed[0, 0, 0] ^= 1
    assert load(spec(images=changed)).checksum != before
    assert load(spec(images=IMAGES)).checksum == before


def test_the_fingerprint_reads_no_pixel(spec: Callable[..., DataSpec], monkeypatch: pytest.MonkeyPatch) -> None:
    mine = spec(images=IMAGES, labels=LABELS)
    monkeypatch.setattr("vae.datasets.arrays.read_array", None)
    assert len(fingerprint(mine)) == 64
