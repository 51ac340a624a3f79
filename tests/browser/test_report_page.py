"""The report in a real browser: looked at, clicked, narrowed and printed, its security policy in force."""

import csv
import io
import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from axe_playwright_python.base import AXE_FILE_PATH
from PIL import Image
from playwright.sync_api import Browser, Locator, Page

from ablations.report.report import Rendered, render
from bench import synthetic
from bench.synthetic import Demo

WIDE_THINGS = """() => Array.from(document.querySelectorAll("body *"))
    .filter((one) => !one.closest(".scroll, pre, .skip") && one.getBoundingClientRect().right > innerWidth + 1)
    .map((one) => one.outerHTML.slice(0, 80))"""
# Rows and parts beyond the first three say nothing new to axe, which takes seconds for them; those of the failed do.
MORE_OF_THE_SAME = ["tbody tr:nth-child(n+4):not(:has(.status-failed))", ".trial:nth-child(n+4):not(:has(.notice))"]
PICTURE = """(canvas) => {
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    return Array.from(data).filter((_, place) => place % 4 === 0); // red is grey
}"""
TO_CLIPBOARD = """(works) => Object.defineProperty(navigator, "clipboard", {
    configurable: true,
    value: { writeText: async (text) => { if (!works) throw new Error("denied"); window.copied = text; } },
})"""


def table(page: Page) -> Locator:
    return page.locator("#trials table")


def column(page: Page, key: str) -> list[str]:
    script = """([key]) => {
      const table = document.querySelector("#trials table");
      const index = Array.from(table.tHead.rows[0].cells).findIndex((head) => head.dataset.key === key);
      const rows = Array.from(table.tBodies[0].rows).filter((row) => !row.hidden);
      return rows.map((row) => row.cells[index].dataset.value);
    }"""
    return page.evaluate(script, [key])


def count(page: Page) -> str:
    return page.locator("#trials .tools output").inner_text()


def drawn(page: Page) -> np.ndarray:
    """Return the explorer's picture as (8, 8) uint8."""
    return np.array(page.locator("[data-part=picture]").evaluate(PICTURE), np.uint8).reshape(8, 8)


def slide(page: Page, part: str, steps: int) -> None:
    """Move a slider by so many arrow keys."""
    page.locator(f"[data-part={part}]").focus()
    for _ in range(abs(steps)):
        page.keyboard.press("ArrowRight" if steps > 0 else "ArrowLeft")


def explored(made: tuple[Demo, Rendered], page: Page, latent: int) -> dict[str, np.ndarray]:
    """Choose the best configuration of a latent size in the explorer, and return its arrays."""
    demo, _ = made
    select = page.locator("[data-part=model]")
    label = next(text for text in select.locator("option").all_inner_texts() if f"latent size {latent}," in text)
    select.select_option(label=label)
    page.locator("#explorer-controls[aria-busy=false]").wait_for()
    # The one whose mean is lowest, and of its two seeds the one with the lower error.
    done = [one for one in demo.records if one.axes["latent_dim"] == latent and one.status == "done"]
    groups: dict[tuple[object, ...], list[float]] = {}
    for one in done:
        groups.setdefault((one.axes["model"], one.axes["ssim_weight"]), []).append(one.metrics["mse"])
    kind = next(key for key in groups if f"{key[0]}, latent size {latent}" in label)
    best = min((key for key in groups if key[0] == kind[0]), key=lambda key: np.mean(groups[key]))
    chosen = min(
        (one for one in done if (one.axes["model"], one.axes["ssim_weight"]) == best),
        key=lambda one: one.metrics["mse"],
    )
    return demo.arrays[chosen.trial]


