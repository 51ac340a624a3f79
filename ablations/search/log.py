"""The log of a search: what was proposed and how it scored, so that a search killed at any moment goes on.

`search.jsonl` has three kinds of lines: `begun`, with the identity of the search; `proposed`, with the trial's number,
batch, values and trials; `scored`, with what came of it. The last `begun` of the same identity counts, and all that
belongs to other searches in the same folder is passed over: their trials stay in the store, and are used again.
"""

import hashlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from ablations.records.files import append, lines
from ablations.records.shapes import Count, DamagedError, Number, Text, Value, shaped
from ablations.records.status import Status
from ablations.records.store import Store
from ablations.runner.plan import Plan, closed_plan, make_plan, recorded
from ablations.study.closed import ClosedStudy
from ablations.study.study import Study
from ablations.study.trial import Trial
from ablations.study.tune import TuneSpec
from vae.errors import SpecError
from vae.parts import canonical_json

__all__ = ["Proposal", "Scored", "SearchLog", "identity", "proposed_trials", "recorded_plan", "trials_of"]


@dataclass(frozen=True)
class Proposal:
    """One configuration that the tuner asked for.

    Attributes:
        number: from 0, in the order of the proposals.
        batch: from 0; the proposals of one are made before any of them is scored.
        values: axis -> value, without the seed.
        epochs: that hyperband gives it; None with other tuners, where the study says.
        bracket: of hyperband, and `round` within it.
        round: from 0.
        parent: the number of the proposal that it goes on from.
    """

    number: Count
    batch: Count
    values: Mapping[Text, Value]
    epochs: Annotated[Count, Field(ge=1)] | None = None
    bracket: Count | None = None
    round: Count | None = None
    parent: Count | None = None


@dataclass(frozen=True)
class Scored:
    """What came of a proposal.

    Attributes:
        number: of the proposal.
        metrics: each objective's mean over the seeds; empty where a seed is not done.
        status: `done`, or what kept it from being done, and `reason`.
        reason: why it is not done.
        score: the number that the tuner was told, lower is better; None where there is none, and for a front, whose
            weights change from proposal to proposal.
        trials: names of its trials, a seed each; none where the settings don't go together.
        repeats: whether an earlier proposal was the same.
    """

    number: Count
    metrics: Mapping[Text, Number] = field(default_factory=dict)
    status: Status = Status.DONE
    reason: Text | None = None
    score: Number | None = None
    trials: tuple[Text, ...] = ()
    repeats: bool = False


def identity(study: Study | ClosedStudy) -> str:
    """Return what makes two searches one: the space, the tuner, the objective; how many trials it takes is not part."""
    tune = (study.tune or TuneSpec()).settings()
    del tune["trials"]
    said = {
        "axes": {axis: list(values) for axis, values in study.axes.items()},
        "ranges": {axis: asdict(one) for axis, one in study.ranges.items()},
        "fixed": dict(study.fixed),
        "rules": [list(map(dict, study.file.exclude)), [one.settings() for one in study.file.override]],
        "tune": tune,
    }
    return hashlib.sha256(canonical_json(said).encode()).hexdigest()


class SearchLog:
    """The log at `path`, of one study's search.

    A line that is of another version, or that speaks of what the study doesn't have, is passed over: what it stood for
    is proposed, or scored, again.

    Args:
        path: the file.
        study: what is searched.
    """

    def __init__(self, path: Path, study: Study | ClosedStudy) -> None:
        """Read what there is."""
        self._path, self._study, self._search = path, study, identity(study)
        self.proposals: list[Proposal] = []
        self.results: dict[int, Scored] = {}
        self.begun = False
        for line in lines(path):
            self._take(line)

    def _take(self, line: dict[str, Any]) -> None:
        event = line.pop("event", None)
        if event == "begun":
            self.begun = line.get("search") == self._search
            return
        if not self.begun:
            return
        with suppress(DamagedError):
            if event == "proposed":
                proposal: Proposal = shaped(Proposal, line)
                if proposal.number == len(self.proposals) and self._has(proposal):
                    self.proposals.append(proposal)
            elif event == "scored":
                result: Scored = shaped(Scored, line)
                if result.number not in self.results and self._measures(result):
                    self.results[result.number] = result

    def _has(self, proposal: Proposal) -> bool:
        """Tell whether a proposal is of the study's axes and values, and goes on from an earlier one if from any."""
        axes = {axis: values for axis, values in self._study.axes.items() if axis != "seed"}
        if proposal.values.keys() != axes.keys() or (proposal.parent or 0) > proposal.number:
            return False
        return all(
            self._study.ranges[axis].holds(value) if axis in self._study.ranges else value in axes[axis]
            for axis, value in proposal.values.items()
        )

    def _measures(self, result: Scored) -> bool:
        """Tell whether a result has the numbers that the search is about, if it has any."""
        names = (self._study.tune or TuneSpec()).names
        return result.status != Status.DONE or all(name in result.metrics for name in names)

    def begin(self, facts: Mapping[str, Any]) -> None:
        """Note the beginning of a search, unless it is the one that the log ends with."""
        if not self.begun:
            append(self._path, {"event": "begun", "search": self._search, **facts})
            self.begun = True

    def propose(self, proposal: Proposal) -> None:
        """Note a proposal."""
        append(self._path, {"event": "proposed", **asdict(proposal)})
        self.proposals.append(proposal)

    def score(self, result: Scored) -> None:
        """Note what came of a proposal."""
        append(self._path, {"event": "scored", **asdict(result)})
        self.results[result.number] = result


def trials_of(study: Study, proposal: Proposal) -> list[Trial]:
    """Return a proposal's trials, one a seed of the study's axis.

    Raises:
        SpecError: a rule of the study leaves it out, or its settings don't go together.
    """
    found = []
    for seed in study.axes["seed"]:
        row = {**proposal.values, "seed": seed}
        if reason := study.excluded(row):
            raise SpecError(f"left out {reason}")
        length = {} if proposal.epochs is None else {"epochs": proposal.epochs}
        found.append(study.trial({**proposal.values, **length, "seed": seed}))
    return found


def recorded_plan(study: Study | ClosedStudy, store: Store) -> Plan:
    """Return what a folder holds of a study, for who reads its results: of its grid, and of what its search proposed.

    Data sets that are no longer there are done without.
    """
    if isinstance(study, ClosedStudy):
        return closed_plan(store)
    proposed = recorded(proposed_trials(study, store), store)
    if study.ranges:
        return make_plan(study, store, proposed)
    trials = recorded(list(study.trials()), store)
    if proposed:
        there = set(store.names())
        both = [*proposed, *(trial for trial in trials if trial.name in there)]
        trials = list({trial.name: trial for trial in both}.values())
    return make_plan(study, store, trials)


def proposed_trials(study: Study, store: Store) -> list[Trial]:
    """Return the trials that the study's search has proposed so far, equal ones once."""
    unique: dict[str, Trial] = {}
    for proposal in SearchLog(store.search, study).proposals:
        try:
            found = trials_of(study, proposal)
        except SpecError:
            continue  # the log says so, and nothing was trained
        for trial in found:
            unique.setdefault(canonical_json(trial.spec.settings()), trial)
    return list(unique.values())
