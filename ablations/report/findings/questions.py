"""Does one configuration answer all: reconstruct, model the data, and sample?"""

import math
from collections.abc import Iterator, Sequence

from ablations.analysis.grid import Configuration, Grid, best, chosen_by
from ablations.analysis.pairs import paired
from ablations.report.findings._base import Known, Statement, finding
from ablations.report.findings._phrases import joined
from ablations.report.findings._questions import Question, asked, winners
from ablations.statistics.intervals import paired_effect
from ablations.text.columns import quantity
from ablations.text.numbers import percent, value_text

__all__ = ["questions"]

_SEVERAL = 2


@finding("questions", order=5)
def questions(known: Known) -> Iterator[Statement]:
    """Say which configuration is best at each question, and where they differ at what price in the others."""
    wanted = asked(known.grid, known.configurations)
    if len(wanted) < _SEVERAL:
        return
    found = winners(wanted, known.configurations)
    if len(found) == 1:
        ((one, _),) = found
        numbers = [f"{question.does} best ({_number(known.grid, one, question.metric)})" for question in wanted]
        text = f"{known.grid.label(one)} answers all: it {joined(numbers)}."
    else:
        text = f"{_named(known.grid, found)}. {_prices(known, found)}"
    yield Statement("The best", text, text)


def _named(grid: Grid, found: Sequence[tuple[Configuration, Sequence[Question]]]) -> str:
    """Name the winners, what they have in common once."""
    first = found[0][0]
    common = {axis for axis in grid.varying if len({value_text(one.axes.get(axis)) for one, _ in found}) == 1}
    shared = grid.label(first, [axis for axis in grid.varying if axis not in common]) if common else ""
    each = [
        f"{grid.label(one, common)} {joined([f'{question.does} best' for question in wins])}" for one, wins in found
    ]
    return f"{f'Of {shared}: ' if shared else ''}{'; '.join(each)}"


def _prices(known: Known, found: Sequence[tuple[Configuration, Sequence[Question]]]) -> str:
    """Say what the first winner gives up at the last one's question, and that one at the first one's."""
    (one, ones), (other, others) = found[0], found[-1]
    sides = ((one, ones[0], others[-1]), (other, others[-1], ones[0]))
    told = [
        f"what {mine.does} best has {price}"
        for winner, mine, theirs in sides
        if (price := _price(known, winner, theirs.metric))
    ]
    text = "; ".join(told)
    return f"{text[:1].upper()}{text[1:]}." if told else ""


def _number(grid: Grid, one: Configuration, name: str) -> str:
    return f"{quantity(name).word} {grid.formats.with_unit(name, one.spread(name))}"


def _price(known: Known, one: Configuration, name: str) -> str:
    """Say how far a configuration is from the best at another question, and whether seeds resolve that."""
    first, what = best(known.configurations, name), quantity(name)
    if first is None or not math.isfinite(one.mean(name)):
        return ""
    gap = one.mean(name) - first.mean(name)
    effect = paired_effect([paired(first, one, chosen_by(known.configurations, name))])
    unsure = " (not resolved)" if effect.change.known and not effect.resolved else ""
    share = "" if what.unit else percent(one.mean(name), first.mean(name), sign=False)
    size = share or f"{known.grid.formats.number(name, abs(gap))}{f' {what.unit}' if what.unit else ''}"
    return f"{size} {'more' if gap >= 0 else 'less'} {what.word}{unsure}"
