"""The one place where a number becomes text: HTML, LaTeX, captions and sentences all print what this module returns."""

import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from ablations.statistics.intervals import Interval, Spread
from ablations.text.characters import visible
from ablations.text.columns import axis_label, quantity

__all__ = [
    "ABSENT",
    "NBSP",
    "Formats",
    "clean",
    "count",
    "duration",
    "percent",
    "probability",
    "setting",
    "share_text",
    "shorten",
    "value_text",
]

ABSENT = "–"  # noqa: RUF001 - an en dash stands for "does not apply"
_MINUS = "\N{MINUS SIGN}"
NBSP = "\N{NO-BREAK SPACE}"
"""Between a number and what belongs to it."""

_BLANKS = re.compile(rf"[^\S{NBSP}]+")
_PERCENT_WHOLE = 100.0
_PERCENT_MOST = 1e6  # ten thousand times the whole: as a rule, the whole is rounding
_MAX_DECIMALS = 8
_ROUNDING = 1e-6
_EXACT = 6  # powers of ten below a number at which what spreads is rounding
_NONE: Mapping[str, Iterable[float]] = MappingProxyType({})
_LOWEST_P = 1e-3
_SHORT = {"latent_dim": "latent", "kl_weight": "KL", "ssim_weight": "SSIM", "learning_rate": "rate"}


def _leading(values: Iterable[float]) -> int | None:
    """Return the power of ten of the median size of what is finite and not 0; None where nothing is."""
    sizes = sorted(abs(value) for value in values if math.isfinite(value) and value)
    return math.floor(math.log10(sizes[len(sizes) // 2])) if sizes else None


@dataclass(frozen=True)
class Formats:
    """How many decimals each column is printed with: one number for a column, so that its digits line up."""

    decimals: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def fit(
        cls, columns: Mapping[str, Iterable[float]], deviations: Mapping[str, Iterable[float]] = _NONE
    ) -> "Formats":
        """Choose decimals such that the column's median shows its quantity's significant digits.

        Where seeds spread, their median standard deviation shows one or two significant digits: more would be noise,
        fewer would call it 0.

        Args:
            columns: name -> values.
            deviations: name -> standard deviations over the seeds, a configuration each.
        """
        chosen = {}
        for name, values in columns.items():
            leading = _leading(values)
            digits = quantity(name).digits
            if leading is None or digits == 0:
                chosen[name] = 0
                continue
            decimals = digits - 1 - leading
            noise = _leading(deviations.get(name, ()))
            if noise is not None and noise > leading - _EXACT:
                decimals = min(max(decimals, -noise), 1 - noise)
            chosen[name] = min(max(decimals, 0), _MAX_DECIMALS)
        return cls(chosen)

    def number(self, name: str, value: float | None, *, sign: bool = False) -> str:
        """Return the value with the column's decimals, or the sign of absence."""
        if value is None:
            return ABSENT
        if math.isnan(value):
            return "NaN"
        if math.isinf(value):
            return "∞" if value > 0 else f"{_MINUS}∞"
        text = f"{value:{'+' if sign else ''},.{self.decimals.get(name, 4)}f}"
        return text.replace("-", _MINUS)

    def spread(self, name: str, of: Spread) -> str:
        """Return `mean ± standard deviation`, or the mean alone where one seed gives no spread."""
        mean = self.number(name, of.mean if of.n else None)
        what = quantity(name)
        if math.isnan(of.sd) or what.digits == 0 or (what.fixed and of.sd <= _ROUNDING * abs(of.mean)):
            return mean
        return f"{mean}{NBSP}±{NBSP}{self.number(name, of.sd)}"

    def interval(self, name: str, of: Interval, *, sign: bool = False) -> str:
        """Return `mean (low to high)`, or the mean alone where there is no interval."""
        mean = self.number(name, of.estimate if of.n else None, sign=sign)
        if not of.known:
            return mean
        return f"{mean} ({self.number(name, of.low, sign=sign)} to {self.number(name, of.high, sign=sign)})"

    def with_unit(self, name: str, of: Spread | float) -> str:
        """Return the number (or spread) with its unit."""
        text = self.spread(name, of) if isinstance(of, Spread) else self.number(name, of)
        unit = quantity(name).unit
        return f"{text}{NBSP}{unit}" if unit and text != ABSENT else text


def percent(part: float, whole: float, *, sign: bool = True) -> str:
    r"""Return how far `part` is from `whole` in percent of `whole`; "" where that says nothing.

    It says nothing of a whole that is 0, or as good as 0 beside the part.

    >>> percent(3.0, 4.0, sign=False)
    '25\xa0%'
    """
    if not (math.isfinite(part) and math.isfinite(whole)) or whole == 0:
        return ""
    change = _PERCENT_WHOLE * (part - whole) / abs(whole)
    if abs(change) >= _PERCENT_MOST:
        return ""
    change = change if sign else abs(change)
    decimals = 0 if abs(change) >= 10 else 1  # noqa: PLR2004 - two significant digits
    return f"{change:{'+' if sign else ''},.{decimals}f}".replace("-", _MINUS) + f"{NBSP}%"


def probability(p: float) -> str:
    """Return a p-value with two significant digits.

    >>> probability(0.0321), probability(1e-9)
    ('0.032', '< 0.001')
    """
    if not math.isfinite(p):
        return ABSENT
    return "< 0.001" if p < _LOWEST_P else f"{p:.2g}"


def share_text(share: float) -> str:
    r"""Return a share in percent, of a whole that is none other.

    >>> share_text(0.25)
    '25\xa0%'
    """
    if not math.isfinite(share):
        return ABSENT
    percents = _PERCENT_WHOLE * share
    decimals = 0 if abs(percents) >= 10 else 1  # noqa: PLR2004 - two significant digits
    return f"{percents:.{decimals}f}".replace("-", _MINUS) + f"{NBSP}%"


def count(number: int, noun: str, plural: str = "") -> str:
    """Return a number with its noun.

    >>> count(1, "trial"), count(2, "trial")
    ('1 trial', '2 trials')
    """
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def value_text(value: object) -> str:
    """Return an axis' value as text; what does not apply is a dash."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ABSENT
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        short = f"{value:g}"
        return short if float(short) == value else repr(value)
    if isinstance(value, str):
        return value
    if isinstance(value, (list, tuple, dict)):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)


def setting(axis: str, value: object, *, short: bool = False) -> str:
    """Return one setting in words: a name speaks for itself, a number needs its axis; `short` is for within a figure.

    >>> setting("model", "conv"), setting("latent_dim", 8)
    ('conv', 'latent size 8')
    """
    if axis in {"model", "dataset"}:
        return str(value)
    return f"{(_SHORT.get(axis) if short else None) or axis_label(axis)} {value_text(value)}"


def clean(text: str, *, lines: bool = False) -> str:
    """Return text as a page shows it: white space single, control characters and the like spelt (see `visible`).

    Args:
        text: from anywhere.
        lines: keep line breaks and tabs; they become single spaces otherwise.
    """
    return visible(text if lines else _BLANKS.sub(" ", text).strip(), lines=lines)


def shorten(text: str, limit: int) -> str:
    """Return clean text of at most `limit` characters, cut with an ellipsis."""
    text = clean(text)
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def duration(seconds: float) -> str:
    """Return seconds as people say them.

    >>> duration(95), duration(4.2), duration(7300)
    ('1 min 35 s', '4 s', '2 h 2 min')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
