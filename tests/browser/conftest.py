"""The system's Chromium, driven by Playwright; the report under test is the synthetic study's."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from ablations.report.report import Rendered, render
from bench import synthetic

OPTIONS = ("--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync")
WIDE = {"width": 1280, "height": 900}


@pytest.fixture(scope="module")
def chromium(require_program: Callable[..., str]) -> Iterator[Browser]:
    # A module at a time, since Playwright keeps an event loop running in the thread while it is there.
    program = require_program("chromium", "chromium-browser", "google-chrome")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=list(OPTIONS), chromium_sandbox=False)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def shared(chromium: Browser) -> Iterator[Page]:
    context = chromium.new_context(viewport=WIDE)
    yield context.new_page()
    context.close()


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[synthetic.Demo, Rendered]:
    demo = synthetic.demo(models=("dense", "conv"), weights=(1e-4,))
    hostile = {"title": " ".join(synthetic.HOSTILE), "spec_text": "\n".join(synthetic.HOSTILE)}
    folder = tmp_path_factory.mktemp("page")
    return demo, render(demo.source(**hostile), folder, latex=False, embedding="pca")


@pytest.fixture(scope="session")
def report(made: tuple[synthetic.Demo, Rendered]) -> Path:
    return made[1].html


@pytest.fixture
def page(shared: Page, report: Path) -> Page:
    """Return the report, opened anew in a tab that the tests of a file share."""
    shared.emulate_media(color_scheme="light", media="screen")
    shared.set_viewport_size(WIDE)
    shared.goto("about:blank")
    shared.goto(report.as_uri())
    return shared
