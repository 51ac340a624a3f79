"""What the KL weight does, what noise it stands for, and which weight that noise asks for."""

import math
from collections.abc import Iterator
from itertools import pairwise

from ablations.analysis.grid import Configuration, Grid, best
from ablations.analysis.pairs import levels
from ablations.report.findings._base import Known, Statement, finding
from ablations.report.findings._phrases import LEVELS, changes, stepwise
from ablations.statistics.intervals import mean_interval
from ablations.text.columns import ERROR, quantity
from ablations.text.numbers import value_text

__all__ = ["kl_weight"]

_AXIS = "kl_weight"


@finding("kl_weight", order=30)
def kl_weight(known: Known) -> Iterator[Statement]:
    """Say what each step of the weight changes, which weight is best, and which the error that is left asks for."""
    grid, main = known.grid, quantity(known.grid.main)
    numbers = [level for level in levels(known.configurations, _AXIS) if isinstance(level, (int, float))]
    steps = list(pairwise(numbers))[:LEVELS]
    names = list(dict.fromkeys((*grid.metrics[:2], "kl")))
    text = [
        f"From {value_text(low)} to {value_text(high)}, all else equal: {told}."
        for (low, high), effects in zip(steps, stepwise(known.configurations, _AXIS, steps, names), strict=True)
        if (told := changes(grid, effects))
    ]
    vaes = [one for one in known.configurations if one.is_vae]
    top = best((one for one in vaes if one.axes.get(_AXIS) is not None), main.name)
    if top is not None and steps:
        weight = value_text(top.axes[_AXIS])
        text.append(f"The {main.best} {main.word} of a model with a KL term has weight {weight}.")
    groups = [[one for one in vaes if one.axes.get(_AXIS) == number] for number in numbers[: LEVELS + 1]] or [vaes]
    if implied := [told for group in groups if (told := _implied(grid, best(group, ERROR)))]:
        text.append(
            "Read as a Gaussian likelihood, a weight w stands for pixel noise of standard deviation sqrt(w / 2), and "
            f"the best weight for the error that is left is 2 MSE per pixel: {'; '.join(implied)}."
        )
    if text:
        yield Statement("KL weight", " ".join(text))


def _implied(grid: Grid, top: Configuration | None) -> str:
    """Say what noise a weight stands for, and which weight the noise that is left asks for.

    Loss sse + w KL is 2 s^2 times a Gaussian's negative log-likelihood of variance s^2 = w / 2 and the KL; over s^2,
    D/2 log s^2 + sse / (2 s^2) is least at s^2 = sse / D, the MSE per pixel: w* = 2 MSE (Rybkin et al., 2021).
    """
    if top is None:
        return ""
    sigma, error = top.mean("sigma"), mean_interval(top.values(ERROR))
    if not (math.isfinite(sigma) and sigma > 0 and error.estimate > 0):
        return ""
    weight = top.axes.get(_AXIS)
    weight = float(weight) if isinstance(weight, (int, float)) else float(f"{2 * sigma**2:.12g}")  # without rounding
    factor = weight / sigma**2  # 2 for pixels in [0, 1]; in the units of the loss for others
    optimum = f"{factor * error.estimate:.3g}"
    if error.known:
        optimum += f" (95 % interval {factor * max(error.low, 0.0):.3g} to {factor * error.high:.3g})"
    implied, left = (grid.formats.number("sigma", value) for value in (sigma, math.sqrt(error.estimate)))
    ratio = error.estimate / sigma**2
    if error.known and error.low <= sigma**2 <= error.high:
        side = "from which the weight is not told"
    else:
        side = f"{_times(ratio)} the weight" if ratio > 1 else f"the weight is {_times(1 / ratio)} as large"
    return (
        f"weight {value_text(weight)} implies {implied} where the best model with it leaves {left} (root MSE), so that "
        f"{optimum} would be best, {side}"
    )


def _times(ratio: float) -> str:
    return f"{ratio:.2g} times" if ratio < 10 else f"{ratio:,.0f} times"  # noqa: PLR2004 - two digits or all before the point
