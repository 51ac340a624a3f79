"""Disks that are full or read-only, folders that vanish: a clear line, and all that is finished stays readable."""

import errno
import html
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from catalogue import Told, begin, command, kept, photos, settle, write_study
from tracking import tracking, two_epochs

from ablations.records.draft import Draft
from ablations.records.store import Store
from vae import checkpoint, evaluation, training

Fault = Callable[[Told, str, str], None]


def failing(code: int) -> Callable[..., None]:
    """Return a function that fails as a system call does."""

    def fail(*_: object, **__: object) -> None:
        raise OSError(code, os.strerror(code))

    return fail


full = failing(errno.ENOSPC)


@pytest.mark.fault("resources", "the disk is full as a trial ends")
def test_no_room_for_a_trial(finished: Path, fault: Fault, monkeypatch: pytest.MonkeyPatch) -> None:
    store = begin(finished)
    with monkeypatch.context() as patch:
        patch.setattr(Draft, "write_record", full)
        told = command("run", "mine.toml")
    left = kept(store)
    assert [one.status for one in store.ledger.attempts()] == ["done", "interrupted"]
    assert command("run", "mine.toml").code == 0
    fault(told, told.line(), f"{left}; with room again, the same command does the rest")


@pytest.mark.fault("resources", "the disk is full as a checkpoint is written")
def test_no_room_for_a_checkpoint(finished: Path, fault: Fault, monkeypatch: pytest.MonkeyPatch) -> None:
    store = begin(finished)
    monkeypatch.setattr(training, "CHECKPOINT_SHARE", float("inf"))
    monkeypatch.setattr(checkpoint.Path, "open", _full_for(".partial", checkpoint.Path.open))
    told = command("run", "mine.toml")
    (note,) = (
        record.notes["checkpoints"] for name in store.names() if "checkpoints" in (record := _record(store, name)).notes
    )
    fault(told, f"checkpoints: {note} (in record.json)", f"{kept(store)}; the training is not disturbed")


def _record(store: Store, name: str) -> Any:
    return store.read(name)


def _full_for(start: str, whole: Callable[..., Any]) -> Callable[..., Any]:
    def open_(path: Path, *rest: Any, **settings: Any) -> Any:
        if path.name.startswith(start) and path.parent.parent.name == "work":
            full()
        return whole(path, *rest, **settings)

    return open_


@pytest.mark.parametrize(
    "place",
    [
        pytest.param(
            "records.tables", marks=pytest.mark.fault("resources", "the disk is full as the tables are written")
        ),
        pytest.param("report.files", marks=pytest.mark.fault("resources", "the disk is full as the report is written")),
    ],
)
def test_no_room_for_tables_or_report(
    place: str, finished: Path, fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = begin(finished, "latent_dim = [2]")
    before = store.table_csv.read_bytes(), (store.report / "index.html").read_bytes()
    monkeypatch.setattr(f"ablations.{place}.write_atomically", full)
    told = command("run", "mine.toml")
    assert (store.table_csv.read_bytes(), (store.report / "index.html").read_bytes()) == before
    fault(told, told.line(), f"{kept(store)}, as they were before")


@pytest.mark.fault("resources", "the disk is full as an attempt is logged (here the log is `/dev/full`)")
def test_no_room_for_the_log(finished: Path, fault: Fault) -> None:
    store = begin(finished)
    store.ledger.path.unlink()
    store.ledger.path.symlink_to("/dev/full")
    told = command("run", "mine.toml")
    fault(told, told.line(), kept(store))


@pytest.mark.fault("resources", "the results are on a file system that is read-only")
def test_read_only_results(fault: Fault, monkeypatch: pytest.MonkeyPatch) -> None:
    write_study()
    with monkeypatch.context() as patch:  # root, who often runs tests, may write anywhere: the call itself must fail
        patch.setattr(Path, "mkdir", failing(errno.EROFS))
        told = command("run", "mine.toml")
    fault(told, told.line(), kept(Store(Path("results/mine"))))


@pytest.mark.fault("resources", "there is a file where the results should go")
def test_results_that_are_a_file(fault: Fault) -> None:
    write_study()
    Path("results").write_text("notes of mine")
    told = command("run", "mine.toml")
    assert Path("results").read_text() == "notes of mine"
    fault(told, told.line(), "nothing was begun, the file is left alone")


@pytest.fixture(scope="module")
def vanished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Told, Store]:
    """Run a study whose images, and the cache, are removed after the first of two trials."""
    whole = evaluation.evaluate
    folder = tmp_path_factory.mktemp("vanished")

    def evaluate(*arguments: Any) -> Any:
        try:
            return whole(*arguments)
        finally:
            shutil.rmtree("photos")
            shutil.rmtree("cache")

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        settle(patch)
        patch.setenv("VAEBENCH_CACHE", str(folder / "cache"))
        patch.setattr(evaluation, "evaluate", evaluate)
        photos()
        write_study('dataset = ["image_folder"]\ndata.path = ["photos"]\nlatent_dim = [2]\ndata.limit = [4, 3]')
        return command("run", "mine.toml"), Store(folder / "results" / "mine")


