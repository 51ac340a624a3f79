"""`vaebench compare`: a comparison on the terminal, and as a file to keep."""

from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ablations.analysis.changes import Comparison, compare
from ablations.report.comparison import as_csv, as_html, as_markdown, sentence, views
from ablations.report.tables.view import TableView
from vae.errors import SpecError, VaebenchError
from vae.files import write_atomically

__all__ = ["run"]

_SAME, _WORSE = 0, 1


_MOST_ROWS = 60  # on a terminal


_STYLES = {"worse": "bold red", "failed": "bold red", "missing": "yellow", "better": "green", "mended": "green"}


def run(options: Namespace, console: Console) -> int:
    """Say what changed between folders of results; 1 where something is worse or failed."""
    write = _writer(options.output)
    found = compare(options.folders, options.metric, options.tolerance)
    if write is not None:
        try:
            write_atomically(options.output, write(found).encode())
        except OSError as error:
            raise VaebenchError(f"{options.output} can't be written: {error.strerror or error}") from error
    for view in views(found):
        if view.rows:
            _show(view, console)
    console.print(escape(sentence(found)), soft_wrap=True)
    if write is not None:
        console.print(f"  {escape(str(options.output))}", soft_wrap=True)
    console.print(f"next: {_advice(found)}", soft_wrap=True)
    return _WORSE if found.worsened else _SAME


_WRITERS: dict[str, Callable[[Comparison], str]] = {".csv": as_csv, ".md": as_markdown, ".html": as_html}


def _writer(output: Path | None) -> Callable[[Comparison], str] | None:
    if output is None:
        return None
    writer = _WRITERS.get(output.suffix.lower())
    if writer is None:
        raise SpecError(f"--output {output}: expected a file that ends in {', '.join(_WRITERS)}")
    return writer


def _advice(found: Comparison) -> str:
    if any(one.kind == "failed" for one in found.trials):
        return "see why trials failed: vaebench status DIR"
    if found.worsened:
        return "look at the reports of both folders; --metric and --tolerance set what counts"
    if any(one.kind == "missing" for one in found.trials):
        return "train what is missing: vaebench run STUDY"
    if any(one.pairs < 2 and one.verdict == "unresolved" for one in found.changes):  # noqa: PLR2004 - no interval
        return "give the study more seeds: one pair has no interval"
    return "nothing is worse"


def _show(view: TableView, console: Console) -> None:
    """Print a table; of a long one the rows that are the same come last and are cut."""
    rows = list(view.rows)
    if len(rows) > _MOST_ROWS:
        rows.sort(key=lambda row: row[-1].text == "same")
    table = Table(title=escape(view.caption), title_justify="left")
    for column in view.columns:
        table.add_column(escape(column.label), justify="right" if column.numeric else "left")
    for row in rows[:_MOST_ROWS]:
        table.add_row(*(_styled(cell.text) for cell in row))
    console.print(table)
    if len(rows) > _MOST_ROWS:
        console.print(f"... {len(rows) - _MOST_ROWS} more; --output FILE.html, .md or .csv writes all")


def _styled(text: str) -> str:
    style = _STYLES.get(text)
    return f"[{style}]{text}[/]" if style else escape(text)
