"""What every test shares: a quiet, offline, headless environment, and skips that are failures on CI."""

import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

__all__ = ["require_data", "require_program"]

sys.path.append(str(Path(__file__).parent))  # test folders are no packages: this finds comparison.py and needs.py

from needs import ON_CI, missing

# Before any test module imports TensorFlow, Keras, Matplotlib or vae, which read these once.
CACHE = Path(tempfile.mkdtemp(prefix="vaebench-tests-"))
os.environ.update(
    VAEBENCH_CACHE=str(CACHE),  # no test reads or fills the user's own cache
    VAEBENCH_OFFLINE="1",  # a test that needs the network is no test
    TF_CPP_MIN_LOG_LEVEL="3",
    MPLBACKEND="Agg",
)
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

# Who starts the tests in the background has them ignore Ctrl-C, and all that they start; some tests press it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# The first example of a property may import TensorFlow or compile a graph: no deadline. On CI the examples are the
# same each time, so that a red run is the change's doing.
settings.register_profile("vaebench", deadline=None, derandomize=ON_CI)
settings.load_profile("vaebench")


# Whose files take minutes, since processes are killed and waited for: begun first, they go on beside all others.
LONGEST = ("chaos", "ray")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest files first: with a process a core, the last one would be waited for alone."""
    items.sort(key=lambda item: item.path.parent.name not in LONGEST)


def pytest_unconfigure() -> None:
    """Remove the cache made for this run."""
    shutil.rmtree(CACHE, ignore_errors=True)


@pytest.fixture(scope="session")
def require_program() -> Callable[..., str]:
    """Return a function: the path of the first of these programs that is installed, else the test is skipped."""

    def find(*names: str) -> str:
        for name in names:
            if path := shutil.which(name):
                return path
        return missing(f"needs a program that is not installed: {' or '.join(names)}")

    return find


@pytest.fixture(scope="session")
def require_data() -> Callable[[str | os.PathLike[str]], Path]:
    """Return a function: the file or folder as a Path if it is there, else the test is skipped."""

    def find(path: str | os.PathLike[str]) -> Path:
        found = Path(path)
        if not found.exists():
            missing(f"needs data that is not there: {found}")
        return found

    return find


@pytest.fixture(autouse=True)
def _no_plugin_of_another_test() -> Iterator[None]:
    """Forget what a test loaded: its parts would be known to all that come after it."""
    yield
    if plugins := sys.modules.get("vae.plugins"):
        plugins.forget()
