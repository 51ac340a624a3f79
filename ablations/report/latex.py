r"""LaTeX: text that no name can break, and the compiler kept on a short leash.

pdfLaTeX sets Latin letters; what it cannot set (emoji, other scripts) is printed as its code point, which is never
wrong, instead of stopping the run.
"""

import os
import re
import shutil
import subprocess
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import jinja2

from ablations.report.files import FIGURES, TABLES
from ablations.report.tables.view import TableView
from ablations.text.numbers import clean, shorten
from vae.scratch import scratch, sweep

__all__ = ["Compiled", "Tex", "compile_pdf", "environment", "escape", "listing", "printable", "tabulars"]

_SECONDS = 180
_SCRATCH = "tex"
_WORD = 16  # letters in a row without a place to break
_LONGEST = 4_000  # letters of one text in print, and lines of a listing: TeX's memory is of fixed size
_CELL = 60  # letters of a cell in a table that stands alone
_DEEPEST = 40  # spaces that a line of a listing is set in by
_SPECIAL = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "'": r"\textquotesingle{}",
    "`": r"\textasciigrave{}",
    "-": "-{}",  # -- stays two hyphens
    "*": "{*}",  # no star of the command before, such as the end of a table's row
    "[": "{[}",  # no optional argument, wherever the text lands
    "]": "{]}",
    "\u2212": r"\ensuremath{-}",
    "±": r"\ensuremath{\pm}",
    "×": r"\ensuremath{\times}",  # noqa: RUF001
    "≤": r"\ensuremath{\leq}",
    "≥": r"\ensuremath{\geq}",
    "∞": r"\ensuremath{\infty}",
    "†": r"\textdagger{}",
    "–": r"\textendash{}",  # noqa: RUF001
    "—": r"\textemdash{}",
    "…": r"\ldots{}",
    "\u2018": r"\textquoteleft{}",
    "\u2019": r"\textquoteright{}",
    "“": r"\textquotedblleft{}",
    "”": r"\textquotedblright{}",
    "\u00a0": "~",
    "°": r"\ensuremath{^\circ}",
    "µ": r"\ensuremath{\mu}",
    "₁": r"\ensuremath{_1}",
    "₂": r"\ensuremath{_2}",
    "²": r"\ensuremath{^2}",
}
_GREEK_NAMES = """alpha beta gamma delta varepsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau upsilon
varphi chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma Phi Psi Omega"""
_GREEK = {
    letter: rf"\ensuremath{{\{name}}}"
    for letter, name in zip("αβγδεζηθικλμνξπρστυφχψωΓΔΘΛΞΠΣΦΨΩ", _GREEK_NAMES.split(), strict=True)
}
_LATIN = {*map(chr, range(0xC0, 0x17F)), *"¡¿§£"} - set("×÷ĿŀŉŦŧĦħĸſ")  # noqa: RUF001 - what the T1 fonts hold


class Tex(str):
    """Text that is LaTeX already and must not be escaped again."""

    __slots__ = ()


def escape(value: object) -> Tex:
    r"""Return text as LaTeX that prints it and does nothing else; a very long one is cut, and says so.

    >>> str(escape("50 % of $x_1$"))
    '50 \\% of \\$x\\_1\\$'
    """
    if isinstance(value, Tex):
        return value
    text = clean(str(value))
    if len(text) > _LONGEST:
        text = f"{text[:_LONGEST]}… ({len(text) - _LONGEST:,} more characters)"
    joined = "".join(_word(word) for word in re.split(r"(\s+)", printable(text)))
    return Tex(re.sub(",(?=,)", ",{}", joined))  # two commas would become a quotation mark


def printable(text: str) -> str:
    """Return text in which whatever pdfLaTeX has no letter for is spelt plainly, or else as its code point.

    >>> printable("ﬁne \N{PILE OF POO}")
    'fine [U+1F4A9]'
    """
    return "".join(_spelt(char) for char in text)


def _spelt(char: str) -> str:
    if char.isascii() or char in _SPECIAL or char in _GREEK or char in _LATIN:
        return char
    plain = unicodedata.normalize("NFKD", char)
    return plain if plain.isascii() and plain.isprintable() else f"[U+{ord(char):04X}]"


