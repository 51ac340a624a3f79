"""Input that is wrong, damaged or hostile: refused before anything is trained, or taken for the text that it is."""

import gzip
import html
import json
import os
import pickle
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from catalogue import Told, begin, command, kept, photos, png, write_study
from files import tiff
from PIL import Image

from ablations.records.store import Store
from ablations.report.figures import draw
from ablations.study.study import Study
from vae.datasets import DATASETS

Fault = Callable[[Told, str, str], None]
REFUSED = 2


def refused(source: str, dataset: str = "image_folder") -> tuple[Told, str]:
    """Run a study of these images, which must not come to any training nor leave a file; return what is left too."""
    before = sorted(Path().rglob("*"))
    write_study(f'dataset = ["{dataset}"]\n' + (f"data.path = [{json.dumps(source)}]" if source else ""))
    told = command("run", "mine.toml")
    assert told.code == REFUSED
    assert sorted(Path().rglob("*")) == sorted([*before, Path("mine.toml")])
    return told, kept(Store(Path("results/mine")))


def pack(members: dict[str, bytes]) -> zipfile.ZipFile:
    """Return a zip file of these and two good images, still open."""
    archive = zipfile.ZipFile("photos.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=1)
    for name, content in {"1.png": png(1), "2.png": png(2), **members}.items():
        archive.writestr(name, content)
    return archive


def climbing() -> None:
    pack({"../../climbed.png": png()}).close()


def absolute() -> None:
    pack({"/etc/absolute.png": png()}).close()


def linking() -> None:
    with pack({}) as archive:
        member = zipfile.ZipInfo("linked.png")
        member.create_system = 3  # Unix
        member.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(member, "/etc/passwd")


def bomb() -> None:
    with pack({}) as archive, archive.open("bomb.png", "w") as member:
        for _ in range(300):
            member.write(bytes(10**6))


def liar() -> None:
    with pack({"bomb.png": bytes(10**7)}) as archive:
        archive.getinfo("bomb.png").file_size = 100  # what the directory at the end will say


def foreign() -> None:
    pack({"a\\b.png": png()}).close()


def damaged_lzma() -> None:
    with zipfile.ZipFile("photos.zip", "w", zipfile.ZIP_LZMA) as archive:
        for name in ("1.png", "2.png", "3.png"):
            archive.writestr(name, png(1))
    content = bytearray(Path("photos.zip").read_bytes())
    content[60:90] = b"\xff" * 30
    Path("photos.zip").write_bytes(content)


def torn() -> None:
    pack({}).close()
    Path("photos.zip").write_bytes(Path("photos.zip").read_bytes()[:-30])


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(climbing, marks=pytest.mark.fault("input", "a zip file with a member `../../climbed.png`")),
        pytest.param(absolute, marks=pytest.mark.fault("input", "a zip file with a member of an absolute path")),
        pytest.param(linking, marks=pytest.mark.fault("input", "a zip file with a symbolic link to `/etc/passwd`")),
        pytest.param(bomb, marks=pytest.mark.fault("input", "a zip bomb: 1.3 MB that unpack to 300 MB")),
        pytest.param(liar, marks=pytest.mark.fault("input", "a zip bomb that says it unpacks to 100 bytes")),
        pytest.param(foreign, marks=pytest.mark.fault("input", "a zip file with a member `a\\b.png`, packed on Unix")),
        pytest.param(damaged_lzma, marks=pytest.mark.fault("input", "a zip file packed with LZMA, and damaged")),
        pytest.param(torn, marks=pytest.mark.fault("input", "a zip file that is cut short")),
    ],
)
def test_a_hostile_zip_file(make: Callable[[], None], fault: Fault) -> None:
    make()
    told, left = refused("photos.zip")
    assert not Path("/etc/absolute.png").exists()
    assert not Path("../../climbed.png").exists()
    fault(told, told.line(), left)


