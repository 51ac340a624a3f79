"""What statements are made of: numbers with their intervals, in words."""

from collections.abc import Iterable, Mapping, Sequence

from ablations.analysis.grid import Configuration, Grid
from ablations.analysis.pairs import contrasts, paired
from ablations.statistics.intervals import Effect, Spread, corrected, paired_effect
from ablations.text.columns import quantity
from ablations.text.numbers import count, percent, probability

__all__ = ["LEVELS", "changes", "difference", "joined", "judged", "stepwise", "verdict", "with_seeds"]

LEVELS = 4
"""Steps along an axis that a statement tells of, at most."""


def with_seeds(grid: Grid, name: str, of: Spread) -> str:
    """Return mean and spread with the unit and the number of seeds."""
    return f"{grid.formats.with_unit(name, of)}, {count(of.n, 'seed')}"


def joined(parts: Sequence[str]) -> str:
    """Return a list in words.

    >>> joined(["a", "b", "c"])
    'a, b and c'
    """
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def difference(grid: Grid, name: str, one: Configuration, other: Configuration) -> str:
    """Say how far one configuration is from another in a metric, paired by seed, and whether chance could do it."""
    effect = paired_effect([paired(other, one, name)])
    gap = one.mean(name) - other.mean(name) if not effect.pairs else effect.change.estimate
    share = percent(one.mean(name), other.mean(name))
    size = f"{grid.formats.number(name, gap, sign=True)}{f' ({share})' if share else ''}"
    return f"{size}, {judged(grid, name, effect)}"


def judged(grid: Grid, name: str, effect: Effect) -> str:
    """Say what interval a paired change has, and whether it is resolved."""
    if not effect.pairs:
        return "of which no seed is shared, so that it has no interval"
    if not effect.change.known:
        return "with an interval that one seed cannot show"
    low, high = (grid.formats.number(name, bound, sign=True) for bound in (effect.change.low, effect.change.high))
    rough = ", rough with two seeds" if effect.change.rough else ""
    word = "resolved" if effect.resolved else "not resolved"
    return f"95 % interval {low} to {high}{rough}: {word} (p = {probability(effect.adjusted)})".replace("= <", "<")


def changes(grid: Grid, effects: Mapping[str, Effect]) -> str:
    """Say what happens to each metric; "" where no pair has any."""
    return "; ".join(_change(grid, name, effect) for name, effect in effects.items() if effect.pairs)


def _change(grid: Grid, name: str, effect: Effect) -> str:
    what = quantity(name)
    size = grid.formats.number(name, effect.change.estimate, sign=True) + (f" {what.unit}" if what.unit else "")
    share = percent(effect.after, effect.before)
    lower = f"higher in {effect.higher} of {count(effect.pairs, 'pair')}"
    unsure = "" if effect.resolved else ", not resolved"
    return f"{what.label} {size}{f' ({share})' if share else ''}, {lower}{unsure}"


def stepwise(
    known: Sequence[Configuration], axis: str, steps: Sequence[tuple[object, object]], names: Sequence[str]
) -> list[dict[str, Effect]]:
    """Return the effects of each step on each metric: all are claims of one statement, and corrected together."""
    found = [contrasts(known, axis, low, high, names) for low, high in steps]
    adjusted = iter(corrected([effect for effects in found for effect in effects.values()]))
    return [{name: next(adjusted) for name in effects} for effects in found]


def verdict(effects: Mapping[str, Effect]) -> str:
    """Say what was gained and what it cost, as far as that is resolved."""
    helped, cost = (_named(effects, side) for side in ("better", "worse"))
    if helped and cost:
        return f"It improved {joined(helped)} and cost {joined(cost)}."
    if helped:
        return f"It improved {joined(helped)}; no cost in the others is resolved."
    if cost:
        return f"It cost {joined(cost)}; no gain is resolved."
    return "Neither a gain nor a cost is resolved by these pairs."


def _named(effects: Mapping[str, Effect], side: str) -> list[str]:
    found: Iterable[str] = (
        quantity(name).label for name, effect in effects.items() if effect.direction(quantity(name).better) == side
    )
    return list(found)
