"""What ails a study's models, in words: rules, each with its numbers, that are silent where nothing is amiss."""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
import pandas as pd

from ablations.analysis.grid import Configuration, Grid, best
from ablations.analysis.pairs import contrasts, counterpart, levels
from ablations.report.findings._base import History, Statement
from ablations.report.findings._phrases import changes, verdict, with_seeds
from ablations.statistics.intervals import Effect, Interval, corrected, mean_interval, paired_effect
from ablations.text.columns import FLOOR
from ablations.text.numbers import NBSP, count, percent, share_text, value_text

__all__ = ["diagnosis"]


_HALF = 0.5  # of the latent dimensions: fewer active ones are few
_LEVELS = 4  # of an axis that are told
_TRIALS = 40  # of a model whose curves are read: each is a file
_SHORTEST = 8  # epochs: fewer show no end of a curve
_LAST = 0.25  # of the epochs, which are looked at for a slope
_STILL = 0.01  # relative change over these that nobody minds


def diagnosis(
    grid: Grid, known: Sequence[Configuration], baseline: Mapping[str, object], history: History | None
) -> list[Statement]:
    """Return what the rules find among the finished configurations of one data set."""
    found = [
        _kl_weight(grid, known),
        _collapse(grid, known),
        _floor(grid, known),
        _ssim(grid, known),
        _training(known, history) if history else None,
        _cost(grid, known, baseline),
    ]
    return [statement for statement in found if statement]


def _kl_weight(grid: Grid, known: Sequence[Configuration]) -> Statement | None:
    axis = "kl_weight"
    numbers = [level for level in levels(known, axis) if isinstance(level, (int, float))]
    steps = list(pairwise(numbers))[:_LEVELS]
    text = [
        f"From {value_text(low)} to {value_text(high)}, all else equal: {told}."
        for (low, high), effects in zip(steps, _family(known, axis, steps, ("mse", "ssim", "kl")), strict=True)
        if (told := changes(grid, effects))
    ]
    vaes = [one for one in known if one.is_vae]
    top = best(one for one in vaes if one.axes.get(axis) is not None)
    if top is not None and steps:
        text.append(f"The lowest MSE of a model with a KL term has weight {value_text(top.axes[axis])}.")
    groups = [[one for one in vaes if one.axes.get(axis) == number] for number in numbers[: _LEVELS + 1]] or [vaes]
    if implied := [told for group in groups if (told := _implied(grid, best(group)))]:
        text.append(
            "Read as a Gaussian likelihood, a weight w stands for pixel noise of standard deviation sqrt(w / 2), and "
            f"the best weight for the error that is left is 2 MSE per pixel: {'; '.join(implied)}."
        )
    return Statement("KL weight", " ".join(text)) if text else None


def _implied(grid: Grid, top: Configuration | None) -> str:
    """Say what noise a weight stands for, and which weight the noise that is left asks for.

    Loss sse + w KL is 2 s^2 times a Gaussian's negative log-likelihood of variance s^2 = w / 2 and the KL; over s^2,
    D/2 log s^2 + sse / (2 s^2) is least at s^2 = sse / D, the MSE per pixel: w* = 2 MSE (Rybkin et al., 2021).
    """
    if top is None:
        return ""
    sigma, error = top.mean("sigma"), mean_interval(top.values("mse"))
    if not (math.isfinite(sigma) and sigma > 0 and error.estimate > 0):
        return ""
    weight = top.axes.get("kl_weight")
    weight = float(weight) if isinstance(weight, (int, float)) else 2 * sigma**2
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


def _collapse(grid: Grid, known: Sequence[Configuration]) -> Statement | None:
    text = []
    vaes = [one for one in known if one.is_vae and one.latent_dim and one.spread("active_units").n]
    for model in dict.fromkeys(one.model for one in vaes):
        mine = [one for one in vaes if one.model == model]
        few = [one for one in mine if one.mean("active_units") < _HALF * (one.latent_dim or 0)]
        if few:
            text.append(f"{model}: {_sets_in(grid, mine, few)}")
    return Statement("Posterior collapse", " ".join(text)) if text else None


