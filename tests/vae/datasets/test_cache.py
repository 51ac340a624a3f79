import json
import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Never

import numpy as np
import pytest
import sklearn.datasets

from vae.cache import Ledger, cache_folder, check_arrays, read_arrays, read_everything, remembered, write_arrays
from vae.datasets import _load as loading
from vae.datasets import check, digits, load
from vae.files import PARTIAL
from vae.spec import DataSpec

ARRAYS = {"a": np.arange(600, dtype=np.uint8).reshape(10, 60), "b": np.arange(10)}


def entry(cache: Path) -> Path:
    (found,) = (cache / "arrays").iterdir()
    return found


def test_arrays_come_back_as_read_only_maps(cache: Path) -> None:
    assert write_arrays("key", ARRAYS, {"names": ["é"]})
    arrays, notes = read_arrays("key")
    assert notes == {"names": ["é"]}
    for name, array in ARRAYS.items():
        assert np.array_equal(arrays[name], array)
        assert not arrays[name].flags.writeable
        assert not arrays[name].flags.owndata
    assert entry(cache).name == "key"


def test_what_was_never_kept_is_not_there() -> None:
    assert read_arrays("key") is None


def flip(folder: Path) -> None:
    content = bytearray((folder / "a.npy").read_bytes())
    content[-1] ^= 1
    (folder / "a.npy").write_bytes(content)


def cut(folder: Path) -> None:
    (folder / "a.npy").write_bytes((folder / "a.npy").read_bytes()[:-10])


def lose(folder: Path) -> None:
    (folder / "b.npy").unlink()


def garble(folder: Path) -> None:
    (folder / "meta.json").write_text("[]")


def empty(folder: Path) -> None:
    (folder / "a.npy").write_bytes(b"")
    meta = json.loads((folder / "meta.json").read_text())
    meta["arrays"]["a"] |= {"size": 0, "blocks": []}
    (folder / "meta.json").write_text(json.dumps(meta))
    os.utime(folder / "a.npy", (1e9, 1e9))


def replaced(folder: Path) -> None:
    flip(folder)
    os.utime(folder / "a.npy", (1e9, 1e9))


@pytest.mark.parametrize("damage", [flip, cut, lose, garble, empty, replaced])
def test_a_damaged_entry_is_seen_and_replaced(damage: Callable[..., Any], cache: Path) -> None:
    write_arrays("key", ARRAYS, {})
    damage(entry(cache))
    assert read_arrays("key") is None
    assert write_arrays("key", ARRAYS, {})
    assert np.array_equal(read_arrays("key")[0]["a"], ARRAYS["a"])
    assert entry(cache).name == "key"


LARGE = {"a": np.random.default_rng(0).integers(0, 256, (64, 2**18), np.uint8)}  # 64 blocks, of which 16 are looked at


def test_a_large_array_of_other_content_is_seen_at_once(cache: Path) -> None:
    write_arrays("key", LARGE, {})
    path = entry(cache) / "a.npy"
    content = path.read_bytes()
    path.write_bytes(content[:200] + bytes(len(content) - 200))
    os.utime(path, (1e9, 1e9))
    assert read_arrays("key") is None


def test_one_flipped_bit_of_a_large_array_is_seen_in_time_or_by_a_check(cache: Path) -> None:
    write_arrays("key", LARGE, {})
    assert all(read_arrays("key") is not None for _ in range(20))
    path = entry(cache) / "a.npy"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    os.utime(path, (1e9, 1e9))
    assert any(read_arrays("key") is None for _ in range(200))  # each time by a chance of 16 in 65
    assert read_arrays("key", whole=True) is None
    assert check_arrays(lambda _: True) == (0, 1)
    assert list((cache / "arrays").iterdir()) == []


def test_a_check_looks_at_the_entries_concerned(cache: Path) -> None:
    for name in ("one", "other"):
        write_arrays(name, ARRAYS, {"of": name})
        replaced(cache / "arrays" / name)
    assert check_arrays(lambda notes: notes["of"] == "one") == (0, 1)
    assert [path.name for path in (cache / "arrays").iterdir()] == ["other"]


def old(folder: Path) -> None:
    """Make an entry what earlier versions wrote: a checksum of the whole alone."""
    meta = json.loads((folder / "meta.json").read_text())
    for listed in meta["arrays"].values():
        del listed["blocks"]
    (folder / "meta.json").write_text(json.dumps(meta))


