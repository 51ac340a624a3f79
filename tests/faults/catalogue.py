"""The catalogue of faults: what tests inject and see, and the page that tells of it."""

import ast
import contextlib
import io
import os
import platform
import re
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ablations.cli import main
from ablations.records.store import Store
from vae.files import write_atomically

PAGE = Path(__file__).parents[2] / "docs" / "faults.md"
WRITE = "VAEBENCH_WRITE_FAULTS"
REMEDY = f"If this is what it should say, write it anew: {WRITE}=1 nox -s tests -- tests/faults"
PARTS = {
    "trials": "Trials that fail, and runs that are cut off",
    "resources": "Disks, memory and folders",
    "input": "Input that is wrong or hostile",
    "plugins": "Parts of one's own that are broken",
}
HEAD = "| What goes wrong | What is said | Exit code | What is kept |\n|---|---|---|---|\n"
INTRODUCTION = f"""# What happens when things go wrong

Each row is a fault that a test really injects into `vaebench run` (or the command named), and what that test saw: the
line that is printed, the exit code, and what is on disk afterwards. Exit codes: 0 all done; 1 some trial failed, and
the report shows it; 2 nothing can be run, or nothing more can be written, and a line says why; 130 stopped by Ctrl-C,
143 by `kill`. No fault ends in a traceback, leaves a half-written file, or costs a finished trial: the tests look for
that after each.

This page is written by the tests in `tests/faults`, which fail where it says anything else than they see:
`{WRITE}=1 nox -s tests -- tests/faults`. Names of folders, hosts and processes, and digests (`…`), are left out.
"""

STUDY = """
[fixed]
model = "dense_vae"
hidden_units = [8]
data.limit = 64
data.test_limit = 32
epochs = {epochs}
[axes]
{axes}
{more}
"""


@dataclass(frozen=True)
class Told:
    """What a command printed, and its exit code."""

    code: int
    output: str
    errors: str

    def line(self, start: str = "vaebench: ") -> str:
        """Return the one line that begins so; where it ends with a colon, the next one belongs to it."""
        lines = [*self.errors.splitlines(), *self.output.splitlines()]
        places = [place for place, line in enumerate(lines) if line.startswith(start)]
        assert len(places) == 1, f"{len(places)} lines begin with {start!r} in:\n{self.output}{self.errors}"
        line = lines[places[0]]
        return f"{line} {lines[places[0] + 1].strip()}" if line.endswith(":") else line


def command(*words: str, inline: bool = True) -> Told:
    """Run vaebench in this process; `run` trains inline and makes no PDF."""
    if words[0] == "run":
        words = (*words, "--no-pdf", *(("--executor", "inline") if inline else ()))
    output, errors = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
        code = main(words)
    told = Told(code, output.getvalue(), errors.getvalue())
    assert "Traceback" not in told.output + told.errors
    return told


def settle(patch: pytest.MonkeyPatch) -> None:
    """Have lines printed whole, and leave the drawing of figures to its own tests."""
    patch.setenv("COLUMNS", "500")
    patch.setattr("ablations.report.report.draw", lambda *_, **__: ())


def write_study(axes: str = "latent_dim = [2, 3]", more: str = "", epochs: int = 1) -> None:
    Path("mine.toml").write_text(STUDY.format(axes=axes, more=more, epochs=epochs), encoding="utf-8")


def begin(results: Path, axes: str = "latent_dim = [2, 3]", more: str = "", epochs: int = 1) -> Store:
    """Write a study, and take up results that hold some of its trials."""
    write_study(axes, more, epochs)
    shutil.copytree(results, "results")
    return Store(Path("results/mine"))


def png(seed: int = 0) -> bytes:
    """Return a small image."""
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (8, 8), np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def photos(*classes: str, folder: str = "photos") -> Path:
    """Make a folder of four images in each of two classes, or of those named."""
    for number, name in enumerate(classes or ("a", "b")):
        place = Path(folder, name)
        place.mkdir(parents=True)
        for index in range(4):
            (place / f"{index}.png").write_bytes(png(10 * number + index))
    return Path(folder)