def test_nothing_is_asked_of_anyone(chromium: Browser, report: Path) -> None:
    tab = chromium.new_page()
    asked: list[str] = []
    said: list[str] = []
    tab.on("request", lambda request: asked.append(request.url))
    tab.on("console", lambda message: said.append(message.text))
    tab.on("pageerror", lambda error: said.append(str(error)))
    tab.goto(report.as_uri())
    tab.locator("[data-part=picture]").wait_for()
    tab.evaluate("() => { for (const one of document.querySelectorAll('details')) one.open = true; }")
    tab.evaluate("() => Promise.all(Array.from(document.images, (i) => ((i.loading = 'eager'), i.decode())))")
    tab.close()
    assert [url for url in asked if not url.startswith("data:")] == [report.as_uri()]
    assert said == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_page_is_drawn_in_light_and_dark(page: Page, scheme: str) -> None:
    page.emulate_media(color_scheme=scheme)
    pixels = np.asarray(Image.open(io.BytesIO(page.screenshot())).convert("L"), dtype=float)
    background = np.median(pixels[:, :20])
    assert bool(background < 60) is (scheme == "dark")
    contrast = np.abs(pixels - background) > 120
    assert 0.01 < contrast.mean() < 0.5, "text stands out from its background, and there is some"


def test_the_head_shows_question_answer_and_figure(page: Page) -> None:
    headline = page.locator(".headline").first
    assert "reconstructs best" in headline.inner_text()
    assert re.search(r"\d\s(%|nats) (more|less)", headline.inner_text())
    figure = page.locator("header figure")
    assert "latent size" in figure.locator("img").get_attribute("alt")
    box, words = figure.bounding_box(), headline.bounding_box()
    assert box
    assert words
    assert box["x"] > words["x"] + words["width"], "beside each other"
    assert box["y"] + box["height"] / 2 < 900, "within the first screen"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_violation(page: Page, scheme: str) -> None:
    page.emulate_media(color_scheme=scheme)
    page.evaluate("() => { for (const one of document.querySelectorAll('details')) one.open = true; }")
    page.evaluate(AXE_FILE_PATH.read_text("utf-8"))
    found = page.evaluate("(more) => axe.run({ exclude: more }, { resultTypes: ['violations'] })", MORE_OF_THE_SAME)
    told = [(one["id"], one["help"], [node["html"][:120] for node in one["nodes"][:3]]) for one in found["violations"]]
    assert told == []
    assert len(found["passes"]) > 20, "it did look"


def test_sorting_by_button_orders_numbers_and_keeps_the_empty_last(page: Page) -> None:
    head = table(page).locator("th[data-key=mse]")
    before = column(page, "mse")
    numbers = sorted(float(value) for value in before if value)
    assert len(numbers) == len(before) - 1, "one trial failed"
    for key, direction, wanted in (("Enter", "ascending", numbers), ("Space", "descending", numbers[::-1])):
        head.locator("button").press(key)
        assert head.get_attribute("aria-sort") == direction
        after = column(page, "mse")
        assert [float(value) for value in after[:-1]] == wanted
        assert after[-1] == ""
    table(page).locator("th[data-key=status] button").click()
    assert table(page).locator("th[aria-sort]").count() == 1, "only one column claims to be sorted"


def test_filters_by_axis_and_status_agree(page: Page, made: tuple[Demo, Rendered]) -> None:
    records = made[0].records
    assert count(page) == f"{len(records)} of {len(records)} rows"
    keys = page.locator("#trials .tools select").evaluate_all("(all) => all.map((one) => one.dataset.key)")
    assert keys == ["model", "latent_dim", "kl_weight", "ssim_weight", "seed", "status"]
    page.locator("#trials select[data-key=latent_dim]").select_option(label="8")
    page.locator("#trials select[data-key=model]").select_option(label="conv")
    wanted = [one for one in records if one.axes["latent_dim"] == 8 and one.axes["model"] == "conv"]
    assert 0 < len(wanted) < len(records)
    assert count(page) == f"{len(wanted)} of {len(records)} rows"
    assert column(page, "trial") == [one.trial for one in wanted]
    page.locator("#trials select[data-key=status]").select_option(label="failed")
    assert count(page).startswith(f"{sum(one.failed for one in wanted)} of ")
    for choice in page.locator("#trials .tools select").all():
        choice.select_option(label="all")
    assert count(page) == f"{len(records)} of {len(records)} rows"
    assert page.locator("#trials .tools output").get_attribute("aria-live") == "polite"


