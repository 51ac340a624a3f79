"""The head of the page: the answer in short, and the figure beside it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from ablations.report.drawn import Drawn
from ablations.report.findings import Answer

__all__ = ["Headline", "Placed", "headlines", "supporting"]

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


def supporting(figures: Sequence[_Figure], main: str) -> _Figure | None:
    """Return the figure beside the answer: what a search found, the main metric by latent size, or the first plot."""
    plots = [one for one in figures if not one.drawn.pictures]
    wanted = [one for key in ("search-", f"{main}-latent-") for one in plots if one.drawn.key.startswith(key)]
    return next(iter([*wanted, *plots]), None)