def _sets_in(grid: Grid, mine: Sequence[Configuration], few: Sequence[Configuration]) -> str:
    """Say at which KL weight few units are active; settled only where the interval over seeds ends below half."""

    def weight(one: Configuration) -> float:
        value = one.axes.get("kl_weight")
        return float(value) if isinstance(value, (int, float)) else math.nan

    def units(one: Configuration) -> Interval:
        return mean_interval(one.values("active_units"))

    settled = [one for one in few if units(one).high < _HALF * (one.latent_dim or 0)]
    told = settled or few
    first = min((weight(one) for one in told), default=math.nan)
    there = [one for one in mine if weight(one) == first] or list(mine)
    told = [one for one in told if one in there]
    lowest = min(told, key=lambda one: one.mean("active_units") / (one.latent_dim or 1))
    at = f"at KL weight {value_text(first)}" if math.isfinite(first) else "at the study's KL weight"
    of = f"{len(told)} of {count(len(there), 'configuration')}"
    example = f"the fewest are {grid.formats.interval('active_units', units(lowest))} of {lowest.latent_dim}"
    example += f" ({grid.label(lowest)})"
    below = sorted({weight(one) for one in mine if weight(one) < first})
    none = (
        f"; none at {value_text(below[-1])} or below" if below and not any(weight(one) < first for one in few) else ""
    )
    if settled:
        return f"it sets in {at}, where {of} use fewer than half of their latent dimensions{none}; {example}."
    why = "one trial each does not settle" if not any(units(one).known for one in told) else "their seeds do not settle"
    return f"{at} the mean of {of} is below half of the latent dimensions, which {why}{none}; {example}."


def _floor(grid: Grid, known: Sequence[Configuration]) -> Statement | None:
    """Say which models are not better than PCA: mean over seeds against the floor, corrected over configurations."""
    judged = [one for one in known if math.isfinite(one.mean("mse")) and math.isfinite(one.mean(FLOOR))]
    pairs = [[(one.mean(FLOOR), value) for value in one.values("mse")] for one in judged]
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
            one, effect = max(above, key=lambda pair: pair[1].change.estimate / pair[1].before)
            shown = percent(effect.after, effect.before, sign=False)
            parts.append(
                f"{len(above)} of {count(len(mine), 'configuration')} no better than a linear PCA of the same size "
                f"({worse} of these resolved as worse), the furthest {shown} above it ({grid.label(one)}: "
                f"{grid.formats.number('mse', effect.after)} against {grid.formats.number(FLOOR, effect.before)})"
            )
        if unsure:
            parts.append(f"{unsure} of {count(len(mine), 'configuration')} below it by less than seeds can tell")
        text.append(f"{model}: {'; '.join(parts)}.")
    return Statement("No better than PCA", " ".join(text)) if text else None


def _ssim(grid: Grid, known: Sequence[Configuration]) -> Statement | None:
    axis = "ssim_weight"
    found = [level for level in levels(known, axis) if isinstance(level, (int, float))]
    steps = [(found[0], level) for level in found[1 : 1 + _LEVELS]]
    text = [
        f"Weight {value_text(high)} against {value_text(low)}, all else equal: {told}. {verdict(effects)}"
        for (low, high), effects in zip(
            steps, _family(known, axis, steps, ("ssim", "mse", "knn_accuracy")), strict=True
        )
        if (told := changes(grid, effects))
    ]
    return Statement("SSIM term", " ".join(text)) if text else None


def _family(
    known: Sequence[Configuration], axis: str, steps: Sequence[tuple[object, object]], names: Sequence[str]
) -> list[dict[str, Effect]]:
    """Return the effects of each step, all of which are claims of one statement, and corrected together."""
    found = [contrasts(known, axis, low, high, names) for low, high in steps]
    adjusted = iter(corrected([effect for effects in found for effect in effects.values()]))
    return [{name: next(adjusted) for name in effects} for effects in found]


