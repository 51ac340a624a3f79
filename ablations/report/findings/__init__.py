"""The study's question answered in words: a rule a file, none saying more than the numbers show."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from ablations.analysis.grid import Grid
from ablations.report.findings._base import FINDINGS, Answer, Finding, History, Known, Statement, finding
from ablations.report.findings._seeds import seeds_note
from ablations.search.found import Search
from ablations.text.numbers import clean

__all__ = ["FINDINGS", "Answer", "Finding", "Known", "Statement", "answer", "finding", "seeds_note"]


def answer(
    grid: Grid, baseline: Mapping[str, object], history: History | None = None, search: Search | None = None
) -> list[Answer]:
    """Answer the study's question, from finished trials alone: as a whole first, then for each data set.

    Args:
        grid: the configurations.
        baseline: settings of those that others are held against; may be empty.
        history: how to get at a trial's curves; without it nothing is said about the length of training.
        search: what was proposed, where the study was searched.
    """
    rules = sorted(FINDINGS.values(), key=lambda one: (one.order, one.name))
    whole = Known(grid, [one for one in grid.configurations if one.trials], baseline, history, search)
    told: dict[str, list[Statement]] = {}
    for one in rules:
        if one.heading:
            told.setdefault(one.heading, []).extend(one.rule(whole))
    answers = [Answer(heading, tuple(statements)) for heading, statements in told.items() if statements]
    for dataset in grid.datasets:
        known = replace(whole, configurations=grid.within(dataset))
        answers.append(Answer(clean(dataset), tuple(_about(known, rules))))
    return answers


def _about(known: Known, rules: Sequence[Finding]) -> Iterator[Statement]:
    if not known.configurations:
        yield Statement("No result", "No trial on this data set finished, so that nothing can be said.")
        return
    for one in rules:
        if not one.heading:
            yield from one.rule(known)
