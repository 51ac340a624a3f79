import gzip
import io
import os
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Never

import numpy as np
import pytest

from vae.datasets import DATASETS, check, fingerprint, load
from vae.datasets import _official as official
from vae.datasets._download import download
from vae.datasets._parse import parse_idx
from vae.errors import DataError
from vae.spec import DataSpec

OFFICIAL = ["mnist", "fashion_mnist", "cifar10", "cifar100"]
IMAGES, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("name", OFFICIAL)
def test_files_are_found_where_people_put_them(
    name: str, compressed: bool, install: Callable[..., Any], empty_machine: Path
) -> None:
    expected = None
    for folder in ("", name, *DATASETS[name].folders):
        target = empty_machine / folder
        contents = install(name, target, compressed=compressed)
        data = load(DataSpec(name=name))
        expected = expected or data.checksum
        assert data.checksum == expected == fingerprint(DataSpec(name=name))
        for file in contents:
            (target / f"{file}{'.gz' if compressed else ''}").unlink()


def test_idx_files_become_images_and_labels(install: Callable[..., Any], empty_machine: Path) -> None:
    contents = install("mnist", empty_machine)
    data = load(DataSpec(name="mnist"))
    assert np.array_equal(data.train.images[..., 0], parse_idx(contents[IMAGES], IMAGES))
    assert np.array_equal(data.train.labels, parse_idx(contents[LABELS], LABELS))
    assert data.test.images.shape == (20, 28, 28, 1)


def test_own_folder_then_keras_then_system(
    install: Callable[..., Any], empty_machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = empty_machine.parent
    order = [empty_machine, root / "keras" / "datasets" / "fashion-mnist", root / "system" / "fashion-mnist"]
    for folder in order:
        install("fashion_mnist", folder, compressed=True)
    for folder in order:
        assert str(folder) in check("fashion_mnist")[0]
        for file in folder.iterdir():
            file.unlink()
    with pytest.raises(DataError, match="found nowhere"):
        check("fashion_mnist")


def test_the_keras_cache_keeps_mnist_in_one_file(publish: Callable[..., Any], empty_machine: Path) -> None:
    contents = publish("mnist")
    arrays = {
        key: parse_idx(content, key)
        for key, content in zip(("x_train", "y_train", "x_test", "y_test"), contents.values(), strict=True)
    }
    folder = empty_machine.parent / "keras" / "datasets"
    folder.mkdir()
    np.savez(folder / "mnist.npz", **arrays)
    data = load(DataSpec(name="mnist"))
    assert np.array_equal(data.test.images[..., 0], arrays["x_test"])
    assert "mnist.npz" in check("mnist")[0]

    np.savez(folder / "mnist.npz", **(arrays | {"y_test": arrays["y_test"] + np.uint8(1)}))
    with pytest.raises(DataError, match=r"mnist\.npz is not the official t10k-labels"):
        load(DataSpec(name="mnist"))
    del arrays["x_train"]
    np.savez(folder / "mnist.npz", **arrays)
    with pytest.raises(DataError, match=r"mnist\.npz is damaged or has not the arrays"):
        load(DataSpec(name="mnist"))


def test_arrays_that_need_a_pickle_are_refused(publish: Callable[..., Any], empty_machine: Path) -> None:
    publish("mnist")
    np.savez(empty_machine / "mnist.npz", x_train=np.array([print], object))
    with pytest.raises(DataError, match=r"mnist\.npz is damaged"):
        load(DataSpec(name="mnist"))


@pytest.mark.parametrize("name", ["cifar10", "cifar100"])
def test_batches_are_read_from_the_archive_without_unpacking(
    name: str, publish: Callable[..., Any], empty_machine: Path
) -> None:
    contents = publish(name)
    archive = empty_machine / DATASETS[name].archives[0]

    def pack(files: dict[str, bytes]) -> None:
        with tarfile.open(archive, "w:gz") as packed:
            for file, content in files.items():
                member = tarfile.TarInfo(f"../../{file}")  # the path is never used
                member.size = len(content)
                packed.addfile(member, io.BytesIO(content))

    pack(contents)
    data = load(DataSpec(name=name))
    assert len(data.train.images) == 40
    assert list(empty_machine.iterdir()) == [archive]

    pack(dict(list(contents.items())[1:]))
    with pytest.raises(DataError, match=f"lacks {next(iter(contents))}"):
        fingerprint(DataSpec(name=name))
    archive.write_bytes(archive.read_bytes()[:-200])
    with pytest.raises(DataError, match=r"damaged or incomplete|lacks"):
        fingerprint(DataSpec(name=name))


def test_a_missing_file_is_named_with_every_place(install: Callable[..., Any], empty_machine: Path) -> None:
    install("mnist", empty_machine / "mnist")
    (empty_machine / "mnist" / IMAGES).unlink()
    with pytest.raises(DataError) as caught:
        load(DataSpec(name="mnist"))
    message = str(caught.value)
    assert message.startswith(f"MNIST is not complete: {empty_machine / 'mnist'} lacks {IMAGES}\n")
    for place in (
        "$VAEBENCH_DATA",
        str(empty_machine.parent / "keras"),
        str(empty_machine.parent / "system" / "mnist"),
    ):
        assert place in message
    assert "VAEBENCH_OFFLINE" in message


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (
            lambda content: content[:-1] + bytes([content[-1] ^ 1]),
            r"is not the official .* 00000803, SHA-256 .*expected",
        ),
        (lambda content: content[:100], "got 100 bytes beginning with 00000803"),
        (lambda content: content + b"more", r"got more than 31,376 bytes"),
        (lambda content: b"", "got 0 bytes beginning with nothing"),
        (lambda content: b"<html>", "beginning with 3c68746d"),
    ],
)
def test_a_wrong_file_is_named_with_what_was_expected(
    damage: Callable[..., Any], message: str, install: Callable[..., Any], empty_machine: Path
) -> None:
    contents = install("mnist", empty_machine)
    assert len(contents[IMAGES]) == 31_376
    (empty_machine / IMAGES).write_bytes(damage(contents[IMAGES]))
    with pytest.raises(DataError, match=message) as caught:
        load(DataSpec(name="mnist"))
    assert str(empty_machine / IMAGES) in str(caught.value)


