"""Each test declares the fault that it injects by a marker, and tells what it saw; the page of faults says the same."""

import sys
from collections.abc import Callable, Generator
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))  # test folders are no packages: this finds catalogue.py
sys.path.append(str(Path(__file__).parents[1] / "vae" / "datasets"))  # and this files.py

import catalogue
from catalogue import Told

SHOWN = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Fail a test that declares a fault and tells nothing of it."""
    outcome = yield
    if item.get_closest_marker("fault") and not item.stash.get(SHOWN, False):
        pytest.fail("declares a fault, but doesn't say what was seen: call the fixture `fault`", pytrace=False)
    return outcome


@pytest.fixture
def fault(request: pytest.FixtureRequest) -> Callable[[Told, str, str], None]:
    """Return a function: compare what was seen (exit code, line, what is kept) with the page, or write it there."""
    marker = request.node.get_closest_marker("fault")
    part, what = marker.args

    def shows(told: Told, says: str, keeps: str) -> None:
        request.node.stash[SHOWN] = True
        catalogue.compare(part, what, told.code, says, keeps)

    return shows


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    catalogue.settle(monkeypatch)


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of results with one trial done, of latent_dim 2."""
    folder = tmp_path_factory.mktemp("finished")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        catalogue.settle(patch)
        catalogue.write_study("latent_dim = [2]")
        told = catalogue.command("run", "mine.toml")
    assert told.code == 0, told
    return folder / "results"