def huge() -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(huge(), marks=pytest.mark.fault("input", "an image of 60000 x 60000 pixels in 70 bytes")),
        pytest.param(png()[:-30], marks=pytest.mark.fault("input", "an image that is cut short")),
        pytest.param(b"no image at all", marks=pytest.mark.fault("input", "a text file named `.png`")),
        pytest.param(b"", marks=pytest.mark.fault("input", "an image file of 0 bytes")),
        pytest.param(b"<!DOCTYPE html><html>", marks=pytest.mark.fault("input", "a web page named `.png`")),
        pytest.param(
            b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n",
            marks=pytest.mark.fault("input", "a Git LFS pointer in place of an image"),
        ),
        pytest.param(
            tiff([bytes(13 * 64)], {256: 8, 257: 8, 258: (8,) * 13, 262: 1, 277: 13, 278: 8}),
            marks=pytest.mark.fault("input", "a TIFF of 13 bands, as satellites take them"),
        ),
        pytest.param(
            tiff([bytes(64)], {256: 8, 257: 8, 258: 8, 262: 1, 277: 1, 278: 8, 339: 2}),
            marks=pytest.mark.fault("input", "a TIFF of signed bytes"),
        ),
    ],
    ids=["huge", "cut", "text", "empty", "page", "pointer", "bands", "signed"],
)
def test_an_image_that_is_none(content: bytes, fault: Fault) -> None:
    (photos() / "a" / "bad.png").write_bytes(content)
    told, left = refused("photos")
    fault(told, told.line(), left)


@pytest.mark.fault("input", "38 image files of 1,000 that are none, for `vaebench data check`")
def test_check_lists_all_that_are_none(fault: Fault) -> None:
    Path("photos").mkdir()
    for number in range(1000):
        Path(f"photos/{number:04}.png").write_bytes(png(number) if number % 27 else b"\0" * number)
    told = command("data", "check", "image_folder", "--path", "photos")
    lines = told.errors.splitlines()
    assert [line.partition(":")[0].strip() for line in lines[1:-1]] == [
        f"{number:04}.png" for number in range(0, 1000, 27)
    ]
    fault(told, f"{lines[0]} ({len(lines[1:-1])} lines follow, one a file)", "nothing is written")


@pytest.mark.fault("input", "a link that leaves the folder of images")
def test_a_link_out_of_the_folder(fault: Fault) -> None:
    Path("secret").mkdir()
    Path("secret/0.png").write_bytes(png())
    (photos() / "c").symlink_to(Path("secret").absolute())
    told, left = refused("photos")
    fault(told, told.line(), left)


def move(source: str, target: str) -> None:
    Path(target).parent.mkdir(parents=True, exist_ok=True)
    Path(source).rename(target)


def flat_test() -> None:
    photos("a", "b", folder="photos/train")
    photos("c", folder="photos")
    move("photos/c", "photos/test")


def two_domains() -> None:
    for name in ("trainA", "trainB", "testA", "testB"):
        photos("x", folder=f"photos/{name}")


def split_of_one_side() -> None:
    photos("cat", "Testing")


def links_to_nothing() -> None:
    photos()
    for name in "ab":
        Path(f"photos/{name}/annexed.png").symlink_to("../.git/annex/objects/SHA256E-s12--0.png")


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(flat_test, marks=pytest.mark.fault("input", "`train/` with class folders beside a flat `test/`")),
        pytest.param(two_domains, marks=pytest.mark.fault("input", "two folders for training, `trainA` and `trainB`")),
        pytest.param(split_of_one_side, marks=pytest.mark.fault("input", "a class folder called `Testing`")),
        pytest.param(links_to_nothing, marks=pytest.mark.fault("input", "images that are links to files not fetched")),
    ],
)
def test_folders_that_can_be_read_in_two_ways(make: Callable[[], None], fault: Fault) -> None:
    make()
    told, left = refused("photos")
    fault(told, told.line(), left)


def validation_alone() -> None:
    photos("a", "b", folder="photos/train")
    for name in "ab":
        photos(name, folder="photos/val")
        for index in range(4):  # other images than those for training
            Path(f"photos/val/{name}/{index}.png").write_bytes(png(100 + 10 * ord(name) + index))


def copies() -> None:
    photos()
    for index in range(4):
        Path(f"photos/a/{index} (1).png").write_bytes(Path(f"photos/a/{index}.png").read_bytes())


def dim() -> None:
    for place in map(Path, ("photos/a", "photos/b")):
        place.mkdir(parents=True)
        for index in range(4):
            shades = np.random.default_rng(ord(place.name) + index).integers(0, 4096, (8, 8), np.uint16)
            shades[0, 0] = 4095
            Image.fromarray(shades).save(place / f"{index}.png")


def stacks() -> None:
    for path in photos().rglob("*.png"):
        page = Image.open(path)
        page.save(path.with_suffix(".tif"), save_all=True, append_images=[page] * 29)
        path.unlink()


def of_many_sizes() -> None:
    for number, path in enumerate(sorted(photos().rglob("*.png"))):
        Image.open(path).resize((10 + number, 10 + number)).save(path)


