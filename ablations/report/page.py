"""The HTML page: one file with its style, its script and a policy that lets nothing else run or load."""

import base64
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from ablations.text.characters import visible
from vae.errors import VaebenchError

__all__ = ["page", "templates"]

_SCRIPTS = ("table.js", "explorer.js", "page.js")


def page(template: str, content: Mapping[str, Any]) -> str:
    """Return an HTML page that holds its style and script; every value is escaped, what HTML cannot hold is spelt out.

    Args:
        template: a file of the templates' folder.
        content: the names that it uses.
    """
    folder = templates()
    style = (folder / "style.css").read_text("utf-8")
    script = "\n".join((folder / name).read_text("utf-8") for name in _SCRIPTS)
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_spelt,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template).render(
        **content,
        style=Markup(style),  # noqa: S704 - our own file
        script=Markup(script),  # noqa: S704 - our own files
        style_hash=_hash(style),
        script_hash=_hash(script),
    )


def templates() -> Path:
    """Return the folder of templates: inside the installed package, or at the top of the checkout.

    Raises:
        VaebenchError: neither is there.
    """
    package = Path(__file__).resolve().parents[1]
    places = [package / "report_templates", package.parent / "report_templates"]
    for place in places:
        if (place / "report.html.j2").is_file():
            return place
    raise VaebenchError(f"no report templates: looked in {places[0]} and {places[1]}; install vaebench again")


def _spelt(value: object) -> object:
    """Spell out what HTML cannot hold; what remains is escaped by the template."""
    return visible(value, lines=True) if isinstance(value, str) and not isinstance(value, Markup) else value


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
