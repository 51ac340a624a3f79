"""The study's question answered in words, never saying more than the numbers show."""

import math
from collections.abc import Mapping, Sequence

from ablations.analysis.grid import Configuration, Grid, best, ranked
from ablations.analysis.pairs import counterpart, is_baseline, paired
from ablations.report.findings._base import Answer, History, Statement
from ablations.report.findings._phrases import difference, with_seeds
from ablations.report.findings.diagnosis import diagnosis
from ablations.statistics.intervals import Effect, corrected, paired_effect
from ablations.text.columns import FLOOR, MAIN, axis_label, quantity
from ablations.text.numbers import clean, count, percent, probability

__all__ = ["answer", "seeds_note"]

_ROUGH, _FEW = 2, 5


def answer(grid: Grid, baseline: Mapping[str, object], history: History | None = None) -> list[Answer]:
    """Answer the study's question for each data set, from finished trials alone.

    Args:
        grid: the configurations.
        baseline: settings of those that others are held against; may be empty.
        history: how to get at a trial's curves; without it nothing is said about the length of training.
    """
    answers = []
    for dataset in grid.datasets:
        known = grid.within(dataset)
        if not known:
            nothing = Statement("No result", "No trial on this data set finished, so that nothing can be said.")
            answers.append(Answer(clean(dataset), (nothing,)))
            continue
        statements = [found for name in MAIN if (found := _best(grid, known, name, baseline))]
        statements += [found for found in (_sizes(grid, known),) if found]
        statements += diagnosis(grid, known, baseline, history)
        answers.append(Answer(clean(dataset), tuple(statements)))
    return answers


def _best(grid: Grid, known: Sequence[Configuration], name: str, baseline: Mapping[str, object]) -> Statement | None:
    order = ranked(known, name)
    if not order:
        return None
    what = quantity(name)
    first = order[0]
    word = "Highest" if what.better == "higher" else "Lowest"
    text = [f"{grid.label(first)}: {with_seeds(grid, name, first.spread(name))}."]
    text += _rivals(order, name)
    text += _against_baseline(grid, known, first, name, baseline)
    if name == "mse":
        text += _against_floor(grid, first)
    return Statement(f"{word} {what.label}", " ".join(text), text[0])


def _rivals(order: Sequence[Configuration], name: str) -> list[str]:
    """Say from how many others the best is told: paired by seed, corrected for their number."""
    if len(order) == 1:
        return ["No other configuration has this metric."]
    effects = corrected([paired_effect([paired(order[0], other, name)]) for other in order[1:]])
    judged = [effect for effect in effects if effect.change.known]
    if not judged:
        return ["With one seed the spread is not known, so that the order of close configurations is not either."]
    near = sum(not effect.resolved for effect in judged)
    rest = "the one other configuration" if len(judged) == 1 else f"{len(judged):,} other configurations"
    more = " with two or more of its seeds" if len(judged) < len(effects) else ""
    if not near:
        return [f"It is told from {'each of ' if len(judged) > 1 else ''}{rest}{more}."]
    of = f"{near} of " if len(judged) > 1 else ""
    return [f"Its seeds do not tell it from {of}{rest}{more}{_smallest(judged) if near == len(judged) else ''}."]


def _smallest(effects: Sequence[Effect]) -> str:
    """Return what a reader of 'cannot be told' asks next."""
    lowest = min((effect.adjusted for effect in effects), default=math.nan)
    return f" (smallest p = {probability(lowest)})".replace("= <", "<")


def _against_baseline(
    grid: Grid, known: Sequence[Configuration], first: Configuration, name: str, baseline: Mapping[str, object]
) -> list[str]:
    if not baseline:
        return []
    if is_baseline(first, baseline):
        rest = best((one for one in known if not is_baseline(one, baseline)), name)
        if rest is None:
            return ["It belongs to the baseline; nothing else finished."]
        gap = difference(grid, name, rest, first)
        return [f"It belongs to the baseline; the best of the others, {grid.label(rest)}, differs by {gap}."]
    other = counterpart(known, first, baseline, name=name)
    if other is None:
        return ["No trial of the baseline finished with this metric."]
    theirs = f"{grid.label(other)}: {with_seeds(grid, name, other.spread(name))}"
    return [f"Against the baseline at the nearest settings ({theirs}): {difference(grid, name, first, other)}."]


def _against_floor(grid: Grid, first: Configuration) -> list[str]:
    floor = first.spread(FLOOR)
    if not floor.n or not math.isfinite(floor.mean):
        return []
    mine = first.mean("mse")
    side = "below" if mine < floor.mean else "above"
    share = percent(mine, floor.mean, sign=False)
    effect = paired_effect([[(floor.mean, value) for value in first.values("mse")]])
    if not effect.change.known:
        told = f"{'better' if mine < floor.mean else 'no better'}, in this one trial, than"
    elif effect.resolved:
        told = f"{'better' if mine < floor.mean else 'worse'} than"
    else:
        told = "which its seeds do not tell from"
    parts = f" with {first.latent_dim} components" if first.latent_dim is not None else " with as many components"
    return [f"{share} {side} the floor, {told} a linear PCA{parts} ({grid.formats.number(FLOOR, floor.mean)})."]


def _sizes(grid: Grid, known: Sequence[Configuration]) -> Statement | None:
    sizes = sorted({one.latent_dim for one in known if one.latent_dim is not None})
    found = [(size, top) for size in sizes if (top := best(one for one in known if one.latent_dim == size))]
    if len(found) < 2:  # noqa: PLR2004 - nothing to compare
        return None
    parts = []
    for size, top in found:
        floor = top.mean(FLOOR)
        against = percent(top.mean("mse"), floor)
        parts.append(
            f"{size}: {grid.formats.spread('mse', top.spread('mse'))}"
            + (f" ({against} against PCA)" if against else ""),
        )
    text = f"The lowest mean MSE at latent size {'; '.join(parts)}."
    last, before = found[-1], found[-2]
    text += f" From {before[0]} to {last[0]}: {difference(grid, 'mse', last[1], before[1])}."
    top_size = best(one for _, one in found)
    if top_size is not None and top_size.latent_dim == sizes[-1]:
        text += " The best is the largest size tried; a larger one may do better still."
    return Statement("Latent size", text)


def seeds_note(grid: Grid) -> str:
    """Say how much weight the number of seeds lets an interval bear; "" where there are enough."""
    numbers = sorted({len(one.trials) for one in grid.configurations if one.trials})
    if not numbers:
        return ""
    axis = axis_label("seed")
    if numbers[-1] == 1:
        return f"One {axis} each: no spread is known, and no difference can be told from chance."
    if numbers[0] == 1:
        return f"Some configurations have one finished {axis} only: no spread is known for them."
    if numbers[0] == _ROUGH:
        return (
            f"{count(numbers[0], axis)} at the fewest: spreads are rough, and intervals of single configurations wide."
        )
    if numbers[0] < _FEW:
        return f"{count(numbers[0], axis)} at the fewest: the spreads themselves are rough."
    return ""
