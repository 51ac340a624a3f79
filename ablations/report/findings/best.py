"""Which configuration is best by each of the study's metrics, and how far that can be told."""

import math
from collections.abc import Iterator, Sequence

from ablations.analysis.grid import Configuration, Grid, best, chosen_by, ranked
from ablations.analysis.pairs import counterpart, is_baseline, paired
from ablations.report.findings._base import Known, Statement, finding
from ablations.report.findings._phrases import difference, with_seeds
from ablations.report.findings._questions import asked
from ablations.statistics.intervals import Effect, corrected, paired_effect
from ablations.text.columns import ERROR, FLOOR, quantity
from ablations.text.numbers import percent, probability

__all__ = ["best_by_metric"]


@finding("best", order=10)
def best_by_metric(known: Known) -> Iterator[Statement]:
    """Name the best by each metric and at each question: against its rivals, the baseline, and the floor of error."""
    answering = (question.metric for question in asked(known.grid, known.configurations))
    for name in dict.fromkeys((*known.grid.metrics, *answering)):
        order = ranked(known.configurations, name)
        if not order:
            continue
        first, what = order[0], quantity(name)
        text = [f"{known.grid.label(first)}: {with_seeds(known.grid, name, first.spread(name))}."]
        text += _rivals(order, name)
        text += _against_baseline(known, first, name)
        if name == ERROR:
            text += _against_floor(known.grid, first)
        text += _of_training_images(known.grid, first, name)
        yield Statement(f"{what.best.capitalize()} {what.label}", " ".join(text), text[0])


def _rivals(order: Sequence[Configuration], name: str) -> list[str]:
    """Say from how many others the best is told: paired by seed, corrected for their number."""
    if len(order) == 1:
        return ["No other configuration has this metric."]
    by = chosen_by(order, name)
    effects = corrected([paired_effect([paired(order[0], other, by)]) for other in order[1:]])
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


def _against_baseline(known: Known, first: Configuration, name: str) -> list[str]:
    if not known.baseline:
        return []
    if is_baseline(first, known.baseline):
        rest = best((one for one in known.configurations if not is_baseline(one, known.baseline)), name)
        if rest is None:
            return ["It belongs to the baseline; nothing else finished."]
        gap = difference(known.grid, name, rest, first)
        return [f"It belongs to the baseline; the best of the others, {known.grid.label(rest)}, differs by {gap}."]
    other = counterpart(known.configurations, first, known.baseline, name=name)
    if other is None:
        return ["No trial of the baseline finished with this metric."]
    theirs = f"{known.grid.label(other)}: {with_seeds(known.grid, name, other.spread(name))}"
    gap = difference(known.grid, name, first, other)
    return [f"Against the baseline at the nearest settings ({theirs}): {gap}."]


def _of_training_images(grid: Grid, first: Configuration, name: str) -> list[str]:
    """Say what training images in the place of samples reach."""
    floor = f"{name}_floor"
    mean = first.mean(floor)
    return (
        [f"Training images in the place of samples reach {grid.formats.number(floor, mean)}."]
        if math.isfinite(mean)
        else []
    )


def _against_floor(grid: Grid, first: Configuration) -> list[str]:
    floor = first.spread(FLOOR)
    if not floor.n or not math.isfinite(floor.mean):
        return []
    mine = first.mean(ERROR)
    side = "below" if mine < floor.mean else "above" if mine > floor.mean else "at"
    share = percent(mine, floor.mean, sign=False)
    place = f"{share} {'above' if side == 'at' else side} the floor" if share else f"{side.capitalize()} the floor"
    effect = paired_effect([[(floor.mean, value) for value in first.values(ERROR)]])
    if not effect.change.known:
        told = f"{'better' if mine < floor.mean else 'no better'}, in this one trial, than"
    elif effect.resolved:
        told = f"{'better' if mine < floor.mean else 'worse'} than"
    else:
        told = "which its seeds do not tell from"
    parts = f" with {first.latent_dim} components" if first.latent_dim is not None else " with as many components"
    return [f"{place}, {told} a linear PCA{parts} ({grid.formats.number(FLOOR, floor.mean)})."]
