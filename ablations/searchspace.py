"""What a study file says of a search (`[tune]`, axes that are ranges) and of trials stopped early (`[stop]`)."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import Field

from ablations.quantities import known_quantities, quantity
from vae._frozen import Frozen
from vae.errors import SpecError, unknown_name

__all__ = ["CURVES", "Range", "StopSpec", "TuneSpec", "check_stop", "check_tune", "directed", "split_ranges"]

RANGE_KEYS = ("min", "max", "step", "log")
SMOKE_TRIALS = 4
FINENESS = 10_000  # parts of a range to which its numbers are told
MOST_CHOICES = 10_000  # that a range with a step stands for
CURVES = {"sse": "reconstruction", "mse": "reconstruction"}
"""Objective of `[stop]` -> the term whose curve on held-out images it is read from; any other names its term itself."""

Objective = str | tuple[str, ...] | dict[str, float]


class TuneSpec(Frozen):
    """How `vaebench tune` searches.

    Attributes:
        tuner: which of Keras Tuner's oracles proposes: `random`; `bayesian`, a Gaussian process with an upper
            confidence bound; `hyperband` (Li et al., 2018), whose rungs are epochs; `grid`.
        objective: a metric, in its own direction; a table of metrics with weights, whose sum counts; or a list of two,
            of which the Pareto front is looked for by random weights (ParEGO: Knowles, 2006).
        trials: how many configurations are proposed; None for all that the tuner has: of a grid, or of one round of
            hyperband's brackets. `random` and `bayesian` have no end, and take 20.
        seed: of the proposals.
        parallel: how many are proposed before the first of them is scored. It belongs to the search rather than to the
            machine, so that a study gives the same search anywhere.
        factor: of hyperband: one in so many goes on to so many times the epochs.
    """

    tuner: Literal["random", "bayesian", "hyperband", "grid"] = "bayesian"
    objective: Objective = "sse"
    trials: int | None = Field(None, ge=1)
    seed: int = Field(0, ge=0, lt=2**32)
    parallel: int = Field(4, ge=1)
    factor: int = Field(3, ge=2)

    @property
    def names(self) -> tuple[str, ...]:
        """The metrics that are looked at."""
        return (self.objective,) if isinstance(self.objective, str) else tuple(self.objective)

    @property
    def pareto(self) -> bool:
        """Whether a front is looked for."""
        return isinstance(self.objective, tuple)

    def shrunk(self) -> "TuneSpec":
        """Return the same search of a few proposals, for a smoke run."""
        return self.model_copy(update={"trials": min(self.trials or SMOKE_TRIALS, SMOKE_TRIALS), "parallel": 2})

    @property
    def most(self) -> int | None:
        """How many configurations are proposed at most; None for as many as the tuner has."""
        return self.trials or (20 if self.tuner in {"random", "bayesian"} else None)


class StopSpec(Frozen):
    """When trials of a grid are stopped early: successive halving (Jamieson and Talwalkar, 2016).

    Attributes:
        rungs: epochs after which configurations are compared.
        eta: the best one in so many go on.
        keep: the share that goes on, in place of `eta`.
        objective: `sse`, or a term of the loss; after the epoch, on the held-out images of the curves.
        by: axes within whose values configurations compete: across data sets, errors say nothing.
    """

    rungs: tuple[int, ...] = Field(min_length=1)
    eta: float | None = Field(None, gt=1)
    keep: float | None = Field(None, gt=0, lt=1)
    objective: str = "sse"
    by: tuple[str, ...] = ("dataset",)

    @property
    def share(self) -> float:
        """The share of configurations that goes on from a rung: a third, where nothing is said."""
        return self.keep or 1 / (self.eta or 3.0)

    @property
    def column(self) -> str:
        """The column of history.csv that is compared; its terms are all better low."""
        return f"val_{CURVES.get(self.objective, self.objective)}"


@dataclass(frozen=True)
class Range:
    """All numbers from `low` to `high`, both included.

    Attributes:
        low: the smallest.
        high: the largest.
        step: between neighbours; a factor where `log` is set; None for any number (any integer, where both ends are).
        log: whether each ratio, rather than each difference, is as likely.
    """

    low: float
    high: float
    step: float | None = None
    log: bool = False

    @property
    def whole(self) -> bool:
        """Whether its numbers are integers."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    @classmethod
    def parse(cls, table: Mapping[str, Any], where: str) -> "Range":
        """Read `{ min, max, step, log }`.

        Raises:
            SpecError: an end is missing or no number, or the ends, step and scale don't go together.
        """
        for key in table:
            if key not in RANGE_KEYS:
                raise SpecError(f"{where}: {unknown_name('part of a range', key, RANGE_KEYS)}")
        for key in ("min", "max"):
            if key not in table:
                raise SpecError(f"{where}: a range needs min and max, got {dict(table)}")
        for key in ("min", "max", "step"):
            value = table.get(key, 1)
            if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
                raise SpecError(f"{where}.{key}: got {value!r}, expected a number. Values of other kinds need a list")
        if not isinstance(table.get("log", False), bool):
            raise SpecError(f"{where}.log: got {table['log']!r}, expected true or false")
        found = cls(table["min"], table["max"], table.get("step"), table.get("log", False))
        found._check(where)
        return found

    def _check(self, where: str) -> None:
        if self.low >= self.high:
            raise SpecError(f"{where}: got min = {self.low} and max = {self.high}, expected min below max")
        if self.log and self.low <= 0:
            raise SpecError(f"{where}.min: got {self.low}, expected a number above 0: the range is logarithmic")
        if self.step is None:
            return
        least = 1 if self.log else 0
        if self.step <= least:
            raise SpecError(
                f"{where}.step: got {self.step}, expected a {'factor' if self.log else 'step'} above {least}"
            )
        if self.whole and not isinstance(self.step, int):
            raise SpecError(f"{where}.step: got {self.step}, expected an integer, since min and max are integers")
        if self.size > MOST_CHOICES:
            raise SpecError(f"{where}: got {self.size:,} values, expected at most {MOST_CHOICES:,}. Take a larger step")

    @property
    def size(self) -> int:
        """How many values it has with its step; 0 without one."""
        if self.step is None:
            return 0 if self.log or not self.whole else int(self.high - self.low) + 1
        spanned = math.log(self.high / self.low, self.step) if self.log else (self.high - self.low) / self.step
        return math.floor(spanned + 1e-9) + 1

    def tidy(self, value: float) -> float:
        """Return a proposed number with as few digits as tell it to a ten-thousandth of the range, and within its ends.

        Nobody wants to read, or type, the other twelve digits; and on a logarithmic scale Keras Tuner may propose an
        integer that is one above the largest. Where there is a step, all digits are wanted.

        >>> Range(1e-4, 1e-1, log=True).tidy(0.018553612598827974)
        0.01855
        """
        if self.whole or self.step is not None:
            return min(max(value, self.low), self.high)
        width = math.log(self.high / self.low) if self.log else self.high - self.low
        places = math.ceil(-math.log10(width / FINENESS / 0.5))  # after the point, or the first digit
        rounded = float(f"{value:.{max(places, 0)}e}") if self.log else round(value, places)
        return min(max(rounded, self.low), self.high)

    def choices(self, number: int = 0) -> list[float]:
        """Return all values of a range that has a step; of another, `number` of them, evenly spaced on its scale."""
        size = self.size
        if size and (not number or size <= number):
            step = self.step or 1
            return [self.low * step**k if self.log else self.low + k * step for k in range(size)]
        shares = [k / max(number - 1, 1) for k in range(number)]
        if self.log:
            found = [self.low * (self.high / self.low) ** share for share in shares]
        else:
            found = [self.low + (self.high - self.low) * share for share in shares]
        return list(dict.fromkeys(round(value) for value in found)) if self.whole else found


