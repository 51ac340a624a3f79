"""A folder of results may hold anything: each command reads it, or says one clear thing, and touches nothing else."""

import io
import json
import os
import shutil
import zipfile
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from nasty import nasty

from ablations.cli import main
from vae.errors import VaebenchError

FORMATS = Path(__file__).parents[1] / "formats" / "1"
EXAMPLES = int(os.environ.get("VAEBENCH_FUZZ_FOLDERS", "8"))
DRAWN_OF = 6  # one report in so many has its figures drawn, which takes as long as all the others

fuzz = settings(
    max_examples=EXAMPLES,
    phases=[Phase.reuse, Phase.generate],  # an example takes a command's time, and to shrink one that fails minutes
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)

# ------------------------------------------------------------------------------------------------- what may be there

odd: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.sampled_from([10**9, 2**63, -(10**30), 1e308, float("nan"), float("inf"), -1.5, "", "x", "1", [], {}, [[]]]),
    st.sampled_from(["../../outside", "/etc/passwd", "done", "interrupted", "start", "end", "run", "[/red]", "digits"]),
    nasty,
    st.dictionaries(st.sampled_from(["name", "epochs", "parts", "x y"]) | nasty, st.integers() | nasty, max_size=2),
    st.just(None).map(lambda _: nested(40)),
)


def nested(depth: int) -> list[Any]:
    return [] if depth == 0 else [nested(depth - 1)]


def places(value: Any) -> list[tuple[Any, Any]]:
    """Return (container, key) of everything within a JSON value."""
    inner = (
        list(value.items()) if isinstance(value, dict) else list(enumerate(value)) if isinstance(value, list) else []
    )
    return [(value, key) for key, _ in inner] + [place for _, one in inner for place in places(one)]


def change(draw: st.DataObject, value: Any) -> Any:
    """Return a JSON value with something else in one of its places, or without it."""
    found = places(value)
    if not found or draw.draw(st.integers(0, 20)) == 0:
        return draw.draw(odd)
    container, key = draw.draw(st.sampled_from(found))
    how = draw.draw(st.sampled_from(["other", "gone", "more"]))
    if how == "gone":
        del container[key]
    elif how == "more" and isinstance(container, dict):
        container[draw.draw(nasty)] = draw.draw(odd)
    else:
        container[key] = draw.draw(odd)
    return value


def spoil_json(draw: st.DataObject, content: bytes) -> bytes:
    try:
        return json.dumps(change(draw, json.loads(content))).encode()
    except (ValueError, RecursionError):  # it was spoilt before
        return spoil_bytes(draw, content)


def spoil_lines(draw: st.DataObject, content: bytes) -> bytes:
    found = content.splitlines() or [b"{}"]
    place = draw.draw(st.integers(0, len(found) - 1))
    found[place] = spoil_json(draw, found[place])
    return b"\n".join(found) + b"\n"


def spoil_cells(draw: st.DataObject, content: bytes) -> bytes:
    """Put something else in a cell of a table, head included."""
    found = [line.split(b",") for line in content.splitlines()] or [[b""]]
    row = draw.draw(st.sampled_from(found))
    cell = st.sampled_from([b"", b"nan", b"inf", b"-1", b"1e308", b"x", b'"', b"9" * 400, b"1,2", b"\xff", b"1\n2"])
    row[draw.draw(st.integers(0, len(row) - 1))] = draw.draw(cell)
    return b"\n".join(map(b",".join, found)) + b"\n"


