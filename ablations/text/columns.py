"""What each column of a table is: its label, unit and direction. A metric says so itself; the others say it here."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from functools import lru_cache

from vae.metrics import METRICS, VALIDATION, Metric

__all__ = [
    "ERROR",
    "FLOOR",
    "MAIN",
    "Quantity",
    "axis_label",
    "directed",
    "in_tables",
    "known_quantities",
    "order",
    "quantity",
    "tell",
]

FLOOR = "pca_mse"
ERROR = "mse"
"""The error of reconstruction as such: of it the floor is one, and from it follows the KL weight that would be best."""

MAIN = (ERROR, "ssim", "knn_accuracy")
"""The metrics that a report answers by where its study names none, the one that "best" means first."""


@dataclass(frozen=True)
class Quantity:
    """One column of numbers.

    Attributes:
        name: the column in the table.
        label: as reports and figures print it.
        unit: "" where there is none.
        better: lower, higher or neither.
        digits: significant digits in print; 0 prints whole numbers.
        fixed: computed from settings or data alone, so that seeds do not move it.
        short: the label within a sentence; "" for the label itself.
    """

    name: str
    label: str
    unit: str = ""
    better: str = "neither"
    digits: int = 4
    fixed: bool = False
    short: str = ""

    @property
    def heading(self) -> str:
        """The label with the unit, for an axis or a column."""
        return f"{self.label} ({self.unit})" if self.unit else self.label

    @property
    def word(self) -> str:
        """The label within a sentence."""
        return self.short or self.label

    @property
    def best(self) -> str:
        """What the best value is: highest or lowest."""
        return "highest" if self.better == "higher" else "lowest"


_OTHERS = {
    known.name: known
    for known in (
        Quantity("parameters", "parameters", digits=0, fixed=True),
        Quantity("flops_per_image", "FLOPs per image", digits=0, fixed=True),
        Quantity("train_seconds", "training time", "s", "lower", 3),
        Quantity("first_step_seconds", "first step", "s", "lower", 3),
        Quantity("seconds_per_epoch", "time per epoch", "s", "lower", 3),
        Quantity("images_per_second", "throughput", "images/s", "higher", 0),
        Quantity("eval_seconds", "evaluation time", "s", "lower", 3),
        Quantity("cpu_seconds", "processor time", "s", "lower", 3),
        Quantity("peak_rss_mb", "peak memory", "MB", "lower", 0),
    )
}
_AXES = {
    "dataset": "data set",
    "latent_dim": "latent size",
    "kl_weight": "KL weight",
    "ssim_weight": "SSIM weight",
    "batch_size": "batch size",
    "learning_rate": "learning rate",
}


_TOLD: dict[str, Quantity] = {}


def tell(columns: Iterable[Quantity]) -> None:
    """Take what results say of their own columns, whose metrics are not loaded here."""
    _TOLD.update({one.name: one for one in columns})


def quantity(name: str) -> Quantity:
    """Describe the column `name`; an unknown one keeps its name, without a unit or a direction.

    >>> quantity("my_new_score").label
    'my new score'
    """
    if name in METRICS:
        return _of(METRICS[name])
    if found := _OTHERS.get(name) or _TOLD.get(name):
        return found
    if name.startswith(VALIDATION) and len(name) > len(VALIDATION):
        of = quantity(name.removeprefix(VALIDATION))
        return replace(of, name=name, label=f"{of.label} (validation)", short=f"validation {of.word}")
    return _unknown(name)


@lru_cache(maxsize=512)
def _of(metric: Metric) -> Quantity:
    return Quantity(metric.name, metric.label, metric.unit, metric.better, metric.digits, metric.fixed, metric.short)


@lru_cache(maxsize=512)
def _unknown(name: str) -> Quantity:
    return Quantity(name, _spoken(name))


def directed(name: str) -> float:
    """Return 1 for a metric that is better low, -1 for one that is better high; one without a direction is kept low."""
    return -1.0 if quantity(name).better == "higher" else 1.0


def known_quantities() -> list[str]:
    """Return the names of all columns that a trial of any study has: metrics, those of plugins too, and timings."""
    return order({*METRICS, *_OTHERS})


def axis_label(name: str) -> str:
    """Return an axis' name as words.

    >>> axis_label("latent_dim")
    'latent size'
    """
    return _AXES.get(name) or _spoken(name)


def order(names: set[str]) -> list[str]:
    """Return column names in the order of print: metrics that have a place, timings, then the others by alphabet."""
    places = {name: METRICS[name].order for name in names if name in METRICS}
    first = sorted((place, name) for name, place in places.items() if place is not None)
    placed = [*(name for _, name in first), *(name for name in _OTHERS if name in names)]
    return placed + sorted(names.difference(placed))


def in_tables(names: Iterable[str], metrics: Collection[str]) -> list[str]:
    """Return the columns of a report's tables: all but validation columns of metrics that nothing is chosen by."""
    return [name for name in names if not name.startswith(VALIDATION) or name.removeprefix(VALIDATION) in metrics]


def _spoken(name: str) -> str:
    return name.replace("_", " ").replace(".", " ").strip() or name