def split_ranges(table: Mapping[str, Any], where: str) -> tuple[dict[str, Any], dict[str, Range]]:
    """Return the axes with each range replaced by the list of its two ends, and the ranges by the axes' names.

    Raises:
        SpecError: a range is none.
    """
    axes, ranges = _split(table, "", f"{where}: axes")
    return axes, ranges


def _split(table: Mapping[str, Any], prefix: str, where: str) -> tuple[dict[str, Any], dict[str, Range]]:
    axes: dict[str, Any] = {}
    ranges: dict[str, Range] = {}
    for key, value in table.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping) and {"min", "max"} & set(value):
            found = Range.parse(value, f"{where}.{name}")
            ranges[name] = found
            axes[key] = [found.low, found.high]
        elif isinstance(value, Mapping):
            axes[key], inner = _split(value, f"{name}.", where)
            ranges |= inner
        else:
            axes[key] = value
    return axes, ranges


def directed(name: str) -> float:
    """Return 1 for a metric that is better low, -1 for one that is better high; one without a direction is kept low."""
    return -1.0 if quantity(name).better == "higher" else 1.0


def check_tune(tune: TuneSpec, axes: Mapping[str, Sequence[Any]], ranges: Mapping[str, Range], where: str) -> None:
    """Refuse a search that can't be made.

    Raises:
        SpecError: a metric is unknown or has no direction, or an axis does not go with the tuner.
    """
    known = known_quantities()
    for name in tune.names:
        if name not in known:
            raise SpecError(f"{where}: tune.objective: {unknown_name('metric', name, known)}")
    if tune.pareto and len(set(tune.names)) != 2:  # noqa: PLR2004 - a front is drawn in a plane
        raise SpecError(f"{where}: tune.objective: got {list(tune.names)}, expected a metric, two of them, or a table")
    if isinstance(tune.objective, str) and quantity(tune.objective).better == "neither":
        raise SpecError(
            f"{where}: tune.objective: {tune.objective} is neither better low nor high. Give it a weight, which is "
            f"kept low where it is above 0: objective = {{ {tune.objective} = 1.0 }}"
        )
    if isinstance(tune.objective, dict) and not any(tune.objective.values()):
        raise SpecError(f"{where}: tune.objective: got no weight other than 0, expected one at least")
    if tune.tuner == "grid":
        endless = [axis for axis, one in ranges.items() if not one.size]
        if endless:
            raise SpecError(
                f"{where}: axes.{endless[0]}: a grid needs a list, or a range with a step. Give it a step, or take "
                "another tuner"
            )
    if tune.tuner == "hyperband" and {"epochs", "train.epochs"} & set(axes):
        raise SpecError(
            f"{where}: axes.epochs: hyperband chooses the epochs itself, up to fixed.train.epochs. Take the axis out, "
            "or take another tuner"
        )


def check_stop(stop: StopSpec, axes: Mapping[str, Sequence[Any]], terms: Sequence[str], where: str) -> None:
    """Refuse rules for stopping that can't be followed.

    Raises:
        SpecError: rungs don't rise, share and eta are both given, or a name is unknown.
    """
    place = f"{where}: stop"
    if min(stop.rungs) < 1 or list(stop.rungs) != sorted(set(stop.rungs)):
        raise SpecError(
            f"{place}.rungs: got {list(stop.rungs)}, expected rising epochs of at least 1, such as [1, 3, 9]"
        )
    if stop.eta is not None and stop.keep is not None:
        raise SpecError(
            f"{place}: got eta = {stop.eta:g} and keep = {stop.keep:g}, which say the same: keep one of the two"
        )
    known = [*CURVES, "loss", *terms]
    if stop.objective not in known:
        raise SpecError(f"{place}.objective: {unknown_name('curve', stop.objective, known)}")
    for axis in stop.by:
        if axis not in axes and axis != "dataset":
            raise SpecError(f"{place}.by: {unknown_name('axis', axis, [*axes, 'dataset'])}")
