import os
import tempfile
from pathlib import Path

import pytest

from vae.datasets._places import is_file, is_folder, places


def folders() -> list[Path]:
    return [place.folder for place in places(["one", "two"])]


def test_the_order_is_own_then_keras_then_system(empty_machine: Path) -> None:
    keras, system = empty_machine.parent / "keras" / "datasets", empty_machine.parent / "system"
    assert folders() == [
        *(empty_machine / "one", empty_machine / "two", empty_machine),
        *(keras / "one", keras / "two", keras),
        *(system / "one", system / "two"),
    ]
    assert [place.folder for place in places(["one", "two"]) if place.shared] == [empty_machine, keras]


def test_without_settings_the_home_folder_is_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VAEBENCH_DATA")
    monkeypatch.delenv("KERAS_HOME")
    assert folders()[0] == Path.home() / ".keras" / "datasets" / "one"


def test_keras_falls_back_to_the_temporary_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    fallback = Path(tempfile.gettempdir(), ".keras", "datasets")
    assert fallback not in folders()
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert fallback in folders()


def test_a_user_without_a_home_has_the_temporary_folder_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VAEBENCH_DATA")
    monkeypatch.delenv("KERAS_HOME")

    def homeless() -> Path:
        raise RuntimeError

    monkeypatch.setattr(Path, "home", homeless)
    assert folders()[0] == Path(tempfile.gettempdir(), ".keras", "datasets", "one")


def test_what_may_not_be_entered_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    assert is_folder(tmp_path)
    assert is_file(tmp_path / "file")

    def refuse(*_: object, **__: object) -> os.stat_result:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "stat", refuse)
    monkeypatch.setattr(os, "stat", refuse)
    assert not is_folder(tmp_path)
    assert not is_file(tmp_path / "file")
