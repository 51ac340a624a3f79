"""Which models were trained too shortly or too long."""

import math
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from ablations.report.findings._base import Known, Statement, finding
from ablations.statistics.intervals import mean_interval
from ablations.text.numbers import count, share_text

__all__ = ["training"]

_TRIALS = 40  # of a model whose curves are read: each is a file
_SHORTEST = 8  # epochs: fewer show no end of a curve
_LAST = 0.25  # of the epochs, which are looked at for a slope
_STILL = 0.01  # relative change over these that nobody minds


@finding("training", order=70)
def training(known: Known) -> Iterator[Statement]:
    """Say which models were trained too shortly or too long, where the interval over trials shows it."""
    if known.history is None:
        return
    text = []
    for model in dict.fromkeys(one.model for one in known.configurations):
        trials = [trial for one in known.configurations if one.model == model for trial in one.trials]
        chosen = trials[:: -(-len(trials) // _TRIALS)]
        slopes = [found for trial in chosen if (found := _drift(known.history(trial)))]
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
    if text:
        yield Statement("Length of training", " ".join(text))


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