@pytest.mark.fault("resources", "the images are removed while the study runs, and the cache with them")
def test_images_that_vanish(vanished: tuple[Told, Store], fault: Fault, monkeypatch: pytest.MonkeyPatch) -> None:
    told, store = vanished
    monkeypatch.chdir(store.root.parents[1])
    fault(told, told.line("data_error "), kept(store))


@pytest.mark.fault("resources", "the images of a study are gone, and one asks for `vaebench report`")
def test_a_report_without_the_images(
    vanished: tuple[Told, Store], fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = vanished[1]
    monkeypatch.chdir(store.root.parents[1])
    for path in (store.table_csv, store.report / "index.html"):
        path.unlink()
    status = command("status", str(store.root))
    assert "1 done" in status.output
    assert "1 data_error" in status.output
    told = command("report", str(store.root), "--no-pdf")
    assert command("run", "mine.toml").code == 2
    fault(told, told.line("data_error "), kept(store))


@pytest.mark.fault("resources", "the images of a study are replaced by others")
def test_images_that_change(fault: Fault) -> None:
    write_study('dataset = ["image_folder"]\ndata.path = ["photos"]\nlatent_dim = [2]')
    store = Store(Path("results/mine"))
    for classes in (("a", "b"), ("c", "d")):
        shutil.rmtree("photos", ignore_errors=True)
        photos(*classes)
        told = command("run", "mine.toml")
    seen = sorted(record.data["class_names"] for name in store.names() if (record := store.read(name)))
    assert seen == [["a", "b"], ["c", "d"]]
    fault(told, told.line("study "), f"{kept(store)}; the trial of the earlier images is kept, and no row of the table")


@pytest.mark.fault("resources", "a cached array is damaged, and its size and time are as before")
def test_a_cache_that_is_damaged(fault: Fault, monkeypatch: pytest.MonkeyPatch) -> None:
    photos()
    monkeypatch.setenv("VAEBENCH_CACHE", str(Path("cache").absolute()))
    write_study('dataset = ["image_folder"]\ndata.path = ["photos"]\nlatent_dim = [2]')
    assert command("plan", "mine.toml").code == 0
    (path,) = Path("cache").rglob("train_images.npy")
    content, status = path.read_bytes(), path.stat()
    path.write_bytes(content[:-64] + bytes(64))
    os.utime(path, (status.st_mtime, status.st_mtime))
    told = command("run", "mine.toml")
    (again,) = Path("cache").rglob("train_images.npy")
    assert again.read_bytes() == content
    fault(told, told.line("study "), f"{kept(Store(Path('results/mine')))}; the images are decoded afresh")


@pytest.mark.fault("resources", "the cache of decoded images can't be written")
def test_a_cache_that_cannot_be_written(fault: Fault, monkeypatch: pytest.MonkeyPatch) -> None:
    photos()
    Path("cache").write_text("")
    monkeypatch.setenv("VAEBENCH_CACHE", str(Path("cache").absolute()))
    write_study('dataset = ["image_folder"]\ndata.path = ["photos"]\nlatent_dim = [2]')
    told = command("run", "mine.toml")
    fault(told, told.line("study "), f"{kept(Store(Path('results/mine')))}; images are decoded each time")


@pytest.mark.fault("resources", "the server that `--mlflow` names falls silent in the middle of a study")
def test_a_tracking_server_that_falls_silent(finished: Path, fault: Fault, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    store = begin(finished, epochs=4)
    with tracking(two_epochs) as server:
        told = command("run", "mine.toml", "--mlflow", server.address)
    fault(told, told.line("the watcher "), kept(store))


@pytest.mark.fault("resources", "the server that `--mlflow` names says nothing from the start")
def test_a_tracking_server_that_says_nothing(fault: Fault, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    write_study()
    with tracking(lambda asked: False) as server:
        told = command("run", "mine.toml", "--mlflow", server.address)
    fault(told, told.line(), kept(Store(Path("results/mine"))))


@pytest.mark.fault(
    "resources", "`report/figures` is a link to a folder of one's own, and one asks for `vaebench report`"
)
def test_figures_that_are_a_link(finished: Path, fault: Fault) -> None:
    store = begin(finished, "latent_dim = [2]")
    mine = Path("mine")
    mine.mkdir()
    (mine / "holiday.png").write_bytes(b"precious")
    shutil.rmtree(store.report / "figures", ignore_errors=True)
    (store.report / "figures").symlink_to(mine.absolute(), target_is_directory=True)
    told = command("report", str(store.root), "--no-pdf")
    assert [path.name for path in mine.iterdir()] == ["holiday.png"]
    fault(told, told.line(), f"{kept(store)}; the folder at the link's end is left alone")


@pytest.mark.parametrize(
    "file",
    [
        pytest.param(
            "arrays.npz",
            marks=pytest.mark.fault(
                "resources", "a bit of a finished trial's `arrays.npz` has changed, and one asks for `vaebench report`"
            ),
        ),
        pytest.param(
            "history.csv",
            marks=pytest.mark.fault(
                "resources", "a finished trial's `history.csv` is empty, and one asks for `vaebench report`"
            ),
        ),
    ],
)
def test_a_damaged_file_of_a_trial(file: str, finished: Path, fault: Fault) -> None:
    store = begin(finished, "latent_dim = [2]")
    path = store.trials / store.names()[0] / file
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content if file == "arrays.npz" else b"")
    told = command("report", str(store.root), "--no-pdf")
    line = told.line("notice: ")
    page = html.unescape((store.report / "index.html").read_text(encoding="utf-8"))
    assert line.removeprefix("notice: ") in page
    fault(told, line, f"{kept(store)}, which says so too")


@pytest.mark.fault("resources", "there is no room for what `vaebench compare` prints (here into `/dev/full`)")
def test_no_room_for_what_is_printed(finished: Path, fault: Fault) -> None:
    store = begin(finished, "latent_dim = [2]")
    words = [sys.executable, "-m", "vaebench", "compare", str(store.root), str(store.root)]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(words, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    told = Told(done.returncode, "", done.stderr)
    fault(told, told.line(), f"{kept(store)}; equal results are not taken for worse ones, whose exit code is 1")


@pytest.mark.fault("resources", "the reader of what `vaebench compare` prints goes early")
def test_a_reader_that_goes(finished: Path, fault: Fault) -> None:
    store = begin(finished, "latent_dim = [2]")
    reading, writing = os.pipe()
    os.close(reading)
    words = [sys.executable, "-m", "vaebench", "compare", str(store.root), str(store.root)]
    done = subprocess.run(words, stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writing)
    assert done.stderr == ""
    fault(Told(done.returncode, "", ""), "", f"{kept(store)}; the exit code is that of the comparison")
