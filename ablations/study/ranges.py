"""Axes that are ranges."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vae.errors import SpecError, unknown_name

__all__ = ["Range", "split_ranges"]

RANGE_KEYS = ("min", "max", "step", "log")


FINENESS = 10_000  # parts of a range to which its numbers are told


MOST_CHOICES = 10_000  # that a range with a step stands for


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

    def holds(self, value: object) -> bool:
        """Tell whether a value is a number of the range.

        >>> Range(1, 9).holds(9), Range(1, 9).holds(9.5), Range(0.1, 0.2).holds(0.15), Range(1, 9).holds("2")
        (True, False, True, False)
        """
        if isinstance(value, bool) or not isinstance(value, int if self.whole else int | float):
            return False
        return self.low <= value <= self.high

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
