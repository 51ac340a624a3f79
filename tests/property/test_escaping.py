"""Any text is shown as text: in HTML, LaTeX, CSV, on a terminal, and as the name of a folder."""

import csv
import io
import math
import re
import subprocess
import unicodedata
from collections.abc import Callable, Iterator
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from markupsafe import Markup
from matplotlib.figure import Figure
from nasty import NASTY, nasty

from ablations.analysis.grid import Grid
from ablations.records.files import csv_text
from ablations.records.record import Record
from ablations.records.tables import summary, table
from ablations.report import latex, report
from ablations.report.figures import Drawn, LeftOut
from ablations.report.loaders import Loaders
from ablations.study.study import Study
from ablations.study.trial import Trial, slug
from ablations.text.characters import visible
from ablations.text.numbers import ABSENT, clean, shorten
from ablations.text.terminal import Terminal
from bench import synthetic
from vae.spec import RunSpec

# ---------------------------------------------------------------------------------------------------- what is seen


def unseen(text: str) -> set[str]:
    """Return the characters of text that command, hide or reorder, by Unicode's own categories."""
    joiners_and_marks = "\u200c\u200d\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2"
    kinds = {"Cc", "Cs", "Zl", "Zp"}
    found = {char for char in text if unicodedata.category(char) in kinds}
    # Of the format characters, those that are seen (number signs) or that scripts need may stay.
    found |= {
        char
        for char in text
        if unicodedata.category(char) == "Cf" and char not in joiners_and_marks and ord(char) < 0x11000
    }
    return found


@given(nasty)
@example("".join(map(chr, range(0x2FF))))
@example("".join(map(chr, range(0x2000, 0x2070))))
def test_nothing_unseen_is_left_and_nothing_is_lost(text: str) -> None:
    shown = visible(text)
    assert unseen(shown) == set()
    back = re.sub(r"\[U\+([0-9A-F]{4,6})\]", lambda found: chr(int(found[1], 16)), shown)
    assert back == text or "[U+" in text
    assert visible(shown) == shown
    assert clean(clean(text)) == clean(text)
    assert unseen(visible(text, lines=True)) <= {"\n", "\t"}


@given(nasty)
def test_no_name_commands_a_terminal(text: str) -> None:
    for encoding in ("utf-8", "ascii"):
        raw = io.BytesIO()
        file = io.TextIOWrapper(raw, encoding=encoding, newline="")
        Terminal(file=file, highlight=False, emoji=False, soft_wrap=True, force_terminal=False).print(
            text, markup=False
        )
        file.flush()
        assert unseen(raw.getvalue().decode(encoding)) <= {"\n", "\t"}


# ------------------------------------------------------------------------------------------------------------ HTML

TOKEN = "qzharmlessqz"  # noqa: S105 - a word that nothing else holds


class Events(HTMLParser):
    """Everything that a page consists of, in order; adjacent text joined."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[object, ...]] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append(("start", tag, *((name, value) for name, value in attrs if name != "class")))

    def handle_endtag(self, tag: str) -> None:
        self.found.append(("end", tag))

    def handle_data(self, data: str) -> None:
        if self.found and self.found[-1][0] == "text":
            data = f"{self.found.pop()[1]}{data}"
        self.found.append(("text", data))

    def handle_comment(self, data: str) -> None:
        self.found.append(("comment", data))

    def handle_decl(self, decl: str) -> None:
        self.found.append(("declaration", decl))

    def handle_pi(self, data: str) -> None:
        self.found.append(("instruction", data))

    def unknown_decl(self, data: str) -> None:
        self.found.append(("unknown", data))


@cache
def one_record() -> tuple[synthetic.Demo, Record]:
    few = {"models": ("conv",), "latents": (2,), "weights": (1e-4,), "ssim_weights": (0.0,), "seeds": (0,)}
    made = synthetic.demo(**few, broken=False)
    return made, made.records[0]


def content(text: str) -> dict[str, object]:
    """Return what templates are given for a study in which every word that someone else can choose is `text`."""
    made, one = one_record()
    done = Record(
        **vars(one)
        | {
            "axes": {"dataset": text, "model": text, "data.path": text, "seed": 0},
            "data": {**one.data, "name": text, "licence": text, "source": text, "class_names": [text, "b"]},
            "environment": {"machine": text},
            "notes": {"x": text},
        }
    )
    other = {"trial": text, "axes": {**done.axes, "model": f"{text}!"}, "status": "failed", "reason": text}
    failed = Record(**vars(done) | other | {"metrics": {}})
    words = dict.fromkeys(("name", "title", "question", "spec_text", "command"), text)
    source = made.source(**words, baseline={"model": text}, records=[done, failed])
    figure = report._Placed(Drawn("key", text, text, text, Figure()), "key", 1, Markup("data:image/png;base64,"))
    left_out = [LeftOut(text, text)]
    grid = Grid.of(source.records)
    found = report._content(source, grid) | {"figures": [figure], "left_out": left_out, "damaged": [text]}
    loaders = Loaders(source.history, lambda _: {})
    return found | {"html": report._only_html(source, grid, loaders, Path("results/study/report"), found)}


def page_of(text: str) -> str:
    found = content(text)
    return report.page("report.html.j2", found | found["html"])


@cache
def harmless() -> list[tuple[object, ...]]:
    return Events(page_of(TOKEN)).found


@settings(max_examples=50)
@given(nasty)
@example(NASTY[0])
@example(NASTY[10])
@example("caf\udce9 \x00\x1b\u202e")
def test_a_page_differs_from_a_harmless_one_in_its_words_alone(text: str) -> None:
    assume(clean(text) not in {"", ABSENT})  # a study without a title is shown by its name
    page = page_of(text)
    page.encode()
    assert unseen(page) <= {"\n", "\t"}
    found = Events(page).found
    assert [one[:2] for one in found if one[0] != "text"] == [one[:2] for one in harmless() if one[0] != "text"]
    # Every place, attributes included, holds the words where the harmless page has its token.
    words = (clean(text), clean(text).casefold(), visible(text, lines=True), shorten(text, 80), anchor(text))
    for ours, theirs in zip(found, harmless(), strict=True):
        for one, other in zip(flat(ours), flat(theirs), strict=True):
            assert bare(one) in {bare(other.replace(TOKEN, word)) for word in words}


def anchor(text: str) -> str:
    """Return what a trial of this name is called in a link."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text)