def spoil_arrays(draw: st.DataObject, content: bytes) -> bytes:
    """Put another array in the place of one, or leave one out."""
    try:
        with np.load(io.BytesIO(content)) as archive:
            found = {name: archive[name] for name in archive.files}
    except (ValueError, EOFError, OSError, zipfile.BadZipFile):  # it was spoilt before
        return spoil_bytes(draw, content)
    name = draw.draw(st.sampled_from(sorted(found)))
    array = np.atleast_1d(found.pop(name))  # it may have been made a number before
    others = {
        "none": array[:0],
        "first": array[:1],
        "number": np.zeros(()),
        "flat": array.ravel(),
        "turned": array.T,
        "nan": np.full(array.shape, np.nan, np.float32),
        "huge": np.full(array.shape, 3e38, np.float32),
        "text": np.full(array.shape, "x"),
        "bool": np.ones(array.shape, bool),
        "complex": np.ones(array.shape, complex),
        "bytes": np.zeros(array.shape, np.uint8),
    }
    kind = draw.draw(st.sampled_from(["gone", *others]))
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **(found if kind == "gone" else found | {name: others[kind]}))
    return buffer.getvalue()


def spoil_bytes(draw: st.DataObject, content: bytes) -> bytes:
    start = draw.draw(st.integers(0, len(content)))
    end = min(start + draw.draw(st.sampled_from([0, 1, 8, 10**6])), len(content))
    piece = draw.draw(st.binary(max_size=8) | st.sampled_from([b"[" * 10**4, b"9" * 5000, b'"', b"}", b"\n", b"1e999"]))
    return content[:start] + piece + content[end:]


def spoil_file(draw: st.DataObject, path: Path, outside: Path) -> None:
    """Change one file, or put something else in its place."""
    content = path.read_bytes() or b"{}"
    how = draw.draw(st.sampled_from(["shape", "shape", "shape", "bytes", "gone", "empty", "folder", "link"]))
    if how == "shape":
        by_kind = {".json": spoil_json, ".jsonl": spoil_lines, ".csv": spoil_cells, ".npz": spoil_arrays}
        path.write_bytes(by_kind.get(path.suffix, spoil_bytes)(draw, content))
    elif how == "bytes":
        path.write_bytes(spoil_bytes(draw, content))
    elif how == "empty":
        path.write_bytes(b"")
    else:
        path.unlink()
        if how == "folder":
            path.mkdir()
        elif how == "link":
            path.symlink_to(outside / path.name)


# ------------------------------------------------------------------------------------------------------- the commands


class Folder:
    """Results of an earlier version, new for each example, beside something that is none of their business."""

    def __init__(self, place: Path, which: str) -> None:
        self.root, self.outside = place / "results" / which, place / "outside"
        self._old = FORMATS / which
        self.asked = 0
        self.outside.mkdir()
        (self.outside / "record.json").write_text('{"trial": "theirs"}')
        (self.outside / ".partial-0-999999999").write_text("theirs")
        (self.outside / "figures").mkdir()
        (self.outside / "figures" / "old.svg").write_text("theirs")
        self._others = self._seen()

    def fresh(self) -> None:
        shutil.rmtree(self.root.parent, ignore_errors=True)
        shutil.copytree(self._old, self.root, ignore=shutil.ignore_patterns("model.keras", "table*", "summary.csv"))
        running = {path.name: {"epoch": 1, "began": 1e9} for path in (self.root / "trials").iterdir()}
        (self.root / "progress.json").write_text(json.dumps(running))
        (self.root / "lease.json").write_text(json.dumps({"host": "elsewhere", "pid": 1, "token": "x"}))

    def spoil(self, draw: st.DataObject, kinds: tuple[str, ...]) -> None:
        self.fresh()
        for _ in range(draw.draw(st.integers(1, 3))):
            files = sorted(path for path in self.root.rglob("*") if path.name in kinds and path.is_file())
            files = [path for path in files if not path.is_symlink()]
            if files:
                spoil_file(draw, draw.draw(st.sampled_from(files)), self.outside)
        if draw.draw(st.integers(0, 5)) == 0:
            trials = sorted((self.root / "trials").iterdir())
            trials[0].rename(trials[0].with_name(draw.draw(st.sampled_from(["[red]x", "x" * 200, "a b", "\x1b[2J"]))))

    def _seen(self) -> dict[str, tuple[float, bytes]]:
        files = sorted(path for path in self.outside.rglob("*") if path.is_file())
        return {str(path): (path.stat().st_mtime, path.read_bytes()) for path in files}

    def ask(self, *words: str) -> int:
        """Run a command in this process: whatever it raises is a traceback to its user, and fails the test."""
        self.asked += 1
        printed = io.StringIO()
        with redirect_stdout(printed), redirect_stderr(printed):
            code = main(words)
        assert code in {0, 1, 2}
        assert "Traceback" not in printed.getvalue()
        assert printed.getvalue().strip(), "nothing was said"
        assert self._seen() == self._others, "a file outside of the results was touched"
        assert sorted(path.name for path in self.root.parent.parent.iterdir()) == ["outside", "results"]
        return code


