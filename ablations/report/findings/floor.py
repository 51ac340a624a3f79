"""Which models are no better than a linear PCA."""

import math
from collections.abc import Iterator

from ablations.report.findings._base import Known, Statement, finding
from ablations.statistics.intervals import Effect, corrected, paired_effect
from ablations.text.columns import ERROR, FLOOR
from ablations.text.numbers import count, percent

__all__ = ["floor"]


@finding("floor", order=50)
def floor(known: Known) -> Iterator[Statement]:
    """Say which models are not better than PCA: mean over seeds against the floor, corrected over configurations."""
    grid = known.grid
    judged = [one for one in known.configurations if math.isfinite(one.mean(ERROR)) and math.isfinite(one.mean(FLOOR))]
    pairs = [[(one.mean(FLOOR), value) for value in one.values(ERROR)] for one in judged]
    effects = corrected([paired_effect([found]) for found in pairs])
    text = []
    for model in dict.fromkeys(one.model for one in judged):
        mine = [(one, effect) for one, effect in zip(judged, effects, strict=True) if one.model == model]
        above = [(one, effect) for one, effect in mine if effect.change.estimate >= 0]
        unsure = sum(effect.change.estimate < 0 and effect.change.known and not effect.resolved for _, effect in mine)
        if not above and not unsure:
            continue
        parts = []
        if above:
            worse = sum(effect.resolved for _, effect in above)
            one, effect = max(above, key=lambda pair: _excess(pair[1]))
            share = percent(effect.after, effect.before, sign=False)
            shown = f"{share} above it" if share else "above it"
            parts.append(
                f"{len(above)} of {count(len(mine), 'configuration')} no better than a linear PCA of the same size "
                f"({worse} of these resolved as worse), the furthest {shown} ({grid.label(one)}: "
                f"{grid.formats.number(ERROR, effect.after)} against {grid.formats.number(FLOOR, effect.before)})"
            )
        if unsure:
            parts.append(f"{unsure} of {count(len(mine), 'configuration')} below it by less than seeds can tell")
        text.append(f"{model}: {'; '.join(parts)}.")
    if text:
        yield Statement("No better than PCA", " ".join(text))


def _excess(effect: Effect) -> tuple[float, float]:
    """Return how far a configuration is above its floor, as a share of it; a floor of exactly 0 has no share."""
    gap = effect.change.estimate
    share = gap / effect.before if effect.before > 0 else math.inf if gap > 0 else 0.0
    return share, gap