def flat(event: tuple[object, ...]) -> Iterator[str]:
    for part in event:
        yield from (str(one) for one in part) if isinstance(part, tuple) else (str(part),)


def bare(text: str) -> str:
    return "".join(text.split())


# ----------------------------------------------------------------------------------------------------------- LaTeX

# What TeX makes of each piece that `escape` may write; anything else in its output is an error.
PRINTS = {
    r"\textbackslash{}": "\\",
    r"\textasciicircum{}": "^",
    r"\textasciitilde{}": "~",
    r"\textless{}": "<",
    r"\textgreater{}": ">",
    r"\textbar{}": "|",
    r"\textquotedbl{}": '"',
    r"\textquotesingle{}": "'",
    r"\textasciigrave{}": "`",
    r"\textdagger{}": "†",
    r"\textendash{}": "\N{EN DASH}",
    r"\textemdash{}": "—",
    r"\ldots{}": "…",
    r"\textquoteleft{}": "\u2018",
    r"\textquoteright{}": "\u2019",
    r"\textquotedblleft{}": "“",
    r"\textquotedblright{}": "”",
    r"\allowbreak{}": "",
    "-{}": "-",
    ",{}": ",",
    "{*}": "*",
    "{[}": "[",
    "{]}": "]",
    "~": "\u00a0",
    **{f"\\{char}": char for char in "{}$&#%_"},
    r"\ensuremath{-}": "\u2212",
    r"\ensuremath{\pm}": "±",
    r"\ensuremath{\times}": "\N{MULTIPLICATION SIGN}",
    r"\ensuremath{\leq}": "≤",
    r"\ensuremath{\geq}": "≥",
    r"\ensuremath{\infty}": "∞",
    r"\ensuremath{^\circ}": "°",
    r"\ensuremath{\mu}": "µ",
    r"\ensuremath{_1}": "₁",
    r"\ensuremath{_2}": "₂",
    r"\ensuremath{^2}": "²",
}
PIECE = re.compile(
    "|".join(re.escape(piece) for piece in sorted(PRINTS, key=len, reverse=True))
    + r"|\\ensuremath\{\\(?P<greek>[A-Za-z]+)\}"
    + r"|(?P<plain>[^\\{}$&#%_^~<>|\"'`*\[\]-])"
)


def typeset(tex: str) -> str:
    """Return what TeX would print; fails on anything that TeX would do."""
    printed, place = [], 0
    while place < len(tex):
        piece = PIECE.match(tex, place)
        assert piece, f"TeX would act on {tex[place : place + 20]!r} of {tex!r}"
        place = piece.end()
        if piece["greek"]:
            mark = piece["greek"].removeprefix("var")
            case = "CAPITAL" if mark[0].isupper() else "SMALL"
            printed.append(unicodedata.lookup(f"GREEK {case} LETTER {mark.upper().replace('LAMBDA', 'LAMDA')}"))
        else:
            printed.append(piece["plain"] or PRINTS[piece[0]])
    return "".join(printed)