def another_format() -> None:
    (photos() / "a" / "new.heic").write_bytes(b"")


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(validation_alone, marks=pytest.mark.fault("input", "`train/` and `val/`, and no `test/`")),
        pytest.param(copies, marks=pytest.mark.fault("input", "copies of an image on both sides of the split")),
        pytest.param(another_format, marks=pytest.mark.fault("input", "an image of a format that is not read")),
        pytest.param(stacks, marks=pytest.mark.fault("input", "TIFFs of 30 pages")),
        pytest.param(of_many_sizes, marks=pytest.mark.fault("input", "images that all differ in size")),
    ],
)
def test_what_is_told_of_images_that_are_used(make: Callable[[], None], fault: Fault) -> None:
    make()
    told, store = _run_on_photos()
    (record,) = map(store.read, store.names())
    assert record is not None
    line = told.line("image_folder: ")
    assert record.data["notices"] == [line.removeprefix("image_folder: ")]
    checked = command("data", "check", "image_folder", "--path", "photos")
    assert f"notice: {line.removeprefix('image_folder: ')}" in checked.output.splitlines()
    assert "as it should be" not in checked.output
    fault(told, line, kept(store))


class Canary:
    """Makes a folder, and would do anything else, as soon as it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("sung",)


@pytest.mark.fault("input", "a pickle with code in place of CIFAR-10's published file")
def test_a_pickle_with_code(fault: Fault, monkeypatch: pytest.MonkeyPatch) -> None:
    pickle.loads(pickle.dumps(Canary()))  # noqa: S301 - the canary sings
    Path("sung").rmdir()
    folder = Path("cifar10")
    folder.mkdir()
    for file in DATASETS["cifar10"].files:  # type: ignore[attr-defined]
        (folder / file.name).write_bytes(pickle.dumps(Canary(), protocol=4))
    monkeypatch.setenv("VAEBENCH_DATA", str(Path().absolute()))
    told, left = refused("", "cifar10")
    assert not Path("sung").exists()
    fault(told, told.line(), f"{left}; the pickle is not opened")


@pytest.mark.fault("input", "a file of Fashion-MNIST that is cut short")
def test_a_published_file_that_is_cut(fault: Fault, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Path("fashion_mnist")
    folder.mkdir()
    for file in DATASETS["fashion_mnist"].files:  # type: ignore[attr-defined]
        (folder / f"{file.name}.gz").write_bytes(gzip.compress(bytes(1000), mtime=0)[:20])
    monkeypatch.setenv("VAEBENCH_DATA", str(Path().absolute()))
    told, left = refused("", "fashion_mnist")
    fault(told, told.line(), left)


NAMES = (
    "<img src=x onerror=alert(1)>",
    r"\input{x} $x^2_1 100% & #1 ~{",
    "two\nlines",
    "\N{PILE OF POO}",
    "\u202e\u05e9\u05dc\u05d5\u05dd",
)


@pytest.mark.fault(
    "input", "class folders named with HTML, LaTeX, a line break, emoji, right-to-left text, 255 letters"
)
def test_classes_of_any_name(fault: Fault, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ablations.report.report.draw", draw)  # the figures print the names too
    told, store = _trained((*NAMES, "x" * 255))
    (record,) = map(store.read, store.names())
    assert record is not None
    assert record.data["class_names"] == sorted((*NAMES, "x" * 255))
    assert list((store.report / "figures").iterdir())
    assert NAMES[0] not in (store.report / "index.html").read_text()
    fault(told, told.line("study "), f"{kept(store)}, where names are text")


@pytest.mark.fault("input", "a class folder whose name is no text (a byte 0xE9 alone)")
def test_a_class_whose_name_is_no_text(fault: Fault) -> None:
    told, store = _trained(("a", os.fsdecode(b"caf\xe9")))
    (record,) = map(store.read, store.names())
    assert record is not None
    assert record.data["class_names"] == ["a", os.fsdecode(b"caf\xe9")]
    fault(told, told.line("study "), f"{kept(store)}, where it is called `caf[U+DCE9]`")


def _trained(classes: tuple[str, ...]) -> tuple[Told, Store]:
    photos(*classes)
    return _run_on_photos()


@pytest.mark.fault("input", "16-bit images that use 12 bits")
def test_deep_images_that_are_dim(fault: Fault) -> None:
    dim()
    told, store = _run_on_photos()
    fault(told, told.line("image_folder: 16-bit"), kept(store))


class Pickled:
    """An array of such makes a pickle."""


def objects() -> None:
    np.savez("mine.npz", images=np.full((8, 8, 8), Pickled()))


def unscaled() -> None:
    np.savez("mine.npz", images=np.linspace(0, 255, 8 * 64).reshape(8, 8, 8))


def channels_first() -> None:
    np.savez("mine.npz", images=np.zeros((8, 3, 16, 16), np.uint8))


def unknown_names() -> None:
    np.savez("mine.npz", pictures=np.zeros((8, 16, 16), np.uint8))


def cut_array() -> None:
    np.savez("whole.npz", images=np.zeros((8, 16, 16), np.uint8))
    with zipfile.ZipFile("whole.npz") as whole, zipfile.ZipFile("mine.npz", "w") as archive:
        archive.writestr("images.npy", whole.read("images.npy")[:-100])
    Path("whole.npz").unlink()


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(objects, marks=pytest.mark.fault("input", "a `.npz` file of Python objects, which are pickles")),
        pytest.param(unscaled, marks=pytest.mark.fault("input", "arrays of floating-point numbers from 0 to 255")),
        pytest.param(channels_first, marks=pytest.mark.fault("input", "arrays with the channels first")),
        pytest.param(unknown_names, marks=pytest.mark.fault("input", "a `.npz` file whose arrays have other names")),
        pytest.param(cut_array, marks=pytest.mark.fault("input", "an array that is cut short")),
    ],
)
def test_arrays_that_are_no_images(make: Callable[[], None], fault: Fault) -> None:
    make()
    told, left = refused("mine.npz", "arrays")
    fault(told, told.line(), left)


def _run_on_photos() -> tuple[Told, Store]:
    write_study('dataset = ["image_folder"]\ndata.path = ["photos"]\nlatent_dim = [2]')
    return command("run", "mine.toml"), Store(Path("results/mine"))


@pytest.mark.fault("input", "an unreadable image whose name is no text")
def test_an_image_whose_name_is_no_text(fault: Fault) -> None:
    (photos() / "a" / os.fsdecode(b"caf\xe9.png")).write_bytes(b"")
    told, left = refused("photos")
    fault(told, told.line(), left)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("../../../etc/x", marks=pytest.mark.fault("input", "a study named `../../../etc/x`")),
        pytest.param("x" * 300, marks=pytest.mark.fault("input", "a study with a name of 300 letters")),
        pytest.param("a\nb <u>", marks=pytest.mark.fault("input", "a study named with a line break and HTML")),
    ],
    ids=["path", "long", "lines"],
)
def test_a_study_of_any_name(name: str, finished: Path, fault: Fault) -> None:
    begin(finished, "latent_dim = [2]")
    Path("mine.toml").write_text(f"name = {json.dumps(name)}\n{Path('mine.toml').read_text()}")
    folder = Path("results", Study.load("mine.toml").folder_name)
    Path("results/mine").rename(folder)
    around = [*Path().iterdir(), *Path("results").iterdir()]
    told = command("run", "mine.toml")
    assert [*Path().iterdir(), *Path("results").iterdir()] == around
    assert len(folder.name) < 100
    page = (folder / "report" / "index.html").read_text()
    assert html.escape(" ".join(name.split())) in page
    assert "<u>" not in page
    fault(told, told.line("study "), f"{kept(Store(folder))}; all in `{folder}`")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("[axes", marks=pytest.mark.fault("input", "a study file that is no TOML")),
        pytest.param("[axes]\nlatent_dmi = [2]", marks=pytest.mark.fault("input", "a study with a misspelt axis")),
        pytest.param("\0\x1b", marks=pytest.mark.fault("input", "a study file of binary rubbish")),
        pytest.param("# soon\n", marks=pytest.mark.fault("input", "a study file that says nothing")),
        pytest.param(
            "[axes]\nlatent_dim = [2]\n".encode("utf-16"),
            marks=pytest.mark.fault("input", "a study file in UTF-16, as some editors of Windows write it"),
        ),
    ],
    ids=["toml", "axis", "binary", "empty", "utf-16"],
)
def test_a_wrong_study(text: str | bytes, fault: Fault) -> None:
    Path("mine.toml").write_bytes(text if isinstance(text, bytes) else text.encode())
    told = command("run", "mine.toml")
    assert [path.name for path in Path().iterdir()] == ["mine.toml"]
    fault(told, told.line(), kept(Store(Path("results/mine"))))


@pytest.mark.fault("input", "a folder of images named `=1+1`, as a value of an axis")
def test_a_cell_that_a_spreadsheet_would_run(fault: Fault) -> None:
    photos(folder="=1+1")
    write_study('dataset = ["image_folder"]\ndata.path = ["=1+1"]\nlatent_dim = [2]')
    told, store = command("run", "mine.toml"), Store(Path("results/mine"))
    (cell,) = pd.read_csv(store.table_csv)["data.path"]
    fault(told, told.line("study "), f"{kept(store)}; in table.csv the cell reads `{cell}`, which no spreadsheet runs")