@pytest.mark.parametrize("cut", [5, 500])
def test_a_cut_gz_file_is_named(cut: int, install: Callable[..., Any], empty_machine: Path) -> None:
    contents = install("mnist", empty_machine, compressed=True)
    (empty_machine / f"{IMAGES}.gz").write_bytes(gzip.compress(contents[IMAGES])[:cut])
    with pytest.raises(DataError, match=rf"{IMAGES}\.gz is damaged or cut short.*Expected 31,376 bytes"):
        load(DataSpec(name="mnist"))


def test_a_batch_is_unpickled_only_if_it_is_the_published_one(
    install: Callable[..., Any], empty_machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    contents = install("cifar10", empty_machine)
    (empty_machine / "data_batch_3").write_bytes(contents["data_batch_2"])

    def refuse(*_: object) -> Never:
        raise AssertionError("unpickled")

    monkeypatch.setattr("vae.datasets._cifar.parse_batch", refuse)
    with pytest.raises(DataError, match="data_batch_3 is not the official data_batch_3"):
        load(DataSpec(name="cifar10"))


def test_a_file_replaced_by_one_of_its_size_and_time_is_seen(
    install: Callable[..., Any], empty_machine: Path, at_once: None
) -> None:
    contents = install("cifar10", empty_machine)
    path = empty_machine / "test_batch"
    os.utime(path, (1e9, 1e9))
    fingerprint(DataSpec(name="cifar10"))
    path.write_bytes(contents["test_batch"][:-1] + b"!")
    os.utime(path, (1e9, 1e9))
    with pytest.raises(DataError, match="test_batch is not the official"):
        fingerprint(DataSpec(name="cifar10"))


def test_a_file_that_changes_behind_the_ledger_is_not_decoded(
    install: Callable[..., Any], empty_machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    contents = install("cifar10", empty_machine)
    (empty_machine / "test_batch").write_bytes(contents["test_batch"][:-1] + b"!")
    monkeypatch.setattr(official.Ledger, "digest", lambda _, __, ___, published: published)
    fingerprint(DataSpec(name="cifar10"))
    with pytest.raises(DataError, match="test_batch is not the official"):
        load(DataSpec(name="cifar10"))


def test_verified_files_are_not_read_again(
    install: Callable[..., Any], empty_machine: Path, monkeypatch: pytest.MonkeyPatch, at_once: None
) -> None:
    install("mnist", empty_machine)
    data = load(DataSpec(name="mnist"))

    def refuse(*_: object) -> Never:
        raise AssertionError("read again")

    monkeypatch.setattr(official, "_read", refuse)
    assert np.array_equal(load(DataSpec(name="mnist")).train.images, data.train.images)


def test_files_of_the_same_name_are_not_taken_for_anothers(install: Callable[..., Any], empty_machine: Path) -> None:
    install("mnist", empty_machine)
    install("fashion_mnist", empty_machine.parent / "system" / "fashion-mnist", compressed=True)
    assert "system" in check("fashion_mnist")[0]
    (empty_machine.parent / "system").rename(empty_machine.parent / "gone")
    with pytest.raises(DataError, match=r"(?s)found nowhere.*its files are those of MNIST"):
        load(DataSpec(name="fashion_mnist"))


def test_what_is_found_nowhere_is_fetched_once(
    publish: Callable[..., Any], install: Callable[..., Any], empty_machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def fetch(module: str) -> None:
        asked.append(module)
        install("fashion_mnist", empty_machine.parent / "keras" / "datasets" / "fashion-mnist", compressed=True)

    monkeypatch.setattr(official, "fetch", fetch)
    publish("fashion_mnist")
    assert load(DataSpec(name="fashion_mnist")).shape == (28, 28, 1)
    assert asked == ["fashion_mnist"]
    load(DataSpec(name="fashion_mnist"))
    assert asked == ["fashion_mnist"]


def test_a_failed_download_is_told_with_the_places(empty_machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fetch(module: str) -> Never:
        raise DataError("failed: no route to host")

    monkeypatch.setattr(official, "fetch", fetch)
    with pytest.raises(DataError, match=r"(?s)Needed: train.*Looked in.*download: failed: no route to host"):
        fingerprint(DataSpec(name="cifar100"))


def test_offline_means_offline() -> None:
    with pytest.raises(DataError, match="VAEBENCH_OFFLINE"):
        download("mnist")


def test_a_download_goes_through_keras_and_keeps_standard_output_clean(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Module:
        @staticmethod
        def load_data() -> Never:
            print("Downloading")  # noqa: T201
            raise Exception("URL fetch failure")  # noqa: TRY002 - just what Keras does

    monkeypatch.delenv("VAEBENCH_OFFLINE")
    monkeypatch.setattr("vae.datasets._download.importlib.import_module", {"keras.datasets.mnist": Module}.__getitem__)
    with pytest.raises(DataError, match="failed: URL fetch failure"):
        download("mnist")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "Downloading" in captured.err


@pytest.mark.parametrize("name", OFFICIAL)
def test_check_reads_every_file(name: str, install: Callable[..., Any], empty_machine: Path) -> None:
    contents = install(name, empty_machine)
    lines = check(name)
    for file in contents:
        assert any(line.startswith(f"{file}: ") and "SHA-256" in line for line in lines)


def test_a_file_of_another_data_set_is_refused_where_only_this_one_can_be(
    install: Callable[..., Any],
    empty_machine: Path,
) -> None:
    contents = install("fashion_mnist", empty_machine.parent / "elsewhere")
    install("mnist", empty_machine / "mnist")
    (empty_machine / "mnist" / IMAGES).write_bytes(contents[IMAGES])
    with pytest.raises(DataError, match="is not the official"):
        load(DataSpec(name="mnist"))


def test_damage_in_a_shared_folder_is_told(install: Callable[..., Any], empty_machine: Path) -> None:
    install("mnist", empty_machine, compressed=True)
    (empty_machine / f"{IMAGES}.gz").write_bytes(b"")
    with pytest.raises(DataError, match=rf"{IMAGES}\.gz is not the official .*got 0 bytes"):
        load(DataSpec(name="mnist"))