@given(nasty)
def test_latex_prints_the_text_and_does_nothing(text: str) -> None:
    escaped = latex.escape(text)
    plain = latex.printable(clean(text))
    assert typeset(escaped) == plain
    assert ",," not in escaped
    assert "--" not in escaped
    assert latex.escape(escaped) is escaped, "nothing is escaped twice"


@given(st.characters(exclude_categories=["Cs"]))
def test_every_character_is_set_or_spelt(char: str) -> None:
    shown = latex.printable(clean(f"a{char}b"))
    assert set(shown) <= {*map(chr, range(32, 127)), *latex._SPECIAL, *latex._GREEK, *latex._LATIN}


def test_an_endless_text_is_cut_for_print_and_says_so() -> None:
    escaped = latex.escape("x" * 10**6)
    assert len(escaped) < 30_000
    assert escaped.endswith("(996,000 more characters)")
    lines = latex.listing("\n".join([" " * 100 + "deep"] * 10**4))
    assert lines.count(r"\mbox{}") == 4000
    assert lines.endswith("(6,000 more lines)")
    assert "~" * 41 not in lines


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory, require_program: Callable[..., str]) -> tuple[str, str]:
    """Return the text of a PDF that holds every nasty string wherever the templates put one; and the log."""
    require_program("latexmk")
    reader = require_program("pdftotext")
    folder = tmp_path_factory.mktemp("latex")
    blank = report._latex(content(TOKEN))
    preamble, _, _ = blank.partition(r"\begin{document}")
    ascii_rows = [chr(code) * repeat for code in range(33, 127) for repeat in (1, 2, 3)]
    accents = ["".join(sorted(latex._LATIN))[start : start + 20] for start in range(0, len(latex._LATIN), 20)]
    body = [preamble, r"\begin{document}"]
    for text in (*NASTY, *accents, "".join(latex._GREEK), "".join(latex._SPECIAL)):
        body += [rf"\section*{{{latex.escape(text)}}}", rf"\textbf{{{latex.escape(text)}}} {latex.escape(text)}\par"]
        body += [r"\begin{itemize}\item " + latex.escape(text) + r": x\end{itemize}", str(latex.listing(text))]
        body += [r"\begin{longtable}{@{}lL{4cm}@{}}\toprule x & y \\ \midrule \endhead"]
        body += [rf"{latex.escape(text[:20])} & {latex.escape(text)} \\"] * 2 + [r"\end{longtable}"]
    body += [r"\begin{longtable}{@{}rl@{}}"]
    body += [rf"{latex.escape(text)} & {place}end \\" for place, text in enumerate(ascii_rows)]
    body += [r"\end{longtable}\end{document}"]
    file = folder / "report.tex"
    file.write_text("\n".join(body), encoding="utf-8")
    compiled = latex.compile_pdf(file)
    assert compiled.pdf is not None, compiled.reason + compiled.log[-3000:]
    (folder / "report.pdf").write_bytes(compiled.pdf)
    done = subprocess.run([reader, "-raw", folder / "report.pdf", "-"], capture_output=True, text=True, check=True)
    return done.stdout, compiled.log


def test_latex_compiles_with_every_nasty_text_in_every_place(printed: tuple[str, str]) -> None:
    text, log = printed
    assert "Missing character" not in log
    assert "LaTeX Error" not in log
    assert "PILE" not in text
    assert "[U+1F4A9]" in text
    assert "\\input{/etc/passwd}" in text.replace("\n", "").replace(" ", "")
    assert "root:x:0" not in text


def test_every_printable_character_is_printed_as_it_is(printed: tuple[str, str]) -> None:
    rows = dict(re.findall(r"^(\S+) (\d+)end$", printed[0].replace("\f", "\n"), re.MULTILINE))
    found = {int(place): text for text, place in rows.items()}
    expected = [chr(code) * repeat for code in range(33, 127) for repeat in (1, 2, 3)]
    assert [unicodedata.normalize("NFKC", found.get(place, "")) for place in range(len(expected))] == expected


# ------------------------------------------------------------------------------------------------------------- CSV


FORMULA = "=+-@\uff1d\uff0b\uff0d\uff20"


def run_by_a_spreadsheet(cell: str) -> bool:
    """Tell whether some spreadsheet takes a cell for a formula, generously: blanks and quotes before it left out."""
    try:
        float(cell)
    except ValueError:
        return cell.lstrip(' \t\r\n\x0b\x0c\u00a0\ufeff"').startswith(tuple(FORMULA))
    return False


def records(text: str) -> list[Record]:
    axes = {"model": text, "filters": [text, -1], "kl_weight": -0.5, "seed": 0}
    return [
        Record(text, text, axes, "failed", text, metrics={"mse": -1.5, f"{visible(text)}x": 2.0}, code={"git": text}),
        Record("b", "d", {**axes, "kl_weight": -2.5}, "done", None, metrics={"mse": -math.inf}),
    ]


