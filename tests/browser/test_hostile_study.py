"""A study in which every name is hostile, from its folder of images to the report, in LaTeX and in a browser."""

import csv
import html
import io
import os
import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tomli_w
from PIL import Image
from playwright.sync_api import Browser

from ablations.cli import main
from ablations.records.store import Store
from ablations.text.characters import visible

# A slash and a NUL are all that a folder's name cannot hold.
CLASSES = (
    "<img src=x onerror=document.title='pwned'>",
    "<svg onload=document.title='pwned'>",
    r"\input{\jobname} $x^2_1$ 100% & #1 ~ {open ^^5c",
    "line one\nline two\r\tline three",
    "\N{PILE OF POO} \U0001f468\u200d\U0001f469\u200d\U0001f467 日本語",
    "\u202eevil\u202c \x1b[31m\x07 \u05e9\u05dc\u05d5\u05dd",
    "é" * 127 + "x",  # 255 bytes
    "=cmd|' calc'!A0",
    os.fsdecode(b"caf\xe9"),  # no valid UTF-8
)
SCRIPT = "</title></td></script><script>document.title='pwned'</script><img src=x onerror=document.title='pwned'>"
LATEX = r"\end{document} \immediate\write18{touch pwned} ^^5cinput{x} % $ _ # & { \csname x"
TEXT = f"\u202eturned {SCRIPT} {LATEX}\n\x1b]0;pwned\x07 =1+1 {'x' * 300} \N{PILE OF POO}"


@dataclass
class Ran:
    """What a run left."""

    home: Path
    code: int
    output: str
    store: Store
    before: set[Path]


def everything(folder: Path) -> set[Path]:
    return {Path(root, name) for root, folders, files in os.walk(folder) for name in folders + files}


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    home = tmp_path_factory.mktemp("hostile")
    rng = np.random.default_rng(0)
    # The second path takes two folders, since it holds slashes.
    paths = [home / "=1+1 \u202e $x$", home / "a</td><script>document.title='pwned'<" / "script>"]
    for path in paths:
        for name in CLASSES:
            (path / name).mkdir(parents=True)
            for number in range(4):
                Image.fromarray(rng.integers(0, 256, (8, 8), dtype=np.uint8)).save(path / name / f"{number}.png")
    table = {
        "name": f"../../{TEXT}",
        "title": TEXT,
        "question": TEXT[::-1],
        "fixed": {"dataset": "image_folder", "model": "dense_vae", "hidden_units": [8], "epochs": 1, "latent_dim": 2},
        "axes": {"data.path": [str(path) for path in paths]},
        "report": {"embedding": "pca", "baseline": {"data.path": str(paths[0])}},
    }
    study = home / "<b>[red]\u202e study.toml"
    study.write_text(tomli_w.dumps(table), encoding="utf-8")
    before = everything(home)
    words = ["run", str(study), "--results", str(home / "results"), "--executor", "inline"]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        printed = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
        patch.setattr("sys.stdout", printed)
        code = main(words)
        printed.seek(0)
        output = printed.read()
    (folder,) = (home / "results").iterdir()
    return Ran(home, code, output, Store(folder), before)


def test_it_runs_and_writes_nothing_outside_of_its_folder(ran: Ran) -> None:
    assert ran.code == 0, ran.output
    results = ran.home / "results"
    made = everything(ran.home) - ran.before
    assert [path for path in made if path != results and not path.is_relative_to(ran.store.root)] == []
    assert all(re.fullmatch(r"[A-Za-z0-9._-]{1,120}", path.name) for path in made)
    assert not any(path.is_symlink() for path in made)
    assert not any(path.name == "pwned" for path in everything(ran.home))
    assert not set(ran.output) & {"\x1b", "\x07", "\u202e"}
    record = ran.store.read(ran.store.names()[0])
    assert record is not None
    assert sorted(record.data["class_names"]) == sorted(CLASSES), "the record holds the names as they are"


def test_the_study_is_read_again_from_its_results(ran: Ran, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", str(ran.store.root)]) == 0
    assert "2 done" in capsys.readouterr().out


def test_csv_cells_are_text(ran: Ran) -> None:
    for path in (ran.store.table_csv, ran.store.summary_csv):
        text = path.read_text(encoding="utf-8")
        assert not set(text) & {"\x1b", "\x07", "\u202e"}
        for row in csv.DictReader(io.StringIO(text, newline="")):
            cells = {name: cell for name, cell in row.items() if not re.fullmatch(r"[-+]?[\d.]+(e-?\d+)?", cell)}
            assert not any(cell.startswith(("=", "+", "-", "@")) for cell in cells.values())
    paths = pd.read_parquet(ran.store.table_parquet)["data.path"]
    assert all(os.path.isdir(path) for path in paths), "parquet holds text as it is"  # noqa: PTH112


def test_the_report_compiles(ran: Ran, require_program: Callable[..., str]) -> None:
    require_program("latexmk")
    reader = require_program("pdftotext")
    pdf = ran.store.report / "report.pdf"
    assert pdf.is_file(), ran.output
    done = subprocess.run([reader, "-raw", pdf, "-"], capture_output=True, text=True, check=True)
    words = "".join(done.stdout.split())
    assert "".join(LATEX.split()) in words
    assert "".join(SCRIPT.split()) in words
    assert "[U+202E]turned" in words
    assert "Provenance" in words


def dom_of(browser: Browser, path: Path) -> str:
    tab = browser.new_page()
    tab.goto(path.as_uri())
    tab.wait_for_timeout(200)  # for what an image that fails to load would run
    dom = tab.content()
    tab.close()
    return dom


def attributes(dom: str) -> set[str]:
    found: set[str] = set()
    parser = HTMLParser()
    parser.handle_starttag = lambda _, attrs: found.update(name for name, _ in attrs)
    parser.feed(dom)
    assert "href" in found
    return found


def test_the_page_shows_every_name_as_text_and_runs_nothing(ran: Ran, chromium: Browser) -> None:
    dom = dom_of(chromium, ran.store.report / "index.html")
    title = re.search(r"<title>(.*?)</title>", dom, re.DOTALL)
    assert title
    assert "[U+202E]turned" in title[1]
    assert not re.search(r"<(?:svg(?! class=\"curve\")|img(?! src=\"data:image/))", dom)
    assert dom.count("<script") == 1
    assert not [name for name in attributes(dom) if name.startswith("on")]
    text = "".join(html.unescape(re.sub(r"<[^>]*>", "", dom)).split())
    for name in (*CLASSES, TEXT):
        assert "".join(visible(" ".join(name.split())).split())[:70] in text, name
    assert "\u202e" not in dom


def test_the_canary_would_sing(chromium: Browser, tmp_path: Path) -> None:
    page = tmp_path / "unsafe.html"
    page.write_text(f"<!doctype html><title>{SCRIPT}", encoding="utf-8")
    assert "<title>pwned</title>" in dom_of(chromium, page)
