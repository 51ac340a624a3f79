"""What a study file says of trials stopped early: `[stop]`."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field

from vae.errors import SpecError, unknown_name
from vae.parts import Frozen

__all__ = ["CURVES", "StopSpec", "check_stop", "rewarded"]

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


def check_stop(
    stop: StopSpec, axes: Mapping[str, Sequence[Any]], terms: Sequence[str], where: str, varied: Mapping[str, str]
) -> None:
    """Refuse rules for stopping that can't be followed, or that mislead.

    Args:
        stop: the rules.
        axes: axis -> values.
        terms: of any loss.
        where: the study, for messages.
        varied: dotted place -> axis, of those with more than one value.

    Raises:
        SpecError: rungs don't rise, share and eta are both given, a name is unknown, or the objective is what an axis
            turns up and down by itself.
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
    free = {one: axis for one, axis in varied.items() if axis not in stop.by}
    if turned := rewarded(stop.objective, free):
        remedy = f'take sse or another term, or let only trials of equal {turned} compete: by = ["dataset", "{turned}"]'
        raise SpecError(f"{place}.objective: {_why(stop.objective, turned)}: {remedy}")


def rewarded(objective: str, varied: Mapping[str, str]) -> str | None:
    """Return the axis by whose values alone an objective rises and falls, if there is one.

    The KL falls where its weight rises, to nothing where the posterior has collapsed; the loss is another sum for every
    weight. To choose by them chooses a weight, whatever the models are worth.

    Args:
        objective: a metric or a term.
        varied: dotted place -> axis, of those with more than one value.
    """
    if objective == "kl":
        return varied.get("loss.kl.weight")
    if objective == "loss":
        return next((axis for place, axis in varied.items() if place.startswith("loss.")), None)
    return None


def _why(objective: str, axis: str) -> str:
    if objective == "kl":
        return f"the KL is lowest where {axis} is highest, and nothing at all where the posterior has collapsed"
    return f"each value of {axis} makes the loss another sum, so that the lowest says nothing of the models"
