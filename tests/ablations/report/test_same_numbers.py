"""CSV, HTML and LaTeX hold the same numbers, in every column, a failed trial and a NaN included."""

import csv
import html
import io
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd
import pytest

from ablations.records.files import csv_text
from ablations.records.tables import summary, table
from ablations.report import latex
from ablations.report.report import Rendered, render
from ablations.text.columns import quantity
from ablations.text.numbers import ABSENT, shorten
from bench import synthetic

MINUS = "\N{MINUS SIGN}"
APART = {"n", "failed", "against_floor"}  # columns that are no mean


@dataclass
class Shown:
    """A printed table."""

    keys: list[str]
    labels: list[str]
    rows: list[list[str]]

    def column(self, key: str) -> list[str]:
        place = self.keys.index(key)
        return [row[place] for row in self.rows]


@dataclass
class Case:
    """A study, its report, and its tables as CSV."""

    rendered: Rendered
    trials: list[dict[str, str]]
    configurations: list[dict[str, str]]

    @classmethod
    def of(cls, demo: synthetic.Demo, rendered: Rendered) -> "Case":
        frame = table(demo.records)
        texts = csv_text(frame), csv_text(summary(frame, list(demo.axes)))
        trials, configurations = (list(csv.DictReader(io.StringIO(text))) for text in texts)
        return cls(rendered, trials, configurations)


@pytest.fixture(scope="module")
def normal(rendered: tuple[synthetic.Demo, Rendered]) -> Case:
    return Case.of(*rendered)


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Case:
    """Return a study with a failed trial and a NaN, whose other numbers are of all sizes."""
    demo = synthetic.demo(models=("dense", "conv"), latents=(2, 8))
    for place, one in enumerate(demo.records):
        numbers = {"tiny": 1e-9 * (place + 1), "huge": 12345.678 * 10 ** (place % 5), "below": -0.5 - place / 7}
        if one.status == "done":
            demo.records[place] = replace(one, metrics={**one.metrics, **numbers})
    for place, lost in ((0, math.nan), (3, math.inf), (6, -math.inf)):
        demo.records[place] = replace(demo.records[place], metrics={**demo.records[place].metrics, "ssim": lost})
    source = demo.source(history=lambda _: pd.DataFrame(), arrays=lambda _: {})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(latex.shutil, "which", lambda _: None)  # the PDF is not asked for
        return Case.of(demo, render(source, tmp_path_factory.mktemp("broken")))


@pytest.fixture(params=["normal", "broken"])
def case(request: pytest.FixtureRequest) -> Case:
    return request.getfixturevalue(request.param)


def of_html(page: Path, name: str) -> Shown:
    text = re.search(rf'<table id="{name}-table".*?</table>', page.read_text("utf-8"), re.DOTALL)[0]
    head, *rows = re.findall(r"<tr[^>]*>(.*?)</tr>", text, re.DOTALL)

    def cells(row: str) -> list[str]:
        found = re.findall(r"<(t[dh])\b[^>]*>(.*?)</\1>", row, re.DOTALL)
        return [html.unescape(re.sub("<[^>]*>", "", cell)).strip() for _, cell in found]

    keys, labels, shown = re.findall(r'data-key="([^"]*)"', head), cells(head), [cells(row) for row in rows]
    if keys[0] == "id":  # the page alone has links to a trial's part; there the full name is headed `folder`
        keys, labels, shown = keys[1:], [*labels[1:-1], labels[0]], [row[1:] for row in shown]
    return Shown(keys, labels, shown)


def plain(tex: str) -> str:
    """Return the letters that escaped text prints."""
    text = re.sub(r"^\\textbf\{(.*)\}$", r"\1", tex.strip()).replace(r"\allowbreak{}", "")
    pieces = {piece: char for char, piece in {**latex._SPECIAL, **latex._GREEK}.items()}
    for piece in sorted(pieces, key=len, reverse=True):
        text = text.replace(piece, pieces[piece])
    return text


def of_latex(text: str) -> tuple[list[str], list[list[str]]]:
    """Return headings and rows of the first table in a LaTeX source."""
    head, _, body = text.partition(r"\toprule")[2].partition(r"\midrule")
    stacked = re.findall(r"\\begin\{tabular\}\[b\]\{[^}]*\}[rl]@\{\}\}(.*?)\\end\{tabular\}", head)
    labels = [plain(re.sub(r"\\\\ ", " ", one)) for one in stacked]
    lines = [line for line in body.splitlines() if line.endswith(r" \\")]
    return labels, [[plain(cell) for cell in line.removesuffix(r" \\").split(" & ")] for line in lines]


