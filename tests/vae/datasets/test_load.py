import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vae.datasets import DATASETS, Dataset, Decoded, Opened, Split, as_float, load
from vae.datasets import _load as loading
from vae.datasets._images import resize_images
from vae.errors import DataError, SpecError
from vae.spec import DataSpec

PIXELS = np.arange(256, dtype=np.uint8)


def test_unit_scaling_is_division_by_255() -> None:
    scaled = as_float(PIXELS)
    assert scaled.dtype == np.float32
    assert np.array_equal(scaled, PIXELS / np.float32(255))
    assert (scaled[0], scaled[-1]) == (0, 1)


def test_symmetric_scaling_reaches_both_ends() -> None:
    scaled = as_float(PIXELS, "symmetric")
    assert scaled.dtype == np.float32
    assert (scaled[0], scaled[-1]) == (-1, 1)
    assert np.abs(scaled - (PIXELS / 127.5 - 1)).max() < 1e-6
    assert (np.diff(scaled) > 0).all()


def test_scaling_what_is_scaled_already_is_an_error() -> None:
    with pytest.raises(SpecError, match="got float32 images"):
        as_float(PIXELS.astype(np.float32))
    with pytest.raises(SpecError, match="did you mean 'symmetric'"):
        as_float(PIXELS, "symetric")


@given(st.integers(8, 20), st.integers(8, 20), st.sampled_from([1, 2, 3, 4, 16]), st.integers(0, 255))
def test_a_resized_plain_image_stays_plain(height: int, width: int, channels: int, value: int) -> None:
    images = np.full((2, 11, 13, channels), value, np.uint8)
    resized = resize_images(images, (height, width))
    assert resized.shape == (2, height, width, channels)
    assert (resized == value).all()


def test_resizing_to_the_same_size_changes_nothing() -> None:
    images = np.zeros((2, 11, 13, 1), np.uint8)
    assert resize_images(images, (11, 13)) is images


def test_halving_averages() -> None:
    images = np.zeros((1, 8, 8, 1), np.uint8)
    images[:, :, ::2] = 200
    assert np.abs(resize_images(images, (8, 4))[0, :, 1:-1].astype(int) - 100).max() <= 1


@pytest.mark.parametrize("name", ["mnist", "cifar10"])
def test_size_is_for_every_data_set(name: str, install: Callable[..., Any], empty_machine: Path) -> None:
    install(name, empty_machine)
    native, resized = load(DataSpec(name=name)), load(DataSpec(name=name, size=(16, 20)))
    assert resized.shape == (16, 20, native.shape[2])
    assert resized.checksum != native.checksum
    assert abs(resized.train.images.mean() - native.train.images.mean()) < 5


@pytest.fixture
def register() -> Iterator[Callable[..., None]]:
    """Return a function that makes 'mine' a data set of the given arrays."""
    until = ExitStack()

    def file(train: Split, test: Split, class_names: tuple[str, ...] = ()) -> None:
        class Mine(Dataset):
            """A user's own."""

            title, licence, source = "Mine", "mine", "me"

            def open(self, spec: DataSpec, *, download: bool = True) -> Opened:
                return Opened("memory", "0" * 64, lambda: Decoded(train, test, class_names))

        until.enter_context(DATASETS.temporarily("mine", Mine))

    with until:
        yield file


GOOD = Split(np.zeros((4, 8, 8, 1), np.uint8))


def test_a_users_own_data_set_is_cached_limited_and_resized_like_ours(
    register: Callable[..., Any], cache: Path
) -> None:
    register(GOOD, GOOD)
    data = load(DataSpec(name="mine", limit=2, size=(9, 8)))
    assert data.train.images.shape == (2, 9, 8, 1)
    assert data.test.images.shape == (4, 9, 8, 1)
    assert len(list((cache / "arrays").iterdir())) == 1


@pytest.mark.parametrize(
    ("split", "message"),
    [
        (Split(np.zeros((4, 8, 8, 1), np.float32)), "training images are float32 of shape"),
        (Split(np.zeros((4, 8, 8), np.uint8)), r"of shape \(4, 8, 8\), expected uint8"),
        (Split(np.zeros((4, 8, 8, 17), np.uint8)), r"\(4, 8, 8, 17\), .* 1 to 16 channels"),
        (Split(np.zeros((0, 8, 8, 1), np.uint8)), "there is no training image"),
        (Split(np.zeros((4, 7, 8, 1), np.uint8)), "7 x 8 pixels are too small"),
        (Split(np.zeros((4, 9, 8, 1), np.uint8)), r"training images are \(9, 8, 1\), but test images \(8, 8, 1\)"),
        (Split(GOOD.images, np.zeros(4, np.int32)), "training labels are int32"),
        (Split(GOOD.images, np.zeros(3, np.int64)), r"of shape \(3,\), expected int64 \(4,\)"),
        (Split(GOOD.images, np.full(4, 2)), "reach from 2 to 2, but there are 2 classes"),
        (Split(GOOD.images, np.full(4, -1)), "reach from -1 to -1"),
    ],
)
def test_arrays_that_break_the_contract_are_named(split: Split, message: str, register: Callable[..., Any]) -> None:
    register(split, GOOD, ("a", "b"))
    with pytest.raises(DataError, match=rf"^mine \(memory\): .*{message}"):
        load(DataSpec(name="mine"))


def test_processes_share_one_cache(install: Callable[..., Any], empty_machine: Path) -> None:
    install("mnist", empty_machine)
    code = (
        "import sys; from vae.datasets import load, DATASETS; from vae.datasets._official import OfficialFile;"
        "from vae.spec import DataSpec; entry = DATASETS['mnist'];"
        f"entry.files = {DATASETS['mnist'].files!r}; entry.counts = (40, 20);"  # type: ignore[attr-defined]
        "print(load(DataSpec(name='mnist')).checksum, 'tensorflow' in sys.modules, 'keras' in sys.modules)"
    )
    running = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = {process.communicate(timeout=600)[0] for process in running}
    assert [process.returncode for process in running] == [0, 0]
    assert said == {f"{load(DataSpec(name='mnist')).checksum} False False\n"}


def test_the_decoder_of_other_pixels_has_other_cache_entries(
    install: Callable[..., Any], empty_machine: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install("mnist", empty_machine)
    before = load(DataSpec(name="mnist")).checksum
    monkeypatch.setattr("PIL.__version__", "99")
    assert load(DataSpec(name="mnist")).checksum == before
    assert len(list((cache / "arrays").iterdir())) == 2
    monkeypatch.setattr(loading, "_REVISION", 99)
    assert load(DataSpec(name="mnist")).checksum != before
