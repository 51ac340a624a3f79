"""What each column of a table is: its label, unit and direction; metrics are asked of their registry."""

from dataclasses import dataclass, replace
from functools import lru_cache

from vae.metrics import METRICS

__all__ = ["FLOOR", "MAIN", "Quantity", "axis_label", "known_quantities", "order", "quantity"]

FLOOR = "pca_mse"
MAIN = ("mse", "ssim", "knn_accuracy")
"""The metrics by which a study's question is answered, in words and in curves."""


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
    """

    name: str
    label: str
    unit: str = ""
    better: str = "neither"
    digits: int = 4
    fixed: bool = False

    @property
    def heading(self) -> str:
        """The label with the unit, for an axis or a column."""
        return f"{self.label} ({self.unit})" if self.unit else self.label


_KNOWN = {
    known.name: known
    for known in (
        Quantity("mse", "MSE", better="lower"),
        Quantity("sse", "squared error per image", better="lower"),
        Quantity("psnr", "PSNR", "dB", "higher", 3),
        Quantity("ssim", "SSIM", better="higher"),
        Quantity("kl", "KL", "nats", digits=3),
        Quantity("active_units", "active units", digits=3),
        Quantity("knn_accuracy", "kNN accuracy", better="higher"),
        Quantity(FLOOR, "PCA floor (MSE)", fixed=True),
        Quantity("sigma", "implied \N{GREEK SMALL LETTER SIGMA}", digits=3, fixed=True),
        Quantity("posterior_scale", "posterior scale", digits=3),
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


@lru_cache(maxsize=512)
def quantity(name: str) -> Quantity:
    """Describe the column `name`; an unknown one keeps its name, without a unit or a direction.

    >>> quantity("my_new_score").label
    'my new score'
    """
    known = _KNOWN.get(name)
    if name in METRICS:
        metric = METRICS[name]
        if known is None:
            return Quantity(name, metric.label, metric.unit, metric.better)
        if known.fixed:
            return known
        return replace(known, label=metric.label, unit=metric.unit, better=metric.better)
    return known or Quantity(name, _spoken(name))


def known_quantities() -> list[str]:
    """Return the names of all columns that a trial of any study has: metrics, those of plugins too, and timings."""
    return list(dict.fromkeys([*_KNOWN, *METRICS]))


def axis_label(name: str) -> str:
    """Return an axis' name as words.

    >>> axis_label("latent_dim")
    'latent size'
    """
    return _AXES.get(name) or _spoken(name)


def order(names: set[str]) -> list[str]:
    """Return column names in the order of print: the known ones first, then the others by alphabet."""
    return [name for name in _KNOWN if name in names] + sorted(names - set(_KNOWN))


def _spoken(name: str) -> str:
    return name.replace("_", " ").replace(".", " ").strip() or name
