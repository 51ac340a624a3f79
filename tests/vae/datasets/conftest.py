"""An empty machine for every test: no data, no cache, no network; and small files in the official formats."""

import gzip
import hashlib
import io
import pickle
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vae.datasets import DATASETS
from vae.datasets import _places as places
from vae.datasets._official import Official, OfficialFile
from vae.datasets._parse import format_idx

COUNTS = (40, 20)
FORMATS = {"jfif": "jpeg", "jpe": "jpeg", "jpg": "jpeg", "pbm": "ppm", "pgm": "ppm", "pnm": "ppm", "tif": "tiff"}


@pytest.fixture(autouse=True)
def empty_machine(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder that $VAEBENCH_DATA names; nothing is in it."""
    root = tmp_path_factory.mktemp("machine")
    for name in ("data", "keras", "home"):
        (root / name).mkdir()
    monkeypatch.setenv("VAEBENCH_DATA", str(root / "data"))
    monkeypatch.setenv("VAEBENCH_CACHE", str(root / "cache"))
    monkeypatch.setenv("KERAS_HOME", str(root / "keras"))
    monkeypatch.setenv("HOME", str(root / "home"))
    monkeypatch.setenv("VAEBENCH_OFFLINE", "1")
    monkeypatch.setattr(places, "_SYSTEM", root / "system")
    return root / "data"


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have files remembered that were written just now."""
    monkeypatch.setattr("vae.cache._SETTLED", -1.0)


@pytest.fixture
def cache() -> Path:
    import os

    return Path(os.environ["VAEBENCH_CACHE"])


def _labels(count: int, classes: int) -> np.ndarray:
    return (np.arange(count) * 7 % classes).astype(np.int64)


def _official_contents(entry: type[Official]) -> dict[str, bytes]:
    random = np.random.default_rng(len(entry.title))
    contents = {}
    if len(entry.files) == 4:
        for (images, labels), count in zip((entry.files[:2], entry.files[2:]), COUNTS, strict=True):
            contents[images.name] = format_idx(random.integers(0, 256, (count, 28, 28), np.uint8))
            contents[labels.name] = format_idx(_labels(count, 10).astype(np.uint8))
        return contents
    batches = len(entry.files) - 1
    for file, count in zip(entry.files, (*[COUNTS[0] // batches] * batches, COUNTS[1]), strict=True):
        batch = {
            b"data": random.integers(0, 256, (count, 3072), np.uint8),
            entry.label_key.encode(): _labels(count, len(entry.class_names)).tolist(),  # type: ignore[attr-defined]
        }
        contents[file.name] = pickle.dumps(batch, protocol=4)
    return contents


@pytest.fixture
def publish(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], dict[str, bytes]]:
    """Return a function that makes small contents the published ones of a data set, and gives them."""

    def make(name: str) -> dict[str, bytes]:
        entry = DATASETS[name]
        if not issubclass(entry, Official):
            raise TypeError(name)
        contents = _official_contents(entry)
        files = tuple(
            OfficialFile(file.name, len(contents[file.name]), hashlib.sha256(contents[file.name]).hexdigest())
            for file in entry.files
        )
        monkeypatch.setattr(entry, "files", files)
        monkeypatch.setattr(entry, "counts", COUNTS)
        return contents

    return make


@pytest.fixture
def install(publish: Callable[[str], dict[str, bytes]]) -> Callable[..., dict[str, bytes]]:
    """Return a function that publishes a data set and puts its files into a folder."""

    def put(name: str, folder: Path, *, compressed: bool = False) -> dict[str, bytes]:
        contents = publish(name)
        folder.mkdir(parents=True, exist_ok=True)
        for file, content in contents.items():
            if compressed:
                (folder / f"{file}.gz").write_bytes(gzip.compress(content))
            else:
                (folder / file).write_bytes(content)
        return contents

    return put


def _encoded(array: np.ndarray, suffix: str = "png", mode: str | None = None, **options: object) -> bytes:
    image = Image.fromarray(array)
    if mode is not None:
        image = image.convert(mode)
    buffer = io.BytesIO()
    image.save(buffer, FORMATS.get(suffix, suffix), **options)
    return buffer.getvalue()


@pytest.fixture
def encoded() -> Callable[..., bytes]:
    """Return a function that encodes pixels as an image file."""
    return _encoded


def _images(names: list[str], size: tuple[int, int] = (10, 12), *, grey: bool = False) -> dict[str, bytes]:
    shape = size if grey else (*size, 3)
    return {
        name: _encoded(np.random.default_rng(seed).integers(0, 256, shape, np.uint8)) for seed, name in enumerate(names)
    }


@pytest.fixture
def images() -> Callable[..., dict[str, bytes]]:
    """Return a function that makes a random PNG for each name."""
    return _images


def _write(folder: Path, files: Mapping[str, bytes]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


@pytest.fixture
def write() -> Callable[[Path, Mapping[str, bytes]], Path]:
    """Return a function that writes files below a folder and gives the folder."""
    return _write


def _pack(path: Path, files: Mapping[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


@pytest.fixture
def pack() -> Callable[[Path, Mapping[str, bytes]], Path]:
    """Return a function that writes files into a zip file and gives its path."""
    return _pack


@pytest.fixture
def no_decoding(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Make every attempt to decode an image file an error."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("an image was decoded")

    with monkeypatch.context() as patch:
        patch.setattr(Image, "open", refuse)
        yield