def rounded(cell: str, like: str, *, lost: str) -> str:
    """Return a CSV cell with as many decimals as the printed number has; what is empty there is lost or absent."""
    if not cell:
        return lost if like == lost else ABSENT
    value = float(cell)
    if math.isinf(value):
        return "∞" if value > 0 else f"{MINUS}∞"
    return f"{value:,.{len(like.partition('.')[2])}f}".replace("-", MINUS)


def names_of(rows: list[dict[str, str]], ending: str) -> Iterator[str]:
    return (name.removesuffix(ending) for name in rows[0] if name.endswith(ending))


def test_each_mean_and_deviation_is_the_csvs_rounded(case: Case) -> None:
    shown = of_html(case.rendered.html, "summary-1")
    assert len(shown.rows) == len(case.configurations)
    names = list(names_of(case.configurations, "_mean"))
    assert set(names) <= set(shown.keys), "every column is shown"
    assert set(shown.keys) - set(names) - APART <= set(case.configurations[0]), "and each that is shown is in the CSV"
    printed = 0
    for name in names:
        for row, text in zip(case.configurations, shown.column(name), strict=True):
            mean, _, deviation = text.replace("\xa0", " ").partition(" ± ")
            assert mean == rounded(row[f"{name}_mean"], mean, lost="NaN"), name
            if deviation:
                assert deviation == rounded(row[f"{name}_sd"], deviation, lost="NaN"), name
                printed += 1
            else:
                assert not row[f"{name}_sd"] or quantity(name).fixed or quantity(name).digits == 0, name
    assert printed > 4 * len(names)
    assert shown.column("n") == [row["n"] for row in case.configurations]
    assert [int(cell) for cell in shown.column("failed")] == [
        int(row["failed"]) + int(row["interrupted"]) for row in case.configurations
    ]


def test_each_trials_number_is_the_csvs_rounded(case: Case) -> None:
    shown = of_html(case.rendered.html, "trials")
    numbers = list(names_of(case.configurations, "_mean"))
    assert set(numbers) <= set(shown.keys)
    assert len(shown.rows) == len(case.trials)
    for name in numbers:
        for row, text in zip(case.trials, shown.column(name), strict=True):
            assert text == rounded(row[name], text, lost="NaN"), name
    for name in ("status", "reason", "trial", "seed"):
        assert shown.column(name) == [row[name] for row in case.trials]


@pytest.mark.parametrize("name", ["summary-1", "trials"])
def test_a_table_that_stands_alone_is_the_pages(case: Case, name: str) -> None:
    shown = of_html(case.rendered.html, name)
    (file,) = (file for file in case.rendered.tables if file.stem == name)
    labels, rows = of_latex(file.read_text("utf-8"))
    assert labels == shown.labels
    assert rows == [[shorten(cell, latex._CELL) for cell in row] for row in shown.rows]


@pytest.mark.parametrize(("name", "section"), [("summary-1", "Configurations"), ("trials", "Trials")])
def test_the_printed_report_shows_the_pages_numbers_and_names_what_it_leaves_out(
    case: Case, name: str, section: str
) -> None:
    shown = of_html(case.rendered.html, name)
    text = case.rendered.tex.read_text("utf-8").split(rf"\section*{{{section}}}", 1)[1]
    labels, rows = of_latex(text.split(r"\end{longtable}", 1)[0])
    assert len(labels) > 5
    for place, label in enumerate(labels):
        column = [row[shown.labels.index(label)] for row in shown.rows]
        assert [row[place] for row in rows] == [shorten(cell, 26) for cell in column]
    left_out = plain(re.search(r"Left out for want of space.*?: (.*?)\.\\par", text)[1]).split(", ")
    assert sorted([*labels, *left_out]) == sorted(shown.labels)


def test_the_answer_in_words_has_the_tables_number(case: Case) -> None:
    shown = of_html(case.rendered.html, "summary-1")
    means = {float(row["mse_mean"]): text for row, text in zip(case.configurations, shown.column("mse"), strict=True)}
    best = means[min(means)]
    page = html.unescape(case.rendered.html.read_text("utf-8")).partition('id="answer"')[2].partition("</section>")[0]
    assert best in page
    paper = case.rendered.tex.read_text("utf-8").partition(r"\section*{Configurations}")[0]
    assert best in plain(paper)


def test_a_nan_and_a_failed_trial_are_there_to_be_compared(broken: Case) -> None:
    shown = of_html(broken.rendered.html, "summary-1")
    assert shown.column("ssim").count("NaN") == 3
    assert "failed" in of_html(broken.rendered.html, "trials").column("status")
    assert {"∞", f"{MINUS}∞", "NaN"} <= set(of_html(broken.rendered.html, "trials").column("ssim"))
