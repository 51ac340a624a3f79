"""What is printed where the reader is no terminal, lacks letters, has gone, or has no room."""

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from rich.table import Table

from ablations.text.terminal import Terminal
from vae.errors import VaebenchError

LONG = "a-trial-with-a-name-of-more-letters-than-a-terminal-has-in-a-line-" + "x" * 60
PRINTS = """
import sys
from ablations.cli import main
from ablations.text.terminal import Terminal
from rich.table import Table

class Command:
    @staticmethod
    def run(options, console):
        table = Table("trial", "note")
        for place in range(2000):
            table.add_row(f"{place} " + "x" * 90, "\\u03b2 \\u2026 end")
        console.print(table)
        return int(sys.argv[1])

sys.modules["ablations.commands.compare"] = Command
sys.exit(main(["compare", "a", "b"]))
"""


def console(stream: io.StringIO, **options: object) -> Terminal:
    table = Table("trial")
    table.add_row(LONG)
    made = Terminal(file=stream, **options)
    made.print(table)
    return made


def test_into_a_file_rows_are_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    stream = io.StringIO()
    console(stream)
    assert LONG in stream.getvalue()
    assert max(map(len, stream.getvalue().splitlines())) < 200, "and no wider than they are"


def test_a_width_that_is_asked_for_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    stream = io.StringIO()
    console(stream)
    assert LONG not in stream.getvalue()
    assert {len(line) for line in stream.getvalue().splitlines()} <= {60}


def compared(code: int, **how: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", PRINTS, str(code)]
    return subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False, timeout=120, **how)


@pytest.mark.parametrize("code", [0, 1])
@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "iso-8859-2"])
def test_letters_that_an_encoding_lacks_do_not_change_the_verdict(code: int, encoding: str) -> None:
    environment = os.environ | {"PYTHONIOENCODING": encoding, "COLUMNS": "80"}
    done = compared(code, stdout=subprocess.DEVNULL, env=environment)
    assert (done.returncode, done.stderr) == (code, "")


@pytest.mark.parametrize("code", [0, 1])
def test_a_reader_that_goes_does_not_change_the_verdict(code: int) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = compared(code, stdout=writing)
    os.close(writing)
    assert (done.returncode, done.stderr) == (code, "")


@pytest.mark.parametrize("code", [0, 1])
def test_a_full_disk_is_neither_same_nor_worse(code: int) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full")
    with Path("/dev/full").open("w") as full:
        done = compared(code, stdout=full)
    assert done.returncode == 2
    assert done.stderr == "vaebench: what is printed can't be written: No space left on device\n"


class Broken(io.StringIO):
    def write(self, _: str) -> int:
        raise OSError(28, "No space left on device")


def test_what_cannot_be_complained_of_is_not_said() -> None:
    console(Broken(), stderr=True)
    with pytest.raises(VaebenchError, match="No space left"):
        console(Broken())
