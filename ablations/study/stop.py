"""What a study file says of trials stopped early: `[stop]`."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field

from vae.errors import SpecError, unknown_name
from vae.parts import Frozen

__all__ = ["CURVES", "StopSpec", "check_stop"]

CURVES = {"sse": "reconstruction", "mse": "reconstruction"}
"""Objective of `[stop]` -> the term whose curve on held-out images it is read from; any other names its term itself."""


class StopSpec(Frozen):
    """When trials of a grid are stopped early: successive halving (Jamieson and Talwalkar, 2016).

    Attributes:
        rungs: epochs after which configurations are compared.
        eta: the best one in so many go on.
        keep: the share that goes on, in place of `eta`.
        objective: `sse`, or a term of the loss; after the epoch, on the held-out images of the curves.
        by: axes within whose values configurations compete: across data sets, errors say nothing.
    """

    rungs: tuple[int, ...] = Field(min_length=1)
    eta: float | None = Field(None, gt=1)
    keep: float | None = Field(None, gt=0, lt=1)
    objective: str = "sse"
    by: tuple[str, ...] = ("dataset",)

    @property
    def share(self) -> float:
        """The share of configurations that goes on from a rung: a third, where nothing is said."""
        return self.keep or 1 / (self.eta or 3.0)

    @property
    def column(self) -> str:
        """The column of history.csv that is compared; its terms are all better low."""
        return f"val_{CURVES.get(self.objective, self.objective)}"


def check_stop(stop: StopSpec, axes: Mapping[str, Sequence[Any]], terms: Sequence[str], where: str) -> None:
    """Refuse rules for stopping that can't be followed.

    Raises:
        SpecError: rungs don't rise, share and eta are both given, or a name is unknown.
    """
    place = f"{where}: stop"
    if min(stop.rungs) < 1 or list(stop.rungs) != sorted(set(stop.rungs)):
        raise SpecError(
            f"{place}.rungs: got {list(stop.rungs)}, expected rising epochs of at least 1, such as [1, 3, 9]"
        )
    if stop.eta is not None and stop.keep is not None:
        raise SpecError(
            f"{place}: got eta = {stop.eta:g} and keep = {stop.keep:g}, which say the same: keep one of the two"
        )
    known = [*CURVES, "loss", *terms]
    if stop.objective not in known:
        raise SpecError(f"{place}.objective: {unknown_name('curve', stop.objective, known)}")
    for axis in stop.by:
        if axis not in axes and axis != "dataset":
            raise SpecError(f"{place}.by: {unknown_name('axis', axis, [*axes, 'dataset'])}")
