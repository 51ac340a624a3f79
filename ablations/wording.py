"""The study's question answered in words, never saying more than the numbers show."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ablations.configurations import Configuration, Grid, best, ranked
from ablations.effects import Effect, contrasts
from ablations.formatting import Spread, clean, count, percent, value_text
from ablations.quantities import FLOOR, MAIN, axis_label, quantity

__all__ = ["Answer", "Statement", "answer", "difference", "seeds_note"]

_FEW_SEEDS = 5
_LEVELS = 4


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


def answer(grid: Grid, baseline: Mapping[str, object]) -> list[Answer]:
    """Answer the study's question for each data set, from finished trials alone."""
    answers = []
    for dataset in grid.datasets:
        known = grid.within(dataset)
        if not known:
            nothing = Statement("No result", "No trial on this data set finished, so that nothing can be said.")
            answers.append(Answer(clean(dataset), (nothing,)))
            continue
        statements = [found for name in MAIN if (found := _best(grid, known, name, baseline))]
        statements += [found for found in (_sizes(grid, known), _weights(grid, known), _ssim(grid, known)) if found]
        statements += [found for found in (_cost(grid, known, baseline),) if found]
        answers.append(Answer(clean(dataset), tuple(statements)))
    return answers


def difference(grid: Grid, name: str, one: Configuration, other: Configuration) -> str:
    """Say how far one configuration is from another in a metric, and whether that exceeds the seeds' spread.

    The spread of a difference between two runs is the root of the summed variances over the seeds.
    """
    mine, theirs = one.spread(name), other.spread(name)
    gap = mine.mean - theirs.mean
    share = percent(mine.mean, theirs.mean)
    size = f"{grid.formats.number(name, gap, sign=True)}{f' ({share})' if share else ''}"
    return f"{size}, {_resolved(gap, mine, theirs)}"


def _resolved(gap: float, mine: Spread, theirs: Spread) -> str:
    if math.isnan(mine.sd) or math.isnan(theirs.sd):
        return "with a spread over seeds that one seed cannot show"
    return "within the seeds' spread" if abs(gap) <= math.hypot(mine.sd, theirs.sd) else "more than the seeds' spread"


def _with_seeds(grid: Grid, name: str, of: Spread) -> str:
    return f"{grid.formats.with_unit(name, of)}, {count(of.n, 'seed')}"


def _best(grid: Grid, known: Sequence[Configuration], name: str, baseline: Mapping[str, object]) -> Statement | None:
    order = ranked(known, name)
    if not order:
        return None
    what = quantity(name)
    first = order[0]
    word = "Highest" if what.better == "higher" else "Lowest"
    text = [f"{grid.label(first)}: {_with_seeds(grid, name, first.spread(name))}."]
    text += _rivals(order, name)
    text += _against_baseline(grid, known, first, name, baseline)
    if name == "mse":
        text += _against_floor(grid, first)
    return Statement(f"{word} {what.label}", " ".join(text), text[0])


def _rivals(order: Sequence[Configuration], name: str) -> list[str]:
    if len(order) == 1:
        return ["No other configuration has this metric."]
    mine = order[0].spread(name)
    others = [one.spread(name) for one in order[1:]]
    if math.isnan(mine.sd) or all(math.isnan(other.sd) for other in others):
        return ["With one seed the spread is not known, so that the order of close configurations is not either."]
    judged = [other for other in others if not math.isnan(other.sd)]
    near = sum(abs(mine.mean - other.mean) <= math.hypot(mine.sd, other.sd) for other in judged)
    rest = count(len(judged), "other configuration")
    more = " with two or more seeds" if len(judged) < len(others) else ""
    verb = "are" if near > 1 else "is"
    return [f"{near or 'None'} of {rest}{more} {verb} within the seeds' spread of it."]


def _is_baseline(one: Configuration, baseline: Mapping[str, object]) -> bool:
    named = {"dataset": one.dataset, "model": one.model, "latent_dim": one.latent_dim, **one.axes}
    return all(value_text(named.get(axis)) == value_text(value) for axis, value in baseline.items())


def _counterpart(
    known: Sequence[Configuration], one: Configuration, name: str, baseline: Mapping[str, object]
) -> Configuration | None:
    """Return the baseline configuration that shares the most settings with `one`; of equals the best."""
    matching = ranked((other for other in known if _is_baseline(other, baseline)), name)

    def shared(other: Configuration) -> int:
        return sum(value_text(other.axes.get(axis)) == value_text(value) for axis, value in one.axes.items())

    return max(matching, key=shared, default=None)


def _against_baseline(
    grid: Grid, known: Sequence[Configuration], first: Configuration, name: str, baseline: Mapping[str, object]
) -> list[str]:
    if not baseline:
        return []
    if _is_baseline(first, baseline):
        rest = best((one for one in known if not _is_baseline(one, baseline)), name)
        if rest is None:
            return ["It belongs to the baseline; nothing else finished."]
        gap = difference(grid, name, rest, first)
        return [f"It belongs to the baseline; the best of the others, {grid.label(rest)}, differs by {gap}."]
    other = _counterpart(known, first, name, baseline)
    if other is None:
        return ["No trial of the baseline finished with this metric."]
    theirs = f"{grid.label(other)}: {_with_seeds(grid, name, other.spread(name))}"
    return [f"Against the baseline at the nearest settings ({theirs}): {difference(grid, name, first, other)}."]