def test_columns_are_chosen(page: Page) -> None:
    cells = table(page).locator("th[data-key=sse], td:nth-child(2)")
    page.locator("#trials .columns summary").press("Enter")
    box = page.locator("#trials .columns label", has_text="squared error").locator("input")
    box.press("Space")
    assert table(page).locator("th[data-key=sse]").is_hidden()
    assert (
        table(page).locator("thead th:visible").count()
        == table(page).locator("tbody tr").first.locator(":is(th, td):visible").count()
    )
    box.press("Space")
    assert table(page).locator("th[data-key=sse]").is_visible()
    assert cells.first.is_visible()


def test_what_is_shown_is_copied_as_csv(page: Page, made: tuple[Demo, Rendered]) -> None:
    page.evaluate(TO_CLIPBOARD, True)  # noqa: FBT003 - a script's argument
    page.locator("#trials select[data-key=latent_dim]").select_option(label="16")
    page.locator("#trials .columns summary").click()
    page.locator("#trials .columns label", has_text="SSIM").first.locator("input").uncheck()
    table(page).locator("th[data-key=mse] button").click()
    page.get_by_role("button", name="Copy CSV").last.click()
    page.wait_for_function("() => window.copied !== undefined")
    head, *rows = csv.reader(io.StringIO(page.evaluate("() => window.copied"), newline=""))
    wanted = [one for one in made[0].records if one.axes["latent_dim"] == 16]
    assert count(page) == f"{len(wanted)} of {len(made[0].records)} rows. Copied as CSV"
    assert len(rows) == len(wanted)
    assert len(head) == table(page).locator("thead th").count() - 1
    place = head.index("MSE per pixel")
    found = [float(row[place]) for row in rows[:-1]]
    known = sorted(one.metrics["mse"] for one in wanted if one.metrics)
    np.testing.assert_allclose(found, known, atol=1e-5)
    assert rows[-1][place] == "–"  # noqa: RUF001 - the failed one's


def test_a_clipboard_that_refuses_leaves_the_latex_to_the_hand(page: Page) -> None:
    page.evaluate(TO_CLIPBOARD, False)  # noqa: FBT003 - a script's argument
    control = page.locator("#summary").get_by_role("button", name="Copy LaTeX")
    control.click()
    area = page.get_by_label("The table as LaTeX")
    text = area.input_value()
    rows = page.locator("#summary tbody tr").count()
    assert text.count(r"\\") == rows + 1
    assert text.count("{") == text.count("}")
    assert r"\pm" in text
    assert "±" not in text
    assert r"\textbf{\boldmath$" in text, "the best of a column"
    selected = (
        "(area) => area.selectionEnd - area.selectionStart === area.value.length && area === document.activeElement"
    )
    assert area.evaluate(selected)
    page.keyboard.press("Escape")
    assert area.count() == 0
    assert control.evaluate("(one) => one === document.activeElement")


