"""The report in a real browser: looked at, clicked, narrowed and printed, its security policy in force."""

import html
import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ablations.report import Rendered

Browse = Callable[..., str]

# The page under test lies in a frame, so that its own policy (no script but its own) stays in force.
FRAME = """<!doctype html><meta charset="utf-8">
<iframe id="f" src="index.html" style="border:0;width:{width}px;height:900px"></iframe><pre id="out"></pre>
<script>
const frame = document.getElementById("f");
frame.addEventListener("load", () => {{
  const page = frame.contentDocument, view = frame.contentWindow;
  let found;
  try {{ found = (() => {{ {script} }})(); }} catch (error) {{ found = String(error); }}
  document.getElementById("out").textContent = JSON.stringify(found);
}});
</script>"""


@pytest.fixture
def ask(browse: Browse, page: Rendered) -> Callable[..., object]:
    """Run a script against the report and return what it returns."""

    def run(script: str, *, width: int = 1200) -> object:
        outer = page.html.with_name("outer.html")
        outer.write_text(FRAME.format(script=script, width=width), encoding="utf-8")
        dom = browse(outer, "--disable-web-security", "--virtual-time-budget=5000", "--dump-dom")
        found = re.search(r'<pre id="out">(.*?)</pre>', dom, re.DOTALL)
        assert found, dom[:2000]
        return json.loads(html.unescape(found[1]))

    return run


@pytest.mark.parametrize(("scheme", "dark"), [(1, False), (0, True)])
def test_page_is_drawn_in_light_and_dark(
    browse: Browse, page: Rendered, tmp_path: Path, scheme: int, dark: bool
) -> None:
    shot = tmp_path / "page.png"
    browse(
        page.html, f"--screenshot={shot}", "--window-size=1000,1400", f"--blink-settings=preferredColorScheme={scheme}"
    )
    pixels = np.asarray(Image.open(shot).convert("L"), dtype=float)
    background = np.median(pixels)
    assert bool(background < 60) is dark
    contrast = np.abs(pixels - background) > 120
    assert 0.01 < contrast.mean() < 0.4, "text stands out from its background, and there is some"


def test_sorting_by_button_orders_numbers_and_keeps_the_empty_last(ask: Callable[..., object]) -> None:
    found = ask("""
      const trials = page.querySelector("section#trials table");
      const heads = Array.from(trials.tHead.rows[0].cells);
      const index = heads.findIndex((head) => head.dataset.key === "mse");
      const button = heads[index].querySelector("button");
      const column = () => Array.from(trials.tBodies[0].rows, (row) => row.cells[index].dataset.value);
      const before = column();
      button.focus(); button.click();
      const up = column(), first = heads[index].getAttribute("aria-sort");
      button.click();
      const down = column(), second = heads[index].getAttribute("aria-sort");
      heads[0].querySelector("button").click();
      return { before, up, first, down, second, focused: page.activeElement === button,
               cleared: heads[index].hasAttribute("aria-sort"),
               buttons: heads.every((head) => head.querySelector("button")) };
    """)
    assert isinstance(found, dict), found
    numbers = [float(value) for value in found["before"] if value]
    assert len(numbers) == len(found["before"]) - 1, "one trial failed"
    assert [float(value) for value in found["up"][:-1]] == sorted(numbers)
    assert [float(value) for value in found["down"][:-1]] == sorted(numbers, reverse=True)
    assert found["up"][-1] == found["down"][-1] == ""
    assert (found["first"], found["second"]) == ("ascending", "descending")
    assert found["focused"]
    assert found["buttons"]
    assert not found["cleared"], "only one column claims to be sorted"


@pytest.mark.parametrize("width", [360, 768])
def test_narrow_page_does_not_scroll_sideways(ask: Callable[..., object], width: int) -> None:
    found = ask(
        """
      const root = page.documentElement;
      const seen = Array.from(page.querySelectorAll("body *")).filter((one) => !one.closest(".scroll, pre, .skip"));
      const wide = seen.filter((one) => one.getBoundingClientRect().right > view.innerWidth + 1);
      const boxes = Array.from(page.querySelectorAll(".scroll"), (box) => box.scrollWidth > box.clientWidth);
      return { inner: view.innerWidth, scroll: Math.max(root.scrollWidth, page.body.scrollWidth),
               wide: wide.map((one) => one.tagName), boxes };
        """,
        width=width,
    )
    assert isinstance(found, dict), found
    assert found["inner"] == width
    assert found["scroll"] <= width
    assert found["wide"] == []
    assert any(found["boxes"]), "the wide table scrolls within its box"


def test_policy_lets_our_own_style_and_script_run_and_nothing_else(ask: Callable[..., object]) -> None:
    found = ask("""
      const evil = page.createElement("script");
      evil.textContent = "window.evil = true";
      page.body.append(evil);
      const style = page.createElement("style");
      style.textContent = "h1 { color: rgb(1, 2, 3) }";
      page.head.append(style);
      const images = Array.from(page.images);
      const colour = view.getComputedStyle(page.querySelector("h1")).color;
      return { evil: view.evil === true, styled: colour === "rgb(1, 2, 3)",
               ours: view.getComputedStyle(page.querySelector(".answer")).borderTopStyle,
               loaded: images.every((image) => image.complete && image.naturalWidth > 0), images: images.length,
               alerts: page.querySelectorAll("h1 script, h1 img, main script").length };
    """)
    assert isinstance(found, dict), found
    assert not found["evil"]
    assert not found["styled"]
    assert found["ours"] == "solid"
    assert found["loaded"]
    assert found["images"] >= 8
    assert found["alerts"] == 0


def test_page_prints_with_the_study_file_opened(
    browse: Browse, page: Rendered, tmp_path: Path, require_program: Callable[..., str]
) -> None:
    reader = require_program("pdftotext")
    printed = tmp_path / "page.pdf"
    browse(page.html, f"--print-to-pdf={printed}", "--no-pdf-header-footer")
    text = subprocess.run([reader, "-layout", printed, "-"], capture_output=True, text=True, check=True).stdout
    assert "The answer in words" in text
    assert "../../etc/passwd" in text.split("Study file", 1)[1], (
        "the study file is shown although it is folded on screen"
    )