def kept(store: Store) -> str:
    """Say what is on disk; whatever happened, nothing is half-written and nobody holds the folder."""
    if not store.root.is_dir():
        return "nothing was begun, nothing is written"
    left = [path for path in store.root.rglob("*") if ".partial" in path.name or path.name == "lease.json"]
    assert left == []
    records = [record for name in store.names() if (record := store.read(name)) is not None]
    counts = Counter(record.status for record in records)
    trials = ", ".join(
        f"{number} {status}" for status, number in sorted(counts.items(), key=lambda one: one[0] != "done")
    )
    tables = [
        name
        for name, path in {"tables": store.table_csv, "report": store.report / "index.html"}.items()
        if path.is_file()
    ]
    return f"trials: {trials or 'none'}; {' and '.join(tables) or 'no tables yet'}"


def row(what: str, says: str, code: int, keeps: str) -> str:
    """Return a row of the page."""
    if "`" in says:
        raise ValueError(says)
    cells = what, f"`{_plain(says)}`", str(code), _plain(keeps)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _plain(text: str) -> str:
    """Return a message without what differs between machines."""
    text = text.replace(f"{Path.cwd()}/", "").replace(str(Path.cwd()), ".")
    text = text.replace(platform.node(), "HOST")
    text = re.sub(r"process \d+", "process N", text)
    text = re.sub(r"127\.0\.0\.1:\d+", "SERVER", text)
    text = re.sub(r"\b[0-9a-f]{64}\b", "…", text)
    text = re.sub(r"-[0-9a-f]{8}\b", "-…", text)
    text = re.sub(r"(.)\1{30,}", r"\1\1\1…", text)
    return " ".join(text.split()).encode("utf-8", "backslashreplace").decode()


def declared() -> dict[tuple[str, str], str]:
    """Return (part, fault) -> test file of every fault that a test declares by its marker, in their order, unrun."""
    found: dict[tuple[str, str], str] = {}
    for path in sorted(Path(__file__).parent.glob("test_*.py")):
        calls = [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)]
        for node in sorted(calls, key=lambda call: call.lineno):
            if isinstance(node.func, ast.Attribute) and node.func.attr == "fault":
                part, what = (ast.literal_eval(argument) for argument in node.args)
                assert part in PARTS
                assert (part, what) not in found, f"declared twice: {what}"
                found[part, what] = path.name
    return found


def write(rows: Mapping[tuple[str, str], str]) -> None:
    """Write the page."""
    PAGE.parent.mkdir(exist_ok=True)
    write_atomically(PAGE, page(rows).encode())


def read() -> dict[tuple[str, str], str]:
    """Return (part, fault) -> row of the page."""
    titles = {title: part for part, title in PARTS.items()}
    found: dict[tuple[str, str], str] = {}
    part = ""
    for line in _lines():
        if line.startswith("## "):
            part = titles[line[3:]]
        elif line.startswith("| ") and not HEAD.startswith(line):
            found[part, line[2:].partition(" | ")[0]] = line
    return found


def compare(part: str, what: str, code: int, says: str, keeps: str) -> None:
    """Compare what was seen with the page, or write it there."""
    seen, rows = row(what, says, code, keeps), read()
    if os.environ.get(WRITE):
        write(rows | {(part, what): seen})
        return
    told = rows.get((part, what), "nothing")
    assert told == seen, f"docs/faults.md says of '{what}':\n{told}\nbut this was seen:\n{seen}\n{REMEDY}"


def _lines() -> Iterator[str]:
    if PAGE.is_file():
        yield from PAGE.read_text(encoding="utf-8").splitlines()


def page(rows: Mapping[tuple[str, str], str]) -> str:
    """Return the page of these rows, in the order in which the tests declare them; a row of no test is left out."""
    text = INTRODUCTION
    for part, title in PARTS.items():
        lines = "".join(f"{rows[key]}\n" for key in declared() if key[0] == part and key in rows)
        text += f"\n## {title}\n\n{HEAD}{lines}"
    return text