@settings(max_examples=50)
@given(nasty)
@example("x;=1+1")
@example("x\t=1+1")
@example("x\r\n@SUM(A1)")
@example(' "\u00a0=1+1')
@example("\tx")
def test_no_cell_of_a_csv_is_a_formula_and_every_text_comes_back(text: str) -> None:
    frame = table(records(text))
    for made in (csv_text(frame), csv_text(summary(frame, ["model", "filters", "kl_weight", "seed"]))):
        made.encode()
        assert unseen(made) <= {"\n", "\t"}
        for separator in ",;\t":  # as the reader's country has it
            cells = [cell for row in csv.reader(io.StringIO(made, newline=""), delimiter=separator) for cell in row]
            assert [cell for cell in cells if run_by_a_spreadsheet(cell)] == []
        assert not any(
            cell.startswith(("\t", "\r")) for row in csv.reader(io.StringIO(made, newline="")) for cell in row
        )
    rows = list(csv.DictReader(io.StringIO(csv_text(frame), newline="")))
    shown = visible(text.encode("utf-8", "backslashreplace").decode(), lines=True)
    for name in ("model", "reason", "trial", "git"):
        assert rows[0][name].replace("'", "") == shown.replace("'", "")
        assert len(rows[0][name]) >= len(shown)
        if not set(text) & set(f"{FORMULA}\t\n\r"):
            assert rows[0][name] == shown
    assert [float(row["kl_weight"]) for row in rows] == [-0.5, -2.5], "negative numbers stay numbers"
    read = pd.read_csv(io.StringIO(csv_text(frame)), keep_default_na=False, dtype={"model": str, "reason": str})
    assert read["model"].tolist() == [row["model"] for row in rows]
    assert read["kl_weight"].tolist() == [-0.5, -2.5]
    buffer = io.BytesIO()
    frame.to_parquet(buffer, index=False)
    assert pd.read_parquet(buffer)["model"][0] == text.encode("utf-8", "backslashreplace").decode()


# --------------------------------------------------------------------------------------------------------- folders

DEVICES = {"con", "prn", "aux", "nul", *(f"{port}{number}" for port in ("com", "lpt") for number in range(10))}


def portable(name: str) -> bool:
    """Tell whether Linux, macOS and Windows all take a name for a file."""
    return (
        re.fullmatch(r"[A-Za-z0-9._-]{1,100}", name) is not None
        and name.partition(".")[0].lower() not in DEVICES
        and not name.startswith((".", "-"))
        and not name.endswith((".", " "))
    )


def folder(name: str) -> str:
    return Study.from_dict({"name": name}).folder_name


names = nasty.filter(lambda text: text and not re.search("[\ud800-\udfff]", text)) | st.sampled_from(
    [*sorted(DEVICES), "Con.x", "a", "A", "a.", "a-", ".a", "a-12345678", "study", "x" * 80, "x" * 81, "X" * 80]
)


@given(names, names)
@example("Fashion", "fashion")
@example("a/b", "a-b")
@example("x" * 81, "x" * 82)
def test_a_study_has_a_folder_of_its_own_on_any_system(one: str, other: str) -> None:
    assert portable(folder(one))
    results = Path("results").resolve()
    assert (results / folder(one)).resolve().parent == results
    if one != other:
        assert folder(one).casefold() != folder(other).casefold()


@given(names)
def test_a_folder_that_bears_the_name_of_another_studys_folder_is_not_it(name: str) -> None:
    assume(folder(name) != name)
    assert folder(folder(name)) != folder(name)


SPECS = [RunSpec.parse({"model": {"name": "conv", "latent_dim": size}}, "") for size in (2, 3)]


@given(nasty, nasty)
def test_a_trial_has_a_folder_of_its_own_on_any_system(one: str, other: str) -> None:
    trials = [Trial({"data.path": text, "seed": 0}, spec) for text, spec in zip((one, other), SPECS, strict=True)]
    assert all(portable(trial.name) for trial in trials)
    assert trials[0].name.casefold() != trials[1].name.casefold()


@given(nasty)
def test_slug_is_portable_and_idempotent(text: str) -> None:
    assert portable(slug(text)[:80].rstrip(".-") or "x")
    assert slug(slug(text)) == slug(text)


@given(st.lists(nasty, min_size=1, max_size=5))
def test_figures_have_names_that_every_system_and_latex_read(keys: list[str]) -> None:
    taken: list[str] = []
    for key in keys:
        stem = report._stem(f"curves-{key}", taken)
        assert re.fullmatch(r"[a-z0-9-]{1,80}", stem)
        assert portable(f"{stem}.svg")
        assert stem not in taken
        taken.append(stem)
