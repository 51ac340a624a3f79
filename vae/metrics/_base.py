"""What a metric is: a column's name, label and direction, and how it is computed of an outcome."""

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, TypedDict, Unpack

import numpy as np
from numpy.typing import NDArray
from pydantic import create_model

from vae.errors import AbsentError, MetricError
from vae.outcome import Outcome
from vae.parts import Frozen
from vae.registry import Registry
from vae.signature import fields_of
from vae.sources import Source

__all__ = [
    "METRICS",
    "VALIDATION",
    "Array",
    "Asked",
    "Column",
    "Expense",
    "Metric",
    "groups",
    "metric",
    "usual_metrics",
]

Array = NDArray[np.floating]
Direction = Literal["lower", "higher", "neither"]
Expense = Literal["low", "high"]

VALIDATION = "val_"
"""Begins the name of the column that holds a metric on the validation images, beside the one on test images."""


@dataclass(frozen=True)
class Metric:
    """One measured quantity.

    Attributes:
        name: the column in the table.
        label: as figures and reports print it.
        compute: per-image values (n,), one number, or None where it does not apply.
        short: the label within a sentence; "" for the label itself.
        unit: "" where there is none.
        better: which way is an improvement.
        digits: significant digits in print; 0 prints whole numbers.
        fixed: computed from settings or data alone, so that seeds do not move it.
        order: the column's place in a table, the lowest first; None puts it after all others, by alphabet.
        expense: `low` where it is measured of every trial unless a study says otherwise; `high` where a study has to
            ask for it.
        group: a name by which a study asks for several at once, such as `generation`; "" for none.
    """

    name: str
    label: str
    compute: Callable[..., Array | float | None]
    short: str = ""
    unit: str = ""
    better: Direction = "neither"
    digits: int = 4
    fixed: bool = False
    order: int | None = None
    expense: Expense = "low"
    group: str = ""

    @cached_property
    def options(self) -> type[Frozen]:
        """The settings that a study may give: the function's arguments beside the outcome, each with its default.

        Raises:
            SpecError: an argument has no default.
        """
        fields: dict[str, Any] = fields_of(self.compute, (next(iter(inspect.signature(self.compute).parameters), ""),))
        return create_model(f"{self.name}_settings", __base__=Frozen, **fields)

    def measure(self, outcome: Outcome, settings: Mapping[str, Any] | None = None) -> float | None:
        """Return the mean over images, summed in float64, or the one number; None where it does not apply.

        Raises:
            SpecError: a setting is unknown or out of range.
            MetricError: it gave something that is neither numbers nor None.
        """
        options = self.options.parse(settings or {}, f"evaluate.{self.name}")
        try:
            values = self.compute(outcome, **dict(options))
        except AbsentError:
            return None
        if values is None:
            return None
        numbers = np.asarray(values)
        if numbers.dtype.kind not in "biuf" or not numbers.size:
            raise MetricError(
                f"the metric '{self.name}' gave {numbers.dtype} of shape {numbers.shape}, expected a number, one for "
                "each image, or None"
            )
        return float(np.mean(numbers, dtype=np.float64))


class Column(TypedDict, total=False):
    """What a metric says of its column besides name and label; see `Metric`."""

    short: str
    unit: str
    better: Direction
    digits: int
    fixed: bool
    order: int
    expense: Expense
    group: str


class Asked(TypedDict):
    """What metrics of a group have in common."""

    expense: Expense
    group: str


METRICS: Registry[Metric] = Registry("metric", "vae.metrics")


def metric(name: str, label: str, **column: Unpack[Column]) -> Callable[[Callable[..., Array | float | None]], Metric]:
    """Register the decorated function `(outcome, **settings)` as the metric `name`, with what `Metric` says of it.

    Per-image values (n,) are averaged; one number is taken as it is; None says that the metric does not apply. Its
    arguments beside the outcome, each with a default, are settings: `[evaluate.NAME]` in a study.
    """

    def wrap(compute: Callable[..., Array | float | None]) -> Metric:
        return METRICS.register(name)(Metric(name, label, compute, **column))

    return wrap


def usual_metrics(sources: Iterable[Source] = ()) -> dict[str, dict[str, Any]]:
    """Return the metrics that are measured where nobody says which: those of low expense, without settings.

    Args:
        sources: the plugins whose metrics are among them, beside those of the package and of installed distributions.
    """
    modules = {source.module for source in sources}
    return {
        name: {}
        for name, metric in METRICS.items()
        if metric.expense == "low" and (METRICS.place(name).door != "plugin" or METRICS.place(name).module in modules)
    }


def groups() -> dict[str, list[str]]:
    """Return group -> the metrics that are asked for by it."""
    found: dict[str, list[str]] = {}
    for name, one in METRICS.items():
        if one.group:
            found.setdefault(one.group, []).append(name)
    return found
