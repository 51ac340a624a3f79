"""Which runs: studies, run safely, turned into tables and reports.

>>> from ablations import Study, run                                  # doctest: +SKIP
>>> run(Study.load("quick")).summary[["model", "mse_mean"]]             # doctest: +SKIP
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ablations.runner import Outcome, run
    from ablations.store import Store
    from ablations.study import Study, Trial

__all__ = ["Outcome", "Store", "Study", "Trial", "run"]

_HOMES = {"Outcome": "runner", "run": "runner", "Store": "store", "Study": "study", "Trial": "study"}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used: `vaebench --help` must not wait for pandas."""
    if name in _HOMES:
        return getattr(import_module(f"ablations.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'ablations' has no attribute '{name}'")
