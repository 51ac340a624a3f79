"""Records to a report: one HTML file that asks nothing of anyone, and the same in LaTeX and PDF."""

import base64
import hashlib
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup

from ablations.analysis.grid import Grid
from ablations.records.ledger import Run
from ablations.records.record import SEED, Record
from ablations.records.status import Status
from ablations.report import latex as tex
from ablations.report.damage import Careful
from ablations.report.drawn import Drawn, LeftOut
from ablations.report.explorer import explore
from ablations.report.figures import draw
from ablations.report.files import CACHE, FIGURES, Files
from ablations.report.findings import answer, seeds_note
from ablations.report.headlines import headlines, supporting
from ablations.report.loaders import Loaders
from ablations.report.page import page, templates
from ablations.report.parts import linked, trial_parts
from ablations.report.provenance import provenance
from ablations.report.tables.effects import analysis_tables
from ablations.report.tables.summary import summary_tables
from ablations.report.tables.trials import failures, skips, trial_table
from ablations.report.tables.view import TableView
from ablations.search.found import Search
from ablations.text.characters import visible
from ablations.text.columns import MAIN
from ablations.text.numbers import clean, count
from vae.errors import VaebenchError
from vae.latent import Embedding, Walk

__all__ = ["Rendered", "Source", "render"]

_LETTERS = 121  # that fit a line of the printed tables
_SUFFIXES = ("svg", "png", "pdf")


@dataclass(frozen=True)
class Source:
    """What a report is made of.

    Attributes:
        name: the study's.
        title: its title; may be empty.
        question: what it asks, in a sentence; may be empty.
        spec_text: study.toml as run.
        axes: axis -> values, seed last.
        baseline: settings of the configurations that others are held against; may be empty.
        command: the one command that repeats the study.
        records: every trial's.
        history: a trial's curves, a row an epoch; empty for one that failed.
        arrays: a trial's pictures and points; empty for one that failed.
        stale: names of trials made by older code.
        missing: how many trials of the study have not been run yet, and have no record.
        runs: in which the trials were trained.
        search: what was proposed, where the study was searched.
        metrics: by which the question is answered, the one that "best" means first.
    """

    name: str
    title: str
    question: str
    spec_text: str
    axes: Mapping[str, Sequence[object]]
    baseline: Mapping[str, object]
    command: str
    records: Sequence[Record]
    history: Callable[[Record], pd.DataFrame]
    arrays: Callable[[Record], Mapping[str, np.ndarray[Any, Any]]]
    stale: Collection[str] = ()
    missing: int = 0
    runs: Sequence[Run] = ()
    search: Search | None = None
    metrics: Sequence[str] = MAIN


@dataclass(frozen=True)
class Rendered:
    """What was written.

    Attributes:
        html: the report.
        tex: its LaTeX source; None where it was not asked for.
        pdf: compiled from it; None where that was not possible.
        no_pdf: why there is no PDF, in a line; "" where there is one.
        figures: every figure's files.
        left_out: the figures that could not be drawn, and why.
        damaged: a sentence or two for each file of a trial that could not be used.
        tables: each table as a LaTeX file of its own.
    """

    html: Path
    tex: Path | None
    pdf: Path | None
    no_pdf: str
    figures: tuple[Path, ...]
    left_out: tuple[LeftOut, ...]
    damaged: tuple[str, ...]
    tables: tuple[Path, ...] = ()


@dataclass(frozen=True)
class _Placed:
    """A figure in its files, as templates want it."""

    drawn: Drawn
    stem: str
    number: int
    uri: Markup

    @property
    def pdf(self) -> tex.Tex:
        return tex.Tex(f"{FIGURES}/{self.stem}.pdf")


def render(
    source: Source, folder: Path, *, latex: bool = True, embedding: Embedding = "tsne", path: Walk = "linear"
) -> Rendered:
    """Write `index.html`, `figures/` and, where `latex` is set, `tables/`, `report.tex` and `report.pdf`.

    Args:
        source: what to report.
        folder: where to; made if missing.
        latex: write the LaTeX report and compile it where latexmk is installed.
        embedding: `tsne` or `pca`, for latent maps of more than two dimensions.
        path: of interpolations, `linear` or `spherical`.

    Raises:
        VaebenchError: there is no record to report, or the report's folder is a link.
    """
    if not source.records:
        raise VaebenchError(f"study '{source.name}' has no trial yet: run it first ({source.command})")
    files = Files(folder)
    results = f"results/{folder.absolute().parent.name}"
    careful = Careful(source.history, source.arrays, results)
    source = replace(source, history=careful.history, arrays=careful.arrays)
    grid = Grid.of(source.records, source.stale, source.metrics)
    loaders = Loaders(source.history, source.arrays, folder / CACHE)
    drawn = list(draw(grid, loaders, embedding=embedding, path=path, search=source.search))
    placed, figures = _save([one for one in drawn if isinstance(one, Drawn)], files)
    left_out = tuple(one for one in drawn if isinstance(one, LeftOut))
    content = _content(source, grid) | {"figures": placed, "left_out": left_out}
    only_html = _only_html(source, grid, loaders, results, content)
    content["damaged"] = careful.notices  # all that is read has been by now
    files.remove(("report.tex", "report.pdf"))  # they would show other numbers
    (html,) = files.write({"index.html": page("report.html.j2", content | only_html).encode()})
    rendered = Rendered(html, None, None, "LaTeX was not asked for", figures, left_out, careful.notices)
    if latex:
        rendered = _printed(rendered, content, files, _epoch(source.records))
    files.finish()
    return rendered


