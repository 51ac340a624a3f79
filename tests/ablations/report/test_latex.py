"""Each table of a report as a LaTeX file of its own: a paper can take it in."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pandas as pd

from ablations.report import latex
from ablations.report.files import Files
from ablations.report.report import Rendered, render
from ablations.report.tables.view import Cell, Column, TableView

PREAMBLE = r"\documentclass{article}\usepackage{booktabs}"


def compiled(folder: Path, body: str, packages: str = "") -> latex.Compiled:
    paper = folder / "paper.tex"
    paper.write_text(f"{PREAMBLE}{packages}\\begin{{document}}{body}\\end{{document}}", encoding="utf-8")
    return latex.compile_pdf(paper)


def test_a_paper_can_input_every_table(
    hostile: tuple[object, Rendered], tmp_path: Path, require_program: Callable[..., str]
) -> None:
    require_program("latexmk")
    made = hostile[1]
    assert {file.name for file in made.tables} >= {"summary-1.tex", "trials.tex"}
    shutil.copytree(made.html.parent / "tables", tmp_path / "tables")
    inputs = [
        rf"\noindent\resizebox{{\linewidth}}{{!}}{{\input{{tables/{file.stem}}}}}\newpage" for file in made.tables
    ]
    paper = compiled(tmp_path, "\n".join(inputs), r"\usepackage[T1]{fontenc}\usepackage{graphicx}")
    assert paper.pdf is not None, paper.reason
    assert "LaTeX Error" not in paper.log
    assert "Missing character" not in paper.log
    assert [wide for wide in re.findall(r"Overfull \\hbox \(([\d.]+)pt", paper.log) if float(wide) > 5] == []
    assert len(re.findall(r"\(\./tables/[\w-]+\.tex", paper.log)) == len(made.tables)


def test_booktabs_is_all_that_it_needs(tmp_path: Path, require_program: Callable[..., str]) -> None:
    require_program("latexmk")
    columns = Column("a", "model", numeric=False), Column("b", "squared error")
    rows = (Cell("conv_1"), Cell("1.5 ± 0.1", best=True)), (Cell("dense"), Cell("∞ & more"))
    view = TableView("mine", "100 % of\nit", columns, rows, note="a % b")
    made = latex.tabulars([view], Path(__file__).parents[3] / "report_templates")
    Files(tmp_path).write(made)
    text = made["tables/mine.tex"].decode()
    assert r"\textbf{1.5 \ensuremath{\pm} 0.1}" in text
    assert r"% Needs \usepackage{booktabs}" in text
    assert compiled(tmp_path, r"\input{tables/mine}").pdf is not None


def test_tables_of_an_earlier_report_are_removed(study: ModuleType, tmp_path: Path) -> None:
    made = study.demo(models=("conv",), latents=(2,), weights=(1e-4,), ssim_weights=(0.0,), seeds=(0,), broken=False)
    source = made.source(history=lambda _: pd.DataFrame(), arrays=lambda _: {})
    old = tmp_path / "tables" / "summary-9.tex"
    earlier = Files(tmp_path)
    earlier.write({"tables/summary-9.tex": b"old"})
    earlier.finish()
    assert render(source, tmp_path, latex=False).tables == ()
    assert list(old.parent.iterdir()) == []