def test_an_entry_of_earlier_versions_serves_and_is_hashed_as_a_whole_once(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_arrays("key", ARRAYS, {"names": ["é"]})
    old(entry(cache))
    arrays, notes = read_arrays("key")
    assert np.array_equal(arrays["a"], ARRAYS["a"])
    assert notes == {"names": ["é"]}

    def refuse(path: Path) -> Never:
        raise AssertionError(path)

    monkeypatch.setattr("vae.cache.sha256_of_file", refuse)
    assert np.array_equal(read_arrays("key")[0]["a"], ARRAYS["a"])


def test_an_entry_of_earlier_versions_of_other_content_is_not_trusted(cache: Path) -> None:
    write_arrays("key", ARRAYS, {})
    old(entry(cache))
    replaced(entry(cache))
    assert read_arrays("key") is None


def test_an_entry_copied_without_its_times_still_serves(cache: Path) -> None:
    write_arrays("key", ARRAYS, {})
    for path in entry(cache).iterdir():
        os.utime(path)
    assert np.array_equal(read_arrays("key")[0]["a"], ARRAYS["a"])


def test_many_writers_at_once_leave_one_whole_entry(cache: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(lambda _: write_arrays("key", ARRAYS, {}), range(40)))
    assert entry(cache).name == "key"
    assert np.array_equal(read_arrays("key")[0]["a"], ARRAYS["a"])


def test_what_killed_writers_left_is_swept(cache: Path) -> None:
    old, young = (cache / "arrays" / name for name in (".tmp-old", ".tmp-young"))
    for folder in (old, young):
        folder.mkdir(parents=True)
    os.utime(old, (1e9, 1e9))
    write_arrays("key", ARRAYS, {})
    assert not old.exists()
    assert young.exists()


@pytest.mark.parametrize("cache_is", ["a file", "below a file"])
def test_without_a_cache_all_works_but_slower(
    cache_is: str, cache: Path, install: Callable[..., Any], empty_machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install("mnist", empty_machine)
    expected = load(DataSpec(name="mnist"))
    blocked = cache.with_name("blocked")
    blocked.write_text("")
    monkeypatch.setenv("VAEBENCH_CACHE", str(blocked if cache_is == "a file" else blocked / "cache"))
    for _ in range(2):
        data = load(DataSpec(name="mnist"))
        assert np.array_equal(data.train.images, expected.train.images)
        assert data.checksum == expected.checksum


def test_images_are_decoded_once_and_again_after_damage(
    install: Callable[..., Any], empty_machine: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install("mnist", empty_machine)
    decoded = []
    finished = loading._finished
    monkeypatch.setattr(loading, "_finished", lambda *both: decoded.append(1) or finished(*both))
    first = load(DataSpec(name="mnist"))
    second = load(DataSpec(name="mnist", limit=20))
    assert len(decoded) == 1  # the limit is taken from the same entry
    flipped = entry(cache) / "train_images.npy"
    content = flipped.read_bytes()
    flipped.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    third = load(DataSpec(name="mnist"))
    assert len(decoded) == 2
    assert np.array_equal(first.test.images, second.test.images)
    assert np.array_equal(third.train.images[..., 0].ravel()[-1:], np.frombuffer(content[-1:], np.uint8))


def test_loaded_images_are_pages_that_workers_share(install: Callable[..., Any], empty_machine: Path) -> None:
    install("mnist", empty_machine)
    for _ in range(2):  # decoded, then from the cache
        data = load(DataSpec(name="mnist"))
        for images in (data.train.images, data.test.images):
            assert not images.flags.writeable
            owner: Any = images
            while not isinstance(owner, np.memmap) and owner is not None:
                owner = owner.base
            assert owner is not None, "a copy of its own"
            assert owner.mode == "r"


def test_digits_come_from_the_cache_and_after_damage_from_scikit_learn(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    load_digits = sklearn.datasets.load_digits
    monkeypatch.setattr(sklearn.datasets, "load_digits", lambda: asked.append(1) or load_digits())
    found = []
    for times in (1, 1, 2):
        digits._digits.cache_clear()
        found.append(load(DataSpec(name="digits")))
        assert len(asked) == times
        if len(found) == 2:
            flipped = entry(cache) / "images.npy"
            content = flipped.read_bytes()
            flipped.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    digits._digits.cache_clear()
    assert len({data.checksum for data in found}) == 1
    assert all(np.array_equal(data.train.images, found[0].train.images) for data in found)


def test_an_entry_of_another_shape_is_not_trusted(
    install: Callable[..., Any], empty_machine: Path, cache: Path
) -> None:
    install("mnist", empty_machine)
    load(DataSpec(name="mnist"))
    key = entry(cache).name
    (entry(cache) / "meta.json").write_text("{}")
    wrong = np.zeros((3, 4), np.float32)
    write_arrays(key, {"train_images": wrong, "test_images": wrong}, {"class_names": []})
    assert load(DataSpec(name="mnist")).shape == (28, 28, 1)
    assert read_arrays(key)[0]["train_images"].shape == (40, 28, 28, 1)


def test_an_entry_of_other_counts_is_not_trusted(install: Callable[..., Any], empty_machine: Path, cache: Path) -> None:
    install("mnist", empty_machine)
    load(DataSpec(name="mnist"))
    arrays, notes = read_arrays(entry(cache).name)
    write_arrays(entry(cache).name, {name: array[:5] for name, array in arrays.items()}, notes)
    assert len(load(DataSpec(name="mnist")).train.images) == 40


def test_digits_of_other_counts_are_not_trusted(cache: Path) -> None:
    digits._digits.cache_clear()
    load(DataSpec(name="digits"))
    arrays, notes = read_arrays(entry(cache).name)
    write_arrays(entry(cache).name, arrays | {"images": arrays["images"][:5]}, notes)
    digits._digits.cache_clear()
    assert len(load(DataSpec(name="digits")).train.images) == 1257


def test_a_check_compares_what_was_decoded_before(
    install: Callable[..., Any], empty_machine: Path, cache: Path
) -> None:
    install("mnist", empty_machine)
    load(DataSpec(name="mnist"))
    load(DataSpec(name="mnist", size=(16, 16)))
    assert "cached arrays: 2, every byte as it was written" in check("mnist")
    for folder in (cache / "arrays").iterdir():
        path = folder / "train_images.npy"
        content = path.read_bytes()
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        os.utime(path, (1e9, 1e9))
        break
    lines = check("mnist")
    assert "cached arrays: 1, every byte as it was written" in lines
    assert lines[-1].startswith("notice: damaged cached arrays: 1, removed")
    assert len(list((cache / "arrays").iterdir())) == 1


def test_the_cache_folder_follows_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert cache_folder() == Path(os.environ["VAEBENCH_CACHE"])
    monkeypatch.delenv("VAEBENCH_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "vaebench"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")  # to be ignored, by the standard
    assert cache_folder() == Path.home() / ".cache" / "vaebench"

    def homeless() -> Never:
        raise RuntimeError

    monkeypatch.setattr(Path, "home", homeless)
    assert cache_folder() is None
    assert not write_arrays("key", ARRAYS, {})
    assert read_arrays("key") is None


@pytest.fixture
def settled(tmp_path: Path, at_once: None) -> Path:
    path = tmp_path / "file"
    path.write_text("one")
    os.utime(path, (1e9, 1e9))
    return path


def ask(path: Path, answer: str) -> str:
    ledger = Ledger(path.parent)
    found = ledger.digest(path, lambda: answer)
    ledger.save()
    return found


@pytest.mark.skipif(sys.platform == "win32", reason="knows the time of a file's creation, not of its change")
def test_a_file_replaced_by_one_of_its_size_and_time_is_hashed(settled: Path) -> None:
    assert ask(settled, "first") == "first"
    settled.write_text("two")
    os.utime(settled, (1e9, 1e9))
    assert ask(settled, "second") == "second"
    other = settled.with_name("other")
    other.write_text("six")
    os.utime(other, (1e9, 1e9))
    other.replace(settled)
    assert ask(settled, "third") == "third"
    assert ask(settled, "fourth") == "third"


def test_what_is_remembered_can_be_left_aside(settled: Path) -> None:
    assert ask(settled, "first") == "first"
    with read_everything():
        assert ask(settled, "second") == "second"
    assert ask(settled, "third") == "second"


def test_the_ledger_remembers_by_size_and_time(settled: Path) -> None:
    assert ask(settled, "first") == "first"
    assert ask(settled, "second") == "first"
    os.utime(settled, (1e9, 1e9 + 1))
    assert ask(settled, "third") == "third"
    settled.write_text("four")
    os.utime(settled, (1e9, 1e9 + 1))
    assert ask(settled, "fourth") == "fourth"


@pytest.mark.parametrize("garbage", [None, "", "[]", '{"key": "other", "value": true}', '{"key": "key", "value": 1}'])
def test_a_fact_is_found_out_once_unless_it_is_damaged(garbage: str | None, cache: Path) -> None:
    assert remembered("key", lambda: False) is False
    assert remembered("other", lambda: True) is True
    if garbage is not None:
        for path in (cache / "facts").iterdir():
            path.write_text(garbage)
    assert remembered("key", lambda: True) is (garbage is not None)


def test_the_ledger_keeps_parts_apart(settled: Path) -> None:
    ledger = Ledger(settled)
    assert [ledger.digest(settled, lambda part=part: part, part) for part in ("a", "b", "a")] == ["a", "b", "a"]


def test_a_file_just_written_is_not_remembered(settled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vae.cache._SETTLED", 60.0)
    assert ask(settled, "first") == "first"
    assert ask(settled, "second") == "second"


@pytest.mark.parametrize("garbage", ["", "[1]", '{"a": 1}', "\x00"])
def test_a_damaged_ledger_is_forgotten(garbage: str, settled: Path, cache: Path) -> None:
    ask(settled, "first")
    (file,) = (cache / "sha256").iterdir()
    json.loads(file.read_text())
    file.write_text(garbage)
    assert ask(settled, "second") == "second"
    assert ask(settled, "third") == "second"


def test_a_full_disk_costs_the_cache_but_not_the_data(
    settled: Path,
    cache: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        assert ask(settled, "first") == "first"
        patch.setattr(np, "save", full)
        assert not write_arrays("key", ARRAYS, {})
    assert ask(settled, "second") == "second"
    assert [path for path in cache.rglob("*") if "tmp" in path.name or PARTIAL in path.name] == []