def _printed(rendered: Rendered, content: Mapping[str, Any], files: Files, epoch: int) -> Rendered:
    """Write the tables, the LaTeX report and, where it can be compiled, the PDF."""
    tables = files.write(tex.tabulars(_tables(content), templates()))
    (paper,) = files.write({"report.tex": _latex(content).encode()})
    compiled = tex.compile_pdf(paper, epoch=epoch)
    pdf = files.write({"report.pdf": compiled.pdf})[0] if compiled.pdf else None
    return replace(rendered, tex=paper, pdf=pdf, no_pdf=compiled.reason, tables=tables)


def _content(source: Source, grid: Grid) -> dict[str, Any]:
    counted = Counter(record.status for record in source.records)
    status = [f"{counted[name]:,} {name}" for name in sorted(counted, key=lambda name: (name != Status.DONE, name))]
    stale = sum(record.trial in source.stale for record in source.records)
    status += [f"{source.missing:,} not run yet"] if source.missing else []
    status += [f"{stale:,} made by older code (stale)"] if stale else []
    return {
        "name": clean(source.name),
        "title": clean(source.title) or clean(source.name),
        "question": clean(source.question),
        "command": clean(source.command),
        "spec_text": clean(source.spec_text, lines=True),
        "trials": count(sum(record.status != Status.SKIPPED for record in source.records) + source.missing, "trial"),
        "configurations": count(len(grid.configurations), "configuration"),
        "status": ", ".join(status),
        "seeds_note": seeds_note(grid),
        "failures": failures(source.records),
        "skips": skips(source.records),
        "answers": answer(grid, source.baseline, source.history, source.search),
        "baseline": ", ".join(f"{axis} = {value}" for axis, value in source.baseline.items()),
        "summaries": summary_tables(grid),
        "analyses": analysis_tables(grid, source.baseline),
        "trial_table": trial_table(grid, source.records, source.stale),
        "provenance": provenance(source.records, source.runs),
    }


def _only_html(
    source: Source, grid: Grid, loaders: Loaders, results: str, content: Mapping[str, Any]
) -> dict[str, Any]:
    """Return what the page has and paper has not: the head's figure, filters, the explorer, a part for each trial."""
    parts = trial_parts(grid, source.records, loaders, results)
    return {
        "headlines": headlines(content["answers"]),
        "supporting": supporting(content["figures"], grid.main),
        "filters": {*grid.varying, "dataset", "model", SEED, "status"},
        "explored": explore(grid, loaders),
        "parts": parts,
        "trial_table": linked(content["trial_table"], source.records, parts),
    }


def _save(drawn: Iterable[Drawn], files: Files) -> tuple[list[_Placed], tuple[Path, ...]]:
    placed: list[_Placed] = []
    contents: dict[str, bytes] = {}
    for number, one in enumerate(drawn, start=1):
        stem = _stem(one.key, {other.stem for other in placed})
        saved = {suffix: one.save(suffix) for suffix in _SUFFIXES}
        contents |= {f"{FIGURES}/{stem}.{suffix}": content for suffix, content in saved.items()}
        suffix, kind = ("png", "image/png") if one.pictures else ("svg", "image/svg+xml")
        uri = Markup(f"data:{kind};base64,{base64.b64encode(saved[suffix]).decode()}")  # noqa: S704 - base64 alone
        placed.append(_Placed(one, stem, number, uri))
    return placed, files.write(contents)


def _stem(key: str, taken: Collection[str]) -> str:
    """Return a file name that every system and LaTeX can read."""
    stem = re.sub(r"[^a-z0-9]+", "-", key.casefold()).strip("-")[:60] or "figure"
    return stem if stem not in taken else f"{stem}-{hashlib.sha256(visible(key).encode()).hexdigest()[:8]}-{len(taken)}"


def _tables(content: Mapping[str, Any]) -> list[TableView]:
    """Return every table of the report."""
    return [*content["summaries"], *content.get("analyses", ()), content["trial_table"]]


def _latex(content: Mapping[str, Any]) -> str:
    printed = {
        "summaries": [table.narrow(_LETTERS, tex.printable) for table in content["summaries"]],
        "analyses": [table.narrow(_LETTERS, tex.printable) for table in content["analyses"]],
        "trial_table": content["trial_table"].narrow(_LETTERS, tex.printable),
        "listing": tex.listing(content["spec_text"]),
    }
    return tex.environment(templates()).get_template("report.tex.j2").render(**{**content, **printed})


def _epoch(records: Sequence[Record]) -> int:
    dates = sorted(record.finished for record in records if record.finished)
    try:
        return int(datetime.fromisoformat(dates[-1]).timestamp()) if dates else 0
    except ValueError:
        return 0
