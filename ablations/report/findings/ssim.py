"""What the SSIM term gains, and what it costs."""

from collections.abc import Iterator

from ablations.analysis.pairs import levels
from ablations.report.findings._base import Known, Statement, finding
from ablations.report.findings._phrases import LEVELS, changes, stepwise, verdict
from ablations.text.numbers import value_text

__all__ = ["ssim"]

_AXIS = "ssim_weight"


@finding("ssim", order=60)
def ssim(known: Known) -> Iterator[Statement]:
    """Hold each weight of the term against the lowest, in the SSIM itself and in the study's metrics."""
    found = [level for level in levels(known.configurations, _AXIS) if isinstance(level, (int, float))]
    steps = [(found[0], level) for level in found[1 : 1 + LEVELS]]
    names = list(dict.fromkeys(("ssim", *known.grid.metrics)))
    text = [
        f"Weight {value_text(high)} against {value_text(low)}, all else equal: {told}. {verdict(effects)}"
        for (low, high), effects in zip(steps, stepwise(known.configurations, _AXIS, steps, names), strict=True)
        if (told := changes(known.grid, effects))
    ]
    if text:
        yield Statement("SSIM term", " ".join(text))