def test_copied_latex_compiles(page: Page, tmp_path: Path, require_program: Callable[..., str]) -> None:
    latexmk = require_program("latexmk")
    page.evaluate(TO_CLIPBOARD, True)  # noqa: FBT003 - a script's argument
    hostile = r"a_b & 50% $x$ #1 {~^\} −3 é"  # noqa: RUF001 - a minus sign
    table(page).locator("tbody tr:first-child td").last.evaluate("(one, text) => { one.textContent = text; }", hostile)
    page.get_by_role("button", name="Copy LaTeX").last.click()
    page.wait_for_function("() => window.copied !== undefined")
    body = page.evaluate("() => window.copied")
    (tmp_path / "t.tex").write_text(
        "\\documentclass{article}\\usepackage{booktabs}\\usepackage[paperwidth=90cm]{geometry}\n"
        f"\\begin{{document}}\n{body}\\end{{document}}\n",
        encoding="utf-8",
    )
    done = subprocess.run(
        [latexmk, "-pdf", "-interaction=nonstopmode", "-halt-on-error", "t.tex"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-1500:]


def test_two_sliders_and_the_map_walk_over_the_plane(page: Page, made: tuple[Demo, Rendered]) -> None:
    arrays = explored(made, page, 2)
    plane, values = arrays["plane"][..., 0], arrays["plane_values"]
    page.get_by_label("over the plane").check()
    middle = len(values) // 2
    np.testing.assert_array_equal(drawn(page), plane[middle, middle])
    slide(page, "across", 3)
    slide(page, "down", -2)
    np.testing.assert_array_equal(drawn(page), plane[middle - 2, middle + 3])
    words = f"z1 = {values[middle + 3]:.2f}, z2 = {values[middle - 2]:.2f}".replace("-", "\N{MINUS SIGN}")
    assert page.locator("[data-part=picture]").get_attribute("aria-label") == f"Decoded picture at {words}"
    assert page.locator("[data-part=says]").inner_text() == words
    for part, text in zip(("across", "down"), words.split(", "), strict=True):
        assert page.locator(f"[data-part={part}]").get_attribute("aria-valuetext") == text
    page.locator("[data-part=map]").press("ArrowUp")
    np.testing.assert_array_equal(drawn(page), plane[middle - 1, middle + 3])
    page.locator("[data-part=map]").click(position={"x": 3, "y": 3})
    np.testing.assert_array_equal(drawn(page), plane[-1, 0])


def test_classes_and_a_slider_walk_between_two_examples(page: Page, made: tuple[Demo, Rendered]) -> None:
    arrays = explored(made, page, 8)
    assert page.get_by_label("over the plane").is_hidden(), "8 dimensions are no plane"
    walks, ends = arrays["class_walks"][..., 0], arrays["class_walk_labels"].tolist()
    page.get_by_label("between two").check()
    page.get_by_role("combobox", name="From").select_option(label="3")
    page.get_by_role("combobox", name="To", exact=True).select_option(label="8")
    slide(page, "across", 2)
    np.testing.assert_array_equal(drawn(page), walks[ends.index([3, 8]), 2])
    page.get_by_role("combobox", name="From").select_option(label="9")
    np.testing.assert_array_equal(drawn(page), walks[ends.index([8, 9]), -3])
    slider = page.get_by_role("slider", name="Position")
    assert slider.get_attribute("aria-valuetext") == "25 % of the way from 9 to 8"
    page.locator("[data-part=map]").press("ArrowRight")
    np.testing.assert_array_equal(drawn(page), walks[ends.index([8, 9]), -4])
    page.locator("[data-part=map]").click(position={"x": 3, "y": 3})
    np.testing.assert_array_equal(drawn(page), walks[ends.index([8, 9]), -1])
    page.get_by_role("combobox", name="From").select_option(label="8")
    np.testing.assert_array_equal(drawn(page), walks[ends.index([8, 9]), 0])


def test_one_dimension_is_chosen_and_set(page: Page, made: tuple[Demo, Rendered]) -> None:
    arrays = explored(made, page, 16)
    page.get_by_label("along one dimension").check()
    dimensions = page.get_by_role("combobox", name="Dimension, with its KL")
    names = dimensions.locator("option").all_inner_texts()
    assert names[1] == f"z{arrays['traversed'][1] + 1} ({arrays['traversal_kl'][1]:.2f} nats)"
    dimensions.select_option(label=names[1])
    slide(page, "across", 4)
    np.testing.assert_array_equal(drawn(page), arrays["traversals"][1, -1, ..., 0])
    slider = page.get_by_role("slider", name="Value")
    assert slider.get_attribute("aria-valuetext") == f"z{arrays['traversed'][1] + 1} = 3.00"


def test_a_row_opens_its_trial(page: Page, made: tuple[Demo, Rendered]) -> None:
    record = made[0].records[1]
    table(page).get_by_role("link", name=record.digest[:8]).press("Enter")
    part = page.locator(f"[id='trial-{record.trial}']")
    part.wait_for()
    text = part.inner_text()
    assert f"vaebench rerun results/{made[1].html.parent.parent.name}/trials/{record.trial}" in text
    assert record.digest in text
    assert repr(record.metrics["mse"]) in text
    summary = part.locator("xpath=..").locator("summary")
    assert summary.evaluate("(one) => one === document.activeElement")
    assert summary.bounding_box()["y"] >= 0
    curve = part.locator("svg").get_attribute("aria-label")
    history = made[0].histories[record.trial]
    assert f"lowest {history['val_loss'].min():.4g} in epoch {history['val_loss'].argmin() + 1}" in curve
    picture = part.locator("img")
    picture.evaluate("(one) => one.decode()")
    assert picture.evaluate("(one) => [one.naturalWidth, one.naturalHeight]") == [
        80,
        8 * (3 if "samples" in text else 2),
    ]
    summary.click()
    table(page).get_by_role("link", name=record.digest[:8]).click()
    page.wait_for_timeout(50)
    assert part.is_visible(), "the same link opens it again"


def test_without_scripts_everything_is_there_but_the_controls(chromium: Browser, report: Path) -> None:
    context = chromium.new_context(java_script_enabled=False, viewport={"width": 1280, "height": 900})
    tab = context.new_page()
    tab.goto(report.as_uri())
    assert tab.locator(".tools, th button").count() == 0
    assert tab.locator("#explorer-controls").is_hidden()
    sheets = tab.locator("#explorer-sheets .sheets[open] img")
    assert sheets.count() >= 2
    assert all(sheet.is_visible() for sheet in sheets.all())
    assert table(tab).locator("tbody tr").count() == 18
    assert tab.locator("header figure img").is_visible()
    link = table(tab).locator("tbody a").first
    link.click()
    assert tab.locator(link.get_attribute("href").replace("#", "[id='") + "']").is_visible(), "the browser opens it"
    context.close()


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the page of a study whose table of trials has 240 rows."""
    demo = synthetic.demo(models=("conv",), weights=(1e-4,), ssim_weights=(0.0,), latents=(2, 8, 16), broken=False)
    records = [
        replace(one, trial=f"{one.trial}-{seed}", axes={**one.axes, "seed": seed})
        for one in demo.records[::2]
        for seed in range(80)
    ]
    source = demo.source(records=records, history=lambda _: pd.DataFrame(), arrays=lambda _: {})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ablations.report.report.draw", lambda *_, **__: ())
        return render(source, tmp_path_factory.mktemp("many"), latex=False).html


@pytest.fixture
def large(chromium: Browser, many: Path) -> Iterator[Page]:
    """Return the large page, in a tab of its own."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    tab = context.new_page()
    tab.goto(many.as_uri())
    yield tab
    context.close()


def rows(page: Page) -> int:
    return table(page).locator("tbody tr").count()


def wait_for_rows(page: Page, wanted: str) -> None:
    """Wait, and ask for frames meanwhile: what comes into sight is told of in one, and a busy browser skips them."""
    rows = "document.querySelectorAll('#trials tbody tr').length"
    page.wait_for_function(f"() => {{ requestAnimationFrame(() => {{}}); return {rows} {wanted}; }}", polling=100)


def test_rows_of_a_large_table_are_drawn_as_they_are_looked_at(large: Page) -> None:
    large.bring_to_front()  # of a page behind another, no frame need be drawn, and nothing comes into sight
    assert (count(large), rows(large)) == ("240 of 240 rows", 100)
    assert table(large).get_attribute("aria-rowcount") == "241"
    more = large.locator("#trials .further button")
    assert more.inner_text() == "Show more rows: 100 of 240 are shown"
    more.focus()
    large.keyboard.press("Enter")
    wait_for_rows(large, ">= 200")
    last = "document.querySelector('#trials tbody tr:last-child')"
    large.evaluate(f"() => {last}.scrollIntoView({{ behavior: 'instant' }})")
    wait_for_rows(large, "=== 240")
    assert more.is_hidden()


def test_what_is_not_drawn_is_sorted_filtered_chosen_and_copied_all_the_same(large: Page) -> None:
    large.evaluate(TO_CLIPBOARD, arg=True)
    large.locator("#trials th button", has_text="latent size").click()
    large.locator("#trials th button", has_text="latent size").click()
    assert [float(value) for value in column(large, "latent_dim")[:5]] == [16.0] * 5
    large.locator("#trials .columns summary").click()
    large.get_by_label("status", exact=True).last.uncheck()
    large.locator("#trials [data-copy=CSV]").click()
    copied = list(csv.reader(io.StringIO(large.evaluate("() => window.copied"))))
    assert len(copied) == 241
    assert "status" not in copied[0]
    assert {len(row) for row in copied} == {len(copied[0])}
    large.locator("#trials select[data-key=latent_dim]").select_option("=8")
    assert (count(large), rows(large)) == ("80 of 240 rows", 80)
    assert large.locator("#trials .further").is_hidden()


@pytest.mark.parametrize("wanted", ["print", "search"])
def test_who_prints_or_searches_the_page_has_all_rows(large: Page, wanted: str) -> None:
    if wanted == "print":
        large.pdf()
    else:
        large.keyboard.press("Control+f")
    assert rows(large) == 240


def test_without_scripts_a_large_table_is_whole(large: Page, chromium: Browser) -> None:
    context = chromium.new_context(java_script_enabled=False)
    tab = context.new_page()
    tab.goto(large.url)
    assert rows(tab) == 240
    assert table(tab).locator("tbody tr").last.is_visible()
    context.close()


def test_axe_finds_no_violation_in_a_large_table(large: Page) -> None:
    large.evaluate(AXE_FILE_PATH.read_text("utf-8"))
    found = large.evaluate("() => axe.run(document.querySelector('#trials'), { resultTypes: ['violations'] })")
    assert [(one["id"], one["help"]) for one in found["violations"]] == []


@pytest.mark.parametrize("width", [360, 768])
def test_narrow_page_does_not_scroll_sideways(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    page.evaluate("() => { for (const one of document.querySelectorAll('details')) one.open = true; }")
    assert page.evaluate("() => Math.max(document.documentElement.scrollWidth, document.body.scrollWidth)") <= width
    assert page.evaluate(WIDE_THINGS) == []
    scrolls = page.locator(".scroll").evaluate_all("(all) => all.some((box) => box.scrollWidth > box.clientWidth)")
    assert scrolls, "the wide table scrolls within its box"


def test_policy_lets_our_own_style_and_script_run_and_nothing_else(page: Page) -> None:
    found = page.evaluate("""() => {
      const evil = document.createElement("script");
      evil.textContent = "window.evil = true";
      document.body.append(evil);
      const style = document.createElement("style");
      style.textContent = "h1 { color: rgb(1, 2, 3) }";
      document.head.append(style);
      return { evil: window.evil === true,
               styled: getComputedStyle(document.querySelector("h1")).color === "rgb(1, 2, 3)",
               ours: getComputedStyle(document.querySelector(".answer")).borderTopStyle,
               alerts: document.querySelectorAll("h1 script, h1 img, main script").length };
    }""")
    assert found == {"evil": False, "styled": False, "ours": "solid", "alerts": 0}
    loaded = page.locator("figure .sheet img").evaluate_all("(all) => all.map((one) => one.naturalWidth > 0)")
    assert len(loaded) >= 8
    assert all(loaded)


def test_page_prints_whole(
    page: Page, tmp_path: Path, require_program: Callable[..., str], made: tuple[Demo, Rendered]
) -> None:
    reader = require_program("pdftotext")
    printed = tmp_path / "page.pdf"
    page.emulate_media(media="print")
    page.pdf(path=printed, prefer_css_page_size=True)
    text = subprocess.run([reader, "-layout", printed, "-"], capture_output=True, text=True, check=True).stdout
    assert 4 <= text.count("\f") <= 40, "pages"
    assert "The answer in words" in text
    assert "../../etc/passwd" in text.split("Study file", 1)[1], "folded on screen, shown on paper"
    assert "Copy CSV" not in text
    assert "rerun" not in text, "a page for each trial is none that anyone prints"
    assert "are in the HTML page" in text
    assert "Columns left out on paper: squared error per image" in text
    page.set_viewport_size({"width": 1016, "height": 680})  # A4 across, less its margins
    tables = page.locator("table").evaluate_all(
        "(all) => all.map((one) => one.getBoundingClientRect().right <= document.documentElement.clientWidth + 1)"
    )
    assert tables == [True] * len(tables), "no table is cut"
