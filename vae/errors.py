"""What can go wrong, by kind: the command line turns the kind into an exit code, the runner into a status."""

from collections.abc import Iterable
from difflib import get_close_matches

__all__ = [
    "REMEDY",
    "AbsentError",
    "DataError",
    "DivergedError",
    "MetricError",
    "PluginError",
    "SpecError",
    "VaebenchError",
    "unknown_name",
]


REMEDY = "Lower train.learning_rate, or set train.clip_norm (1 is a common choice)"
"""Of a training that left the finite numbers."""

LISTED = 20  # names that a message lists although it knows a near one


class VaebenchError(Exception):
    """Base of every error that vaebench raises on purpose; its text is written for the user."""


class SpecError(VaebenchError):
    """A study or a run is described wrongly: nothing was started."""


class PluginError(SpecError):
    """A part of the user's own can't be loaded, or breaks its contract; the text begins with its file and line."""


class AbsentError(VaebenchError):
    """Something is asked for that this outcome doesn't have, such as codes of a model without a latent space."""


class MetricError(VaebenchError):
    """A metric gave what is no measurement."""


class DataError(VaebenchError):
    """A data set is missing, damaged, or not what it says it is."""


class DivergedError(VaebenchError):
    """Training left the finite numbers."""


def unknown_name(kind: str, got: str, known: Iterable[str]) -> str:
    """Say that a name is not known, and which known one is nearest.

    >>> unknown_name("network", "cnov", ["conv", "dense"])
    "unknown network 'cnov': did you mean 'conv'? Known: conv, dense"
    """
    names = sorted(known)
    near = get_close_matches(got, names, n=1, cutoff=0.5)
    hint = f" did you mean '{near[0]}'?" if near else ""
    known = f" Known: {', '.join(names) or 'none'}" if not near or len(names) <= LISTED else ""
    return f"unknown {kind} '{got}':{hint}{known}"
