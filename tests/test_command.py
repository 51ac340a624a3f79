"""The command as a process: how it ends when it is stopped."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

STUDY = """
[fixed]
model = "dense_vae"
hidden_units = [8]
data.limit = 64
data.test_limit = 32
epochs = 100_000
[axes]
latent_dim = [2]
"""


def start(*words: str, before: str = "") -> subprocess.Popen[bytes]:
    """Begin `vaebench`; `before` is run first in its process."""
    code = f"{before}\nimport sys; from vaebench.__main__ import main; sys.exit(main())"
    command = [sys.executable, "-c", code, *words]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


@pytest.mark.parametrize("blow", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("module", ["ablations.cli", "rich.console", "pydantic", "ablations.commands.status"])
def test_one_that_is_stopped_while_it_is_imported_says_so_and_no_more(
    blow: signal.Signals, module: str, tmp_path: Path
) -> None:
    hook = f"""
import os, sys
class Blow:
    def find_spec(self, name, *_):
        if name == {module!r}:
            sys.meta_path.remove(self)
            os.kill(os.getpid(), {int(blow)})
sys.meta_path.insert(0, Blow())
"""
    process = start("status", str(tmp_path), before=hook)
    output = process.communicate(timeout=600)[0]
    assert process.returncode == 128 + blow, output
    assert output.startswith(b"vaebench: stopped"), output
    assert output.count(b"\n") == 1, output


@pytest.mark.parametrize("first", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("pauses", [(0.3, 0.3), (0.2, 1.2)], ids=["at once", "again"])
def test_the_first_signal_decides_the_exit_code(
    first: signal.Signals, pauses: tuple[float, ...], tmp_path: Path
) -> None:
    (tmp_path / "mine.toml").write_text(STUDY)
    results = tmp_path / "r"
    process = start("run", str(tmp_path / "mine.toml"), "--results", str(results), "--executor", "inline", "--no-pdf")
    deadline = time.monotonic() + 600
    while not list(results.glob("mine/work/*/*.checkpoint")) and time.monotonic() < deadline:
        time.sleep(0.1)
    process.send_signal(first)
    for pause in pauses:
        time.sleep(pause)
        process.send_signal(signal.SIGTERM if first == signal.SIGINT else signal.SIGINT)
    output = process.communicate(timeout=600)[0]
    assert process.returncode == 128 + first, output
    assert output.count(b"vaebench: stopped. What is finished is kept") == 1
    assert b"Traceback" not in output


def test_who_is_started_to_ignore_ctrl_c_goes_on(tmp_path: Path) -> None:
    ignore = "import os, signal; signal.signal(signal.SIGINT, signal.SIG_IGN); os.kill(os.getpid(), signal.SIGINT)"
    process = start("status", str(tmp_path), before=ignore)
    assert b"holds no results of a study" in process.communicate(timeout=600)[0]
    assert process.returncode == 2
