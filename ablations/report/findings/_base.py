"""What a finding is: a rule that looks at what is known, and states what it finds."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

from ablations.analysis.grid import Configuration, Grid
from ablations.records.record import Record
from ablations.search.found import Search
from vae.registry import Registry

__all__ = ["FINDINGS", "Answer", "Finding", "History", "Known", "Statement", "finding"]

History = Callable[[Record], pd.DataFrame]


@dataclass(frozen=True)
class Statement:
    """One finding: a few words that name it, and the sentences that carry the numbers.

    Attributes:
        lead: the few words.
        text: the sentences.
        first: the first of them, where it can stand by itself as the answer in short.
    """

    lead: str
    text: str
    first: str = ""


@dataclass(frozen=True)
class Answer:
    """What is known about one data set, or about the study as a whole."""

    dataset: str
    statements: tuple[Statement, ...]


@dataclass(frozen=True)
class Known:
    """What a finding may look at.

    Attributes:
        grid: the configurations of all data sets, and the metrics that the study's question is answered by.
        configurations: those of the data set in question with a finished trial, never none; of a finding of the study
            as a whole, those of every data set.
        baseline: settings of those that others are held against; may be empty.
        history: how to get at a trial's curves; None where they are out of reach.
        search: what was proposed, where the study was searched.
    """

    grid: Grid
    configurations: Sequence[Configuration]
    baseline: Mapping[str, object] = field(default_factory=dict)
    history: History | None = None
    search: Search | None = None


Rule = Callable[[Known], Iterable[Statement]]


@dataclass(frozen=True)
class Finding:
    """One rule.

    Attributes:
        name: names it.
        order: its place in the report, the lowest first.
        rule: gives as many statements as it has to make, none where there is nothing to say.
        heading: of a rule about the study as a whole, what its statements stand under; "" of one about each data set.
    """

    name: str
    order: int
    rule: Rule
    heading: str = ""


FINDINGS: Registry[Finding] = Registry("finding", "ablations.report.findings")


def finding(name: str, *, order: int, heading: str = "") -> Callable[[Rule], Finding]:
    """Register the decorated rule as the finding `name`; see `Finding`."""

    def wrap(rule: Rule) -> Finding:
        return FINDINGS.register(name)(Finding(name, order, rule, heading))

    return wrap
