"""Which runs: studies, run safely, turned into tables and reports.

>>> from ablations import Study, run                                  # doctest: +SKIP
>>> run(Study.load("quick")).summary[["model", "mse_mean"]]             # doctest: +SKIP
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ablations.records.store import Store
    from ablations.runner.collect import Collected
    from ablations.runner.crew import Crew
    from ablations.runner.run import run
    from ablations.study.study import Study
    from ablations.study.trial import Trial

__all__ = ["Collected", "Crew", "Store", "Study", "Trial", "run"]

_HOMES = {
    "Collected": "runner.collect",
    "Crew": "runner.crew",
    "Store": "records.store",
    "Study": "study.study",
    "Trial": "study.trial",
    "run": "runner.run",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used: `vaebench --help` must not wait for pandas."""
    if name in _HOMES:
        return getattr(import_module(f"ablations.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'ablations' has no attribute '{name}'")
