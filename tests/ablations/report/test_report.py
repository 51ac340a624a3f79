"""The report: the same numbers everywhere, any name as text, no request to anywhere."""

import base64
import hashlib
import re
import unicodedata
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest

from ablations.records.tables import summary, table
from ablations.report import latex
from ablations.report import page as assembly
from ablations.report.files import Files
from ablations.report.page import templates
from ablations.report.report import Rendered, render
from vae.errors import VaebenchError

MINUS = "\N{MINUS SIGN}"
VOID = {"meta", "img", "br", "hr", "input", "link"}


class Page(HTMLParser):
    """Collects tags, attributes and table cells; fails on tags that do not close."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.tables: dict[str, list[list[str]]] = {}
        self._table = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "table":
            self._table = (dict(attrs).get("id") or "pairs").removesuffix("-table")
            self.tables[self._table] = []
        elif tag == "tr":
            self.tables[self._table].append([])
        elif tag in {"td", "th"}:
            self.tables[self._table][-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not {"script", "style"} & set(self.open):
            self.text.append(data)
        if self.open and {"td", "th"} & set(self.open):
            self.tables[self._table][-1][-1] += data


@pytest.fixture(scope="module")
def page(rendered: tuple[object, Rendered]) -> Page:
    return Page(rendered[1].html.read_text("utf-8"))


def test_best_of_each_column_is_bold(rendered: tuple[object, Rendered]) -> None:
    demo, made = rendered
    frame = summary(table(demo.records), list(demo.axes))
    text = made.html.read_text("utf-8")
    bold = re.findall(r'<td data-value="([\d.]+)" class="number best">', text)
    assert repr(float(frame["mse_mean"].min())) in bold
    assert repr(float(frame["ssim_mean"].max())) in bold
    assert repr(float(frame["pca_mse_mean"].min())) not in bold


def test_every_trial_and_the_failed_ones_reason_are_shown(rendered: tuple[object, Rendered], page: Page) -> None:
    demo, made = rendered
    rows = page.tables["trials"]
    assert len(rows) == len(demo.records) + 1
    for text in ("".join(page.text), made.tex.read_text("utf-8")):
        assert "53 done, 1 failed" in text
        assert "DivergedError: loss is NaN in epoch 4, step 117" in text


def test_page_is_one_accessible_file(rendered: tuple[object, Rendered], page: Page) -> None:
    tags = [tag for tag, _ in page.tags]
    assert page.open == []
    assert dict(page.tags)["html"]["lang"] == "en"
    assert [tags.count(tag) for tag in ("h1", "main", "style", "script")] == [1, 1, 1, 1]
    assert all(attrs["alt"] for tag, attrs in page.tags if tag == "img")
    assert all("scope" in attrs for tag, attrs in page.tags if tag == "th")
    assert tags.count("caption") == tags.count("table") == 8
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    links = [attrs["href"] for tag, attrs in page.tags if tag == "a"]
    assert len(ids) == len(set(ids))
    assert all(link[1:] in ids for link in links)
    assert not any("style" in attrs or any(name.startswith("on") for name in attrs) for _, attrs in page.tags)


@pytest.mark.parametrize("which", ["rendered", "hostile"])
def test_no_reference_leaves_the_file(request: pytest.FixtureRequest, which: str) -> None:
    text = request.getfixturevalue(which)[1].html.read_text("utf-8")
    page = Page(text)
    for tag, attrs in page.tags:
        for name in ("src", "href", "srcset", "action", "data", "poster"):
            value = attrs.get(name)
            assert value is None or value.startswith(("data:image/", "#")), (tag, name, value)
    assert "url(" not in re.search(r"<style>(.*?)</style>", text, re.DOTALL)[1]
    assert "@import" not in text
    for uri in re.findall(r"data:image/svg\+xml;base64,([\w+/=]+)", text):
        svg = base64.b64decode(uri).decode()
        assert not re.search(r'href="(?!#|data:)', svg)


def test_policy_names_exactly_our_style_and_script(rendered: tuple[object, Rendered]) -> None:
    text = rendered[1].html.read_text("utf-8")
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)[1].replace("&#39;", "'")
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    for tag in ("style", "script"):
        inline = re.search(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)[1]
        digest = base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy


def test_hostile_names_are_text_in_html(hostile: tuple[object, Rendered], study: ModuleType) -> None:
    raw = hostile[1].html.read_text("utf-8")
    page = Page(raw)
    tags = [tag for tag, _ in page.tags]
    assert page.open == []
    assert tags.count("script") == 1
    assert all(attrs["src"].startswith("data:") for tag, attrs in page.tags if tag == "img")
    text = "".join(page.text)
    assert study.HOSTILE[0] in text
    assert study.HOSTILE[1] in text
    assert study.HOSTILE[6] in text
    assert "../../etc/passwd[U+0000][U+001B][31m" in text
    forbidden = {char for char in raw if unicodedata.category(char) == "Cc" and char not in "\n\t"}
    assert not forbidden
    assert "\u202e" not in raw, "no letter may turn the line around"


def test_hostile_names_make_no_path(hostile: tuple[object, Rendered]) -> None:
    made = hostile[1]
    assert all(re.fullmatch(r"[a-z0-9-]+\.(svg|png|pdf)", path.name) for path in made.figures)
    assert len({path.name for path in made.figures}) == len(made.figures)
    assert all(path.parent == made.html.parent / "figures" for path in made.figures)


@pytest.mark.parametrize("which", ["rendered", "hostile"])
def test_latex_compiles_within_the_page(request: pytest.FixtureRequest, which: str) -> None:
    request.getfixturevalue("require_program")("latexmk")
    made = request.getfixturevalue(which)[1]
    assert made.no_pdf == ""
    assert made.pdf.read_bytes().startswith(b"%PDF")
    compiled = latex.compile_pdf(made.tex)
    over = [float(found) for found in re.findall(r"Overfull \\[hv]box \(([\d.]+)pt too", compiled.log)]
    assert [found for found in over if found > 5] == []
    assert "LaTeX Warning" not in compiled.log
    assert "Missing character" not in compiled.log


def test_many_axes_are_cut_to_the_page(study: ModuleType, tmp_path: Path, require_program: object) -> None:
    require_program("latexmk")
    made = study.demo(models=("conv",), latents=(2,), weights=(1e-4, 1e-2), ssim_weights=(0.0,), broken=False)
    records = []
    for place, one in enumerate(made.records):
        more = {f"a.very.long_axis_name_{letter}": [place, "x" * 60] for letter in "abcdefghijkl"}
        records.append(type(one)(**vars(one) | {"axes": {**more, **one.axes}}))
    source = made.source(records=records, history=lambda _: pd.DataFrame(), arrays=lambda _: {})
    result = render(source, tmp_path)
    assert result.pdf is not None, result.no_pdf
    log = latex.compile_pdf(result.tex).log
    assert [w for w in re.findall(r"Overfull \\hbox \(([\d.]+)pt", log) if float(w) > 5] == []
    assert "Left out for want of space" in result.tex.read_text("utf-8")


@pytest.mark.parametrize(
    "text", ["\\", "{", "}", "$", "&", "#", "%", "_", "^", "~", "--", "''", "?`", "[", "]", "<>", "|"]
)
def test_latex_specials_are_escaped(text: str) -> None:
    escaped = latex.escape(f"a{text}b")
    bare = re.sub(r"\\([a-zA-Z]+|.)(\{\})?", "", escaped.replace("{[}", "").replace("{]}", "").replace("-{}", ""))
    assert not set(bare) & set("\\{}$&#%_^~<>|'`\"[]")


def test_latex_names_what_it_cannot_set() -> None:
    assert "U+1F4A9" in latex.escape("\N{PILE OF POO}")
    assert latex.escape("Łódź ü") == "Łódź ü"
    assert latex.escape("\ufb01 x\u200by") == "fi x{[}U+200B{]}y"


def test_missing_latexmk_is_said(rendered: tuple[object, Rendered], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latex.shutil, "which", lambda _: None)
    compiled = latex.compile_pdf(rendered[1].tex)
    assert compiled.pdf is None
    assert "latexmk is not installed" in compiled.reason


def test_broken_latex_is_said(tmp_path: Path, require_program: object) -> None:
    require_program("latexmk")
    file = tmp_path / "report.tex"
    file.write_text(r"\documentclass{article}\begin{document}\nosuchcommand\end{document}")
    assert latex.compile_pdf(file).reason == "latexmk failed: ! Undefined control sequence."


def test_latex_cannot_start_programs(tmp_path: Path, require_program: object) -> None:
    require_program("latexmk")
    file = tmp_path / "report.tex"
    mark = tmp_path / "mark"
    file.write_text(rf"\documentclass{{article}}\begin{{document}}\immediate\write18{{touch {mark}}}x\end{{document}}")
    assert latex.compile_pdf(file).pdf is not None
    assert not mark.exists()


def test_rendering_again_removes_what_is_no_more(study: ModuleType, tmp_path: Path) -> None:
    earlier = Files(tmp_path)
    earlier.write({"figures/old.svg": b"<svg/>", "report.pdf": b"%PDF old"})
    earlier.finish()
    made = study.demo(models=("conv",), latents=(2,), weights=(1e-4,), ssim_weights=(0.0,), seeds=(0,), broken=False)
    source = made.source(history=lambda _: pd.DataFrame(), arrays=lambda _: {})
    first = render(source, tmp_path, latex=False)
    assert not (tmp_path / "figures" / "old.svg").exists()
    assert not (tmp_path / "report.pdf").exists()
    text = first.html.read_bytes()
    assert render(source, tmp_path, latex=False).html.read_bytes() == text, "same records, same bytes"
    page = "".join(Page(text.decode()).text)
    for one in first.left_out:
        assert one.reason in page


def test_nothing_done_still_makes_a_report(study: ModuleType, tmp_path: Path) -> None:
    made = study.demo(models=("conv",), latents=(2,), weights=(1e-4,), ssim_weights=(0.0,), broken=False)
    records = [
        type(one)(**vars(one) | {"status": "failed", "reason": "no memory", "metrics": {}}) for one in made.records
    ]
    text = "".join(Page(render(made.source(records=records), tmp_path, latex=False).html.read_text("utf-8")).text)
    assert "No trial on this data set finished" in text
    assert "no memory" in text


def test_no_record_is_an_error(study: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(VaebenchError, match="run it first"):
        render(study.demo().source(records=[]), tmp_path)


def test_templates_are_found_in_the_checkout_and_in_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (templates() / "style.css").is_file()
    package = tmp_path / "site" / "ablations"
    inside = package / "report_templates"
    inside.mkdir(parents=True)
    monkeypatch.setattr(assembly, "__file__", str(package / "report" / "page.py"))
    with pytest.raises(VaebenchError, match="no report templates"):
        templates()
    (inside / "report.html.j2").touch()
    assert templates() == inside


def test_the_head_counts_what_is_not_run_yet(study: ModuleType, tmp_path: Path) -> None:
    made = study.demo(models=("conv",), latents=(2, 8), weights=(1e-4,), ssim_weights=(0.0,), broken=False)
    source = made.source(history=lambda _: pd.DataFrame(), arrays=lambda _: {}, missing=3)
    text = " ".join("".join(Page(render(source, tmp_path, latex=False).html.read_text("utf-8")).text).split())
    assert "2 configurations, 7 trials: 4 done, 3 not run yet." in text


def test_a_study_of_identical_images_has_a_report(study: ModuleType, tmp_path: Path) -> None:
    made = study.demo(models=("dense", "conv"), latents=(2, 8), weights=(1e-4,), broken=False)
    for record in made.records:
        record.metrics["pca_mse"] = 0.0
    source = made.source(history=lambda _: pd.DataFrame(), arrays=lambda _: {})
    text = "".join(Page(render(source, tmp_path, latex=False).html.read_text("utf-8")).text)
    assert "Above the floor, worse than a linear PCA" in text
    assert "the furthest above it (" in text


def test_what_a_single_step_cannot_tell_is_an_empty_cell(study: ModuleType, tmp_path: Path) -> None:
    made = study.demo(models=("conv",), latents=(2, 8), weights=(1e-4,), ssim_weights=(0.0,), broken=False)
    for record in made.records:
        for name in ("train_seconds", "images_per_second"):
            del record.timings[name]
    source = made.source(history=lambda _: pd.DataFrame(), arrays=lambda _: {})
    page = Page(render(source, tmp_path, latex=False).html.read_text("utf-8"))
    assert "training time (s)" not in page.tables["trials"][0]
    assert "trained in" not in "".join(page.text)
