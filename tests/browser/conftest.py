"""Headless Chromium, started anew for each page; the report under test is the synthetic study's."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from ablations.report import Rendered, render
from bench import synthetic

Browse = Callable[..., str]


@pytest.fixture(scope="session")
def browse(require_program: Callable[..., str], tmp_path_factory: pytest.TempPathFactory) -> Browse:
    program = require_program("chromium", "chromium-browser", "google-chrome")

    def run(page: Path, *options: str) -> str:
        command = [
            program,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--hide-scrollbars",
            f"--user-data-dir={tmp_path_factory.mktemp('profile')}",
            *options,
            page.as_uri(),
        ]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
        return done.stdout

    return run


@pytest.fixture(scope="session")
def page(tmp_path_factory: pytest.TempPathFactory) -> Rendered:
    demo = synthetic.demo(models=("dense", "conv"), weights=(1e-4,))
    hostile = {"title": " ".join(synthetic.HOSTILE), "spec_text": "\n".join(synthetic.HOSTILE)}
    folder = tmp_path_factory.mktemp("page")
    return render(demo.source(**hostile), folder, latex=False, embedding="pca")
