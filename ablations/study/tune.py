"""What a study file says of a search (`[tune]`, axes that are ranges) and of trials stopped early (`[stop]`)."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import Field

from ablations.study.ranges import Range
from ablations.study.stop import rewarded
from ablations.text.columns import known_quantities, quantity
from vae.errors import SpecError, unknown_name
from vae.metrics import METRICS
from vae.parts import Frozen

__all__ = ["TuneSpec", "check_tune"]

SMOKE_TRIALS = 4

Objective = str | tuple[str, ...] | dict[str, float]


class TuneSpec(Frozen):
    """How `vaebench tune` searches.

    Attributes:
        tuner: which of Keras Tuner's oracles proposes: `random`; `bayesian`, a Gaussian process with an upper
            confidence bound; `hyperband` (Li et al., 2018), whose rungs are epochs; `grid`.
        objective: a metric, in its own direction; a table of metrics with weights, whose sum counts; or a list of two,
            of which the Pareto front is looked for by random weights (ParEGO: Knowles, 2006).
        trials: how many configurations are proposed; None for all that the tuner has: of a grid, or of one round of
            hyperband's brackets. `random` and `bayesian` have no end, and take 20.
        seed: of the proposals.
        parallel: how many are proposed before the first of them is scored. It belongs to the search rather than to the
            machine, so that a study gives the same search anywhere.
        factor: of hyperband: one in so many goes on to so many times the epochs.
    """

    tuner: Literal["random", "bayesian", "hyperband", "grid"] = "bayesian"
    objective: Objective = "sse"
    trials: int | None = Field(None, ge=1)
    seed: int = Field(0, ge=0, lt=2**32)
    parallel: int = Field(4, ge=1)
    factor: int = Field(3, ge=2)

    @property
    def names(self) -> tuple[str, ...]:
        """The metrics that are looked at."""
        return (self.objective,) if isinstance(self.objective, str) else tuple(self.objective)

    @property
    def pareto(self) -> bool:
        """Whether a front is looked for."""
        return isinstance(self.objective, tuple)

    def shrunk(self) -> "TuneSpec":
        """Return the same search of a few proposals, for a smoke run."""
        return self.model_copy(update={"trials": min(self.trials or SMOKE_TRIALS, SMOKE_TRIALS), "parallel": 2})

    @property
    def most(self) -> int | None:
        """How many configurations are proposed at most; None for as many as the tuner has."""
        return self.trials or (20 if self.tuner in {"random", "bayesian"} else None)


def check_tune(
    tune: TuneSpec,
    axes: Mapping[str, Sequence[Any]],
    ranges: Mapping[str, Range],
    where: str,
    varied: Mapping[str, str],
) -> None:
    """Refuse a search that can't be made, or that misleads.

    Args:
        tune: the search.
        axes: axis -> values.
        ranges: those that are ranges.
        where: the study, for messages.
        varied: dotted place -> axis, of those with more than one value.

    Raises:
        SpecError: a metric is unknown or has no direction, or an axis does not go with the tuner.
    """
    known = known_quantities()
    for name in tune.names:
        if name not in known:
            raise SpecError(f"{where}: tune.objective: {unknown_name('metric', name, known)}{METRICS.failures()}")
    if tune.pareto and len(set(tune.names)) != 2:  # noqa: PLR2004 - a front is drawn in a plane
        raise SpecError(f"{where}: tune.objective: got {list(tune.names)}, expected a metric, two of them, or a table")
    if isinstance(tune.objective, str) and quantity(tune.objective).better == "neither":
        raise SpecError(
            f"{where}: tune.objective: {tune.objective} is neither better low nor high. Give it a weight, which is "
            f"kept low where it is above 0: objective = {{ {tune.objective} = 1.0 }}"
        )
    if isinstance(tune.objective, dict) and not any(tune.objective.values()):
        raise SpecError(f"{where}: tune.objective: got no weight other than 0, expected one at least")
    counted = tune.objective if isinstance(tune.objective, dict) else dict.fromkeys(tune.names, 1.0)
    wanted = [name for name, weight in counted.items() if weight]
    if wanted == ["kl"] and (axis := rewarded("kl", varied)):
        raise SpecError(
            f"{where}: tune.objective: the KL is lowest where {axis} is highest, and nothing at all where the "
            "posterior has collapsed: give it with another metric, { sse = 1.0, kl = 0.01 }, or take elbo"
        )
    if tune.tuner == "grid":
        endless = [axis for axis, one in ranges.items() if not one.size]
        if endless:
            raise SpecError(
                f"{where}: axes.{endless[0]}: a grid needs a list, or a range with a step. Give it a step, or take "
                "another tuner"
            )
    if tune.tuner == "hyperband" and {"epochs", "train.epochs"} & set(axes):
        raise SpecError(
            f"{where}: axes.epochs: hyperband chooses the epochs itself, up to fixed.train.epochs. Take the axis out, "
            "or take another tuner"
        )