def listing(text: str) -> Tex:
    """Return lines of a file for a typewriter font, indents and line ends kept; a very long one is cut."""
    lines = []
    given = clean(text, lines=True).split("\n")
    for raw in given[:_LONGEST]:
        line = raw.expandtabs(4)
        code = line.lstrip(" ")
        lines.append(r"\mbox{}" + "~" * min(len(line) - len(code), _DEEPEST) + str(escape(code)) + r"\par")
    if len(given) > _LONGEST:
        lines.append(f"({len(given) - _LONGEST:,} more lines)")
    return Tex("\n".join(lines))


def _word(word: str) -> str:
    """Escape one word; a long one gets places to break, so that it cannot run off the page."""
    letters = [_SPECIAL.get(char) or _GREEK.get(char) or char for char in word]
    if len(word) <= _WORD:
        return "".join(letters)
    return "".join(letter + (r"\allowbreak{}" if place % 4 == 3 else "") for place, letter in enumerate(letters))  # noqa: PLR2004


def environment(folder: Path) -> jinja2.Environment:
    """Return what renders LaTeX templates of a folder, every value escaped."""
    return jinja2.Environment(  # noqa: S701 - every value passes escape, as finalize
        loader=jinja2.FileSystemLoader(folder),
        block_start_string=r"\BLOCK{",
        block_end_string="}",
        variable_start_string=r"\VAR{",
        variable_end_string="}",
        comment_start_string=r"\REM{",
        comment_end_string="}",
        undefined=jinja2.StrictUndefined,
        finalize=escape,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def tabulars(views: Sequence[TableView], templates: Path) -> dict[str, bytes]:
    r"""Return name -> content of a file for each table, with all its columns: a `tabular` that a paper can \input.

    Args:
        views: the tables; a file bears its table's name, of ASCII letters, digits and hyphens.
        templates: the folder of templates.
    """
    template = environment(templates).get_template("tabular.tex.j2")
    return {
        f"{TABLES}/{view.name}.tex": template.render(table=_spelt_out(view), file=Tex(view.name)).encode()
        for view in views
    }


def _spelt_out(view: TableView) -> TableView:
    """Return a table as pdfLaTeX has letters for it, its endless texts (why a trial failed) cut."""
    rows = tuple(tuple(replace(cell, text=shorten(printable(cell.text), _CELL)) for cell in row) for row in view.rows)
    columns = tuple(replace(column, label=shorten(printable(column.label), _CELL)) for column in view.columns)
    return replace(view, columns=columns, rows=rows)


@dataclass(frozen=True)
class Compiled:
    """The PDF, or why there is none; and the compiler's log."""

    pdf: bytes | None
    reason: str = ""
    log: str = ""


def compile_pdf(tex: Path, *, seconds: float = _SECONDS, epoch: int = 0) -> Compiled:
    """Compile a LaTeX file with latexmk in a temporary copy of its folder, without shell escape.

    Args:
        tex: the file; the folders `figures` and `tables` beside it go along.
        seconds: the time after which the compiler is stopped.
        epoch: the date in the PDF, in seconds since 1970, so that the same numbers give the same file.
    """
    program = shutil.which("latexmk")
    if program is None:
        return Compiled(None, "latexmk is not installed: compile report.tex where there is LaTeX")
    command = [program, "-norc", "-pdf", "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", tex.name]
    dates = {"SOURCE_DATE_EPOCH": str(epoch), "FORCE_SOURCE_DATE": "1", "openout_any": "p", "max_print_line": "1000"}
    sweep(_SCRATCH)
    with scratch(_SCRATCH) as folder:
        shutil.copy(tex, folder)
        for part in (FIGURES, TABLES):
            if (tex.parent / part).is_dir():
                # What users put beside our files is theirs, and may be broken.
                shutil.copytree(tex.parent / part, folder / part, ignore_dangling_symlinks=True)
        try:
            run = subprocess.run(  # noqa: S603 - a fixed command on our own file
                command, cwd=folder, env={**os.environ, **dates}, capture_output=True, timeout=seconds, check=False
            )
        except subprocess.TimeoutExpired:
            return Compiled(None, f"latexmk was stopped after {seconds:g} s")
        except OSError as error:
            return Compiled(None, f"latexmk did not start: {error}")
        log_file = folder / f"{tex.stem}.log"
        log = log_file.read_text("utf-8", errors="replace") if log_file.is_file() else ""
        pdf = folder / f"{tex.stem}.pdf"
        if run.returncode == 0 and pdf.is_file():
            return Compiled(pdf.read_bytes(), log=log)
        said = next((line for line in log.splitlines() if line.startswith("!")), f"exit code {run.returncode}")
        return Compiled(None, f"latexmk failed: {said}", log)