RECORDS = ("record.json", "attempts.jsonl", "search.jsonl", "progress.json", "lease.json", "study.toml")
PICTURES = ("history.csv", "arrays.npz")


@pytest.fixture(scope="module", params=["grid", "found"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Folder:
    return Folder(tmp_path_factory.mktemp("spoilt"), request.param)


@pytest.fixture(autouse=True)
def _calm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda _: None)  # no power is cut here, and there are many small files


@fuzz
@given(st.data())
def test_status_of_any_folder(folder: Folder, data: st.DataObject) -> None:
    folder.spoil(data, RECORDS)
    folder.ask("status", str(folder.root))


@fuzz
@given(st.data())
def test_compare_of_any_folder(folder: Folder, data: st.DataObject) -> None:
    folder.spoil(data, RECORDS)
    pair = [str(FORMATS / folder.root.name), str(folder.root)]
    folder.ask("compare", *data.draw(st.permutations(pair)))


@pytest.fixture
def drawing(monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], None]:
    """Return a function that says whether figures are drawn: it takes seconds."""
    from ablations.report import report

    drawn = report.draw

    def choose(wanted: bool) -> None:
        monkeypatch.setattr(report, "draw", drawn if wanted else lambda *_, **__: ())

    return choose


@fuzz
@given(st.data())
def test_report_of_any_folder(folder: Folder, drawing: Callable[[bool], None], data: st.DataObject) -> None:
    pictures = data.draw(st.booleans())  # most of what is read for them is read when they are drawn
    folder.spoil(data, PICTURES if pictures else RECORDS)
    drawing(folder.asked % DRAWN_OF == DRAWN_OF - 1)
    folder.ask("report", str(folder.root), "--no-pdf")


class StoppedError(VaebenchError):
    """Raised where a training would begin."""


@pytest.fixture
def stopped(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Return what was to be trained; nothing is."""
    begun: list[object] = []

    def train(*spec: object) -> NoReturn:
        begun.append(spec)
        raise StoppedError("here it would be trained")

    monkeypatch.setattr("vae.training.train", train)
    monkeypatch.setattr("ablations.runner.trial.configure", lambda _: None)
    return begun


@fuzz
@given(st.data())
def test_rerun_of_any_trial(folder: Folder, stopped: list[object], data: st.DataObject) -> None:
    folder.spoil(data, ("record.json",))
    trials = sorted((folder.root / "trials").iterdir())
    assert folder.ask("rerun", str(data.draw(st.sampled_from(trials)))) == 2


def test_what_is_not_spoilt_is_told_compared_reported_and_trained(
    folder: Folder, drawing: Callable[[bool], None], stopped: list[object]
) -> None:
    folder.fresh()
    drawing(False)  # noqa: FBT003
    assert folder.ask("status", str(folder.root)) == 0
    assert folder.ask("compare", str(FORMATS / folder.root.name), str(folder.root)) == 0
    assert folder.ask("report", str(folder.root), "--no-pdf") == 0
    assert folder.ask("rerun", str(next((folder.root / "trials").iterdir()))) == 2
    assert len(stopped) == 1
