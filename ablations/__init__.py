"""Which runs: studies, run safely, turned into tables and reports.

>>> from ablations import Study, run                                  # doctest: +SKIP
>>> run(Study.load("quick")).summary[["model", "mse_mean"]]             # doctest: +SKIP
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ablations.records.record import Record
    from ablations.records.store import Store
    from ablations.runner.collect import Collected
    from ablations.runner.crew import Crew
    from ablations.runner.run import run
    from ablations.search.tune import tune
    from ablations.study.study import Study
    from ablations.study.trial import Trial

__all__ = ["Collected", "Crew", "Record", "Store", "Study", "Trial", "run", "tune"]

_HOMES = {
    "Collected": "runner.collect",
    "Crew": "runner.crew",
    "Record": "records.record",
    "Store": "records.store",
    "Study": "study.study",
    "Trial": "study.trial",
    "run": "runner.run",
    "tune": "search.tune",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used: `vaebench --help` must not wait for pandas."""
    if name in _HOMES:
        return getattr(import_module(f"ablations.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'ablations' has no attribute '{name}'")


def __dir__() -> list[str]:
    """Return the public names, those not yet imported too."""
    return sorted({*__all__, *(name for name in globals() if name.startswith("__"))})
