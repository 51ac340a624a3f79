"""The HTML page: one file with its style, its script and a policy that lets nothing else run or load."""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

import jinja2
from markupsafe import Markup

from ablations.characters import visible
from ablations.figures import Drawn
from ablations.quantities import MAIN
from ablations.wording import Answer
from vae.errors import VaebenchError

__all__ = ["Headline", "Placed", "headlines", "page", "supporting", "templates"]

_SCRIPTS = ("table.js", "explorer.js", "page.js")
_HEADLINES = 3  # data sets that the head of the page has room for


@dataclass(frozen=True)
class Headline:
    """The answer's first sentence for one data set.

    Attributes:
        dataset: its name.
        lead: what the sentence is of.
        text: the sentence.
    """

    dataset: str
    lead: str
    text: str


class Placed(Protocol):
    """A figure that has its place in the page."""

    @property
    def drawn(self) -> Drawn:
        """The figure with its words."""


_Figure = TypeVar("_Figure", bound=Placed)


def headlines(answers: Sequence[Answer]) -> list[Headline]:
    """Return the first sentence of each data set's answer, of three data sets at most."""
    firsts = [(one.dataset, one.statements[0]) for one in answers[:_HEADLINES] if one.statements]
    return [Headline(dataset, first.lead, first.first or first.text) for dataset, first in firsts]


def supporting(figures: Sequence[_Figure]) -> _Figure | None:
    """Return the figure beside the answer: what a search found, the main metric by latent size, or the first plot."""
    plots = [one for one in figures if not one.drawn.pictures]
    wanted = [one for key in ("search-", f"{MAIN[0]}-latent-") for one in plots if one.drawn.key.startswith(key)]
    return next(iter([*wanted, *plots]), None)


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
    here = Path(__file__).resolve().parent
    places = [here / "report_templates", here.parent / "report_templates"]
    for place in places:
        if (place / "report.html.j2").is_file():
            return place
    raise VaebenchError(f"no report templates: looked in {places[0]} and {places[1]}; install vaebench again")


def _spelt(value: object) -> object:
    """Spell out what HTML cannot hold; what remains is escaped by the template."""
    return visible(value, lines=True) if isinstance(value, str) and not isinstance(value, Markup) else value


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