def _against_floor(grid: Grid, first: Configuration) -> list[str]:
    floor = first.spread(FLOOR)
    if not floor.n or not math.isfinite(floor.mean):
        return []
    mine = first.mean("mse")
    side = "below" if mine < floor.mean else "above"
    share = percent(mine, floor.mean, sign=False)
    if abs(mine - floor.mean) <= first.spread("mse").sd:
        verdict = "within the seeds' spread of"
    else:
        verdict = "better than" if mine < floor.mean else "no better than"
    parts = f" with {first.latent_dim} components" if first.latent_dim is not None else " with as many components"
    return [f"{share} {side} the floor, {verdict} a linear PCA{parts} ({grid.formats.number(FLOOR, floor.mean)})."]


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


def _weights(grid: Grid, known: Sequence[Configuration]) -> Statement | None:
    axis = "kl_weight"
    levels = sorted({float(one.axes[axis]) for one in known if isinstance(one.axes.get(axis), (int, float))})
    if len(levels) < 2:  # noqa: PLR2004 - nothing to compare
        return None
    text = []
    for low, high in list(pairwise(levels))[:_LEVELS]:
        effects = contrasts(known, axis, low, high, ("mse", "ssim", "kl"))
        told = [_effect(grid, name, effect) for name, effect in effects.items() if effect.pairs]
        if told:
            text.append(f"From {value_text(low)} to {value_text(high)}, all else equal: {'; '.join(told)}.")
    top = best(one for one in known if isinstance(one.axes.get(axis), (int, float)))
    if top is not None:
        text.append(f"The lowest MSE of a model with a KL term has weight {value_text(top.axes[axis])}.")
        sigma, error = top.mean("sigma"), top.mean("mse")
        if math.isfinite(sigma) and math.isfinite(error) and error > 0:
            implied, left = (grid.formats.number("sigma", value) for value in (sigma, math.sqrt(error)))
            text.append(
                f"Read as a Gaussian likelihood, that weight implies pixel noise of standard deviation {implied}, "
                f"where the model leaves {left} (root MSE).",
            )
    return Statement("KL weight", " ".join(text)) if text else None


def _ssim(grid: Grid, known: Sequence[Configuration]) -> Statement | None:
    axis = "ssim_weight"
    levels = sorted({float(one.axes[axis]) for one in known if isinstance(one.axes.get(axis), (int, float))})
    if len(levels) < 2:  # noqa: PLR2004 - nothing to compare
        return None
    text = []
    for level in levels[1 : 1 + _LEVELS]:
        effects = contrasts(known, axis, levels[0], level, ("ssim", "mse", "knn_accuracy"))
        told = [_effect(grid, name, effect) for name, effect in effects.items() if effect.pairs]
        if not told:
            continue
        verdict = _verdict(effects)
        text.append(
            f"Weight {value_text(level)} against {value_text(levels[0])}, all else equal: {'; '.join(told)}. {verdict}"
        )
    return Statement("SSIM term", " ".join(text)) if text else None


def _verdict(effects: Mapping[str, Effect]) -> str:
    helped = [
        quantity(name).label for name, effect in effects.items() if effect.direction(quantity(name).better) == "better"
    ]
    cost = [
        quantity(name).label for name, effect in effects.items() if effect.direction(quantity(name).better) == "worse"
    ]
    if helped and cost:
        return f"It improved {_listed(helped)} and cost {_listed(cost)}."
    if helped:
        return f"It improved {_listed(helped)}; no cost in the others is resolved."
    if cost:
        return f"It cost {_listed(cost)}; no gain is resolved."
    return "Neither a gain nor a cost is resolved by these pairs."


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _effect(grid: Grid, name: str, effect: Effect) -> str:
    what = quantity(name)
    change = grid.formats.number(name, effect.mean, sign=True) + (f" {what.unit}" if what.unit else "")
    share = percent(effect.after, effect.before)
    lower = f"higher in {effect.higher} of {count(effect.pairs, 'pair')}"
    unsure = "" if effect.resolved else ", not resolved"
    return f"{what.label} {change}{f' ({share})' if share else ''}, {lower}{unsure}"


def _cost(grid: Grid, known: Sequence[Configuration], baseline: Mapping[str, object]) -> Statement | None:
    first = best(known)
    seconds = "train_seconds"
    if first is None or not first.spread(seconds).n:
        return None
    text = f"The configuration with the lowest MSE trained in {_with_seeds(grid, seconds, first.spread(seconds))}"
    if first.spread("parameters").n:
        text += f", with {grid.formats.number('parameters', first.mean('parameters'))} parameters"
    text += "."
    other = _counterpart(known, first, "mse", baseline) if baseline else None
    if other is not None and other is not first and other.mean(seconds) > 0:
        ratio = first.mean(seconds) / other.mean(seconds)
        theirs = grid.formats.with_unit(seconds, other.spread(seconds))
        text += f" That is {ratio:.2g} times the {theirs} of the baseline at the nearest settings."
    return Statement("Cost", text)


def seeds_note(grid: Grid) -> str:
    """Say how much weight the number of seeds lets a spread bear; "" where there are enough."""
    numbers = sorted({len(one.trials) for one in grid.configurations if one.trials})
    if not numbers:
        return ""
    axis = axis_label("seed")
    if numbers[-1] == 1:
        return f"One {axis} each: no spread is known, and no difference can be told from chance."
    if numbers[0] == 1:
        return f"Some configurations have one finished {axis} only: no spread is known for them."
    if numbers[0] < _FEW_SEEDS:
        return f"{count(numbers[0], axis)} at the fewest: the spreads themselves are rough."
    return ""