def _training(known: Sequence[Configuration], history: History) -> Statement | None:
    """Say which models were trained too shortly or too long, where the interval over trials shows it."""
    text = []
    for model in dict.fromkeys(one.model for one in known):
        trials = [trial for one in known if one.model == model for trial in one.trials]
        chosen = trials[:: -(-len(trials) // _TRIALS)]
        slopes = [found for trial in chosen if (found := _drift(history(trial)))]
        held_out, trained = (mean_interval([slope[place] for slope in slopes]) for place in range(2))
        if not held_out.known:
            continue
        epochs = _range([slope[2] for slope in slopes])
        size = f"{share_text(abs(held_out.estimate))} ({_signed(held_out.low)} to {_signed(held_out.high)}, "
        size += f"{count(len(slopes), 'trial')})"
        if held_out.high < -_STILL:
            text.append(
                f"{model}: under-trained; the validation loss still fell by {size} over the last {epochs} epochs."
            )
        elif held_out.low > _STILL and trained.high < 0:
            text.append(
                f"{model}: over-trained; the validation loss rose by {size} over the last {epochs} epochs, "
                f"while the training loss fell by {share_text(abs(trained.estimate))}."
            )
    return Statement("Length of training", " ".join(text)) if text else None


def _drift(frame: pd.DataFrame) -> tuple[float, float, int] | None:
    """Return the relative change of validation and training loss over the last epochs, and how many these are.

    A line is fitted to the logarithm, so that one epoch's luck does not decide. Nothing is said of a curve with few
    epochs, a weight that still moves (the loss does so too then), or values that have no logarithm.
    """
    last = math.ceil(_LAST * len(frame))
    names = ["val_loss", "loss"]
    if len(frame) < _SHORTEST or not set(names) <= set(frame.columns):
        return None
    tail = frame.iloc[-max(last, 4) :]
    moving = [name for name in tail.columns if name.endswith("_weight") and tail[name].ne(tail[name].iloc[0]).any()]
    values = tail[names].to_numpy(float)
    if moving or not np.isfinite(values).all() or (values <= 0).any():
        return None
    slopes = np.polyfit(np.arange(len(tail)), np.log(values), 1)[0]
    held_out, trained = np.expm1(slopes * (len(tail) - 1))
    return float(held_out), float(trained), len(tail)


def _range(numbers: Sequence[int]) -> str:
    low, high = min(numbers), max(numbers)
    return str(low) if low == high else f"{low} to {high}"


def _signed(share: float) -> str:
    return ("+" if share > 0 else "") + share_text(share)


def _cost(grid: Grid, known: Sequence[Configuration], baseline: Mapping[str, object]) -> Statement | None:
    first = best(known)
    seconds = "train_seconds"
    if first is None or not first.spread(seconds).n:
        return None
    text = [f"The configuration with the lowest MSE trained in {with_seeds(grid, seconds, first.spread(seconds))}"]
    if first.spread("parameters").n:
        text[0] += f", with {grid.formats.number('parameters', first.mean('parameters'))} parameters"
    text[0] += "."
    other = counterpart(known, first, baseline) if baseline else None
    if other is not None and other is not first and other.mean(seconds) > 0:
        ratio = first.mean(seconds) / other.mean(seconds)
        theirs = grid.formats.with_unit(seconds, other.spread(seconds))
        text.append(f"That is {ratio:.2g} times the {theirs} of the baseline at the nearest settings.")
    return Statement("Cost", " ".join([*text, *_cheapest(grid, known, first)]))


def _cheapest(grid: Grid, known: Sequence[Configuration], first: Configuration) -> list[str]:
    """Name the cheapest configuration within one interval of the best (one-error rule: Breiman et al., 1984)."""
    interval, seconds = mean_interval(first.values("mse")), "train_seconds"
    if not interval.known:
        return []
    near = [one for one in known if one.mean("mse") <= interval.high and math.isfinite(one.mean(seconds))]
    cheapest = min(near, key=lambda one: one.mean(seconds))
    reach = f"its 95{NBSP}% interval (up to {grid.formats.number('mse', interval.high)}"
    reach += ", rough with two seeds)" if interval.rough else ")"
    if cheapest is first:
        return [f"No configuration with a mean MSE within {reach} trained faster."]
    time = with_seeds(grid, seconds, cheapest.spread(seconds))
    mse = grid.formats.spread("mse", cheapest.spread("mse"))
    share = cheapest.mean(seconds) / first.mean(seconds)
    told = f"The fastest with a mean MSE within {reach} is {grid.label(cheapest)}: {time}, {share:.2g} times as long"
    return [f"{told}, MSE {mse}."]
