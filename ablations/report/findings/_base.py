"""What a finding is: a statement, and the answer that it is a part of."""

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from ablations.records.record import Record

__all__ = ["Answer", "History", "Statement"]


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
    """What is known about one data set."""

    dataset: str
    statements: tuple[Statement, ...]


History = Callable[[Record], pd.DataFrame]
