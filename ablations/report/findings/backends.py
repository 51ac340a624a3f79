"""Which means are taken over trials of several backends."""

from collections.abc import Iterator

from ablations.analysis.surroundings import mixed
from ablations.report.findings._base import Known, Statement, finding
from ablations.text.numbers import count

__all__ = ["backends"]


@finding("backends", order=15)
def backends(known: Known) -> Iterator[Statement]:
    """Name the configurations whose trials were trained by more than one of Keras' backends."""
    told = {known.grid.label(one): several for one in known.configurations if (several := mixed(one.trials))}
    if not told:
        return
    label, several = next(iter(told.items()))
    more = f", and {count(len(told) - 1, 'configuration')} more" if len(told) > 1 else ""
    yield Statement(
        "Several backends",
        f"Means are taken over trials of several backends: {label} ({several}){more}. One seed gives each backend "
        "other initial weights and other noise, and each takes its own time: train the study with one of them, in "
        "another folder (--results).",
    )
