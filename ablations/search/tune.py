"""A search in place of a grid: Keras Tuner proposes, our runner trains, our store is what counts.

Each proposal's trials are trials like any other: same spec, record, store, executor and statuses. Proposals are made in
batches of a size that the study sets, so that a search is a function of the study alone, whatever the machine's speed
and number of workers. After a kill the oracle is asked again from the beginning and told what the log says, which
brings it to where it was: nothing is lost, nothing counted twice.
"""

import hashlib
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ablations.records.index import by_digest, known
from ablations.records.record import measured
from ablations.records.status import Status
from ablations.records.store import Store
from ablations.runner.collect import Collected
from ablations.runner.crew import Crew
from ablations.runner.job import Job
from ablations.runner.plan import Plan, placed
from ablations.runner.run import run
from ablations.runner.watchers import Watcher
from ablations.search.log import Proposal, Scored, SearchLog, proposed_trials, trials_of
from ablations.search.oracles import Oracle, Suggestion, require_tuner
from ablations.study.study import Study
from ablations.study.trial import Trial
from ablations.study.tune import TuneSpec
from ablations.text.columns import directed
from vae.errors import SpecError
from vae.metrics import VALIDATION
from vae.parts import canonical_json

if TYPE_CHECKING:
    from ablations.records.record import Record

__all__ = ["SearchSchedule", "check", "scalarised", "tune"]

_TCHEBYCHEFF = 0.05  # the weight of the sum beside the maximum: Knowles' rho


def tune(
    study: Study,
    results: str | Path = "results",
    *,
    crew: Crew = Crew(),
    refresh: bool = False,
    watch: Watcher | None = None,
) -> Collected:
    """Search the study's axes and write the tables of what was tried.

    Args:
        study: what to search; its `tune` says how.
        results: the folder that holds a folder for each study.
        crew: where trials run, how many at a time, with what each.
        refresh: train trials again that older code made.
        watch: told of the trials of each batch that are to be trained, and of everything that happens to them.

    Raises:
        SpecError: Keras Tuner is not installed, the study can't be searched, or the executor can't work here.
        DataError: a data set is missing or can't be read; nothing was trained.
        VaebenchError: the results folder can't be written, another runner holds it, or no worker can start.
    """
    check(study)
    schedule = SearchSchedule(study, Store(Path(results) / study.folder_name))
    return run(study, results, crew=crew, refresh=refresh, watch=watch, schedule=schedule)


def check(study: Study) -> None:
    """Look whether the study can be searched here, before anything starts.

    Raises:
        SpecError: Keras Tuner is not installed, or the study has rows beside its axes or nothing to choose from.
    """
    require_tuner()
    if study.file.include:
        raise SpecError(
            f"{study.where}: include: a search has no grid to add rows to. Take it out, or use `vaebench run`"
        )
    if not [axis for axis, values in study.axes.items() if axis != "seed" and len(values) > 1]:
        raise SpecError(f"{study.where}: axes: got no axis with two values or a range: there is nothing to search")


@dataclass(frozen=True)
class SearchSchedule:
    """What a study's search proposes, batch by batch."""

    study: Study
    store: Store

    def trials(self) -> Sequence[Trial]:
        """Return the trials proposed so far."""
        return proposed_trials(self.study, self.store)

    def ahead(self, plan: Plan) -> Iterable[Trial]:  # noqa: ARG002 - any of the study's data sets may be asked for
        """Return the trials of the study's values, the ends of its ranges among them."""
        return self.study.trials()

    def waves(self, plan: Plan, commit: str | None) -> Iterator[Sequence[Job]]:
        """Yield the trials of each batch of proposals."""
        yield from _Search(self.study, self.store, {trial.name for trial in plan.missing}).waves(commit)


class _Search:
    """One search, from its beginning or from where its log ends."""

    def __init__(self, study: Study, store: Store, again: set[str]) -> None:
        self._study, self._store, self._again = study, store, again
        self._tune = study.tune or TuneSpec()
        self._log = SearchLog(store.search, study)
        self._log.begin({"tuner": self._tune.tuner, "keras_tuner": version("keras-tuner")})
        axes = {axis: values for axis, values in study.axes.items() if axis != "seed"}
        epochs = max(trial.spec.train.epochs for trial in study.trials())
        self._oracle = Oracle(self._tune, axes, study.ranges, epochs)
        self._found = by_digest(known(store))  # what is there already, under whatever name
        self._seen: set[str] = set()  # trials of the proposals told so far

    def waves(self, commit: str | None) -> Iterator[list[Job]]:
        number = batch = 0
        while proposals := self._batch(batch, number):
            if jobs := self._jobs(proposals, commit):
                yield jobs
            for proposal in proposals:
                self._tell(proposal)
            number += len(proposals)
            batch += 1
        self._store.clear_shared()

    def _batch(self, batch: int, number: int) -> list[Proposal]:
        """Ask for the proposals of a batch; those in the log are asked for as well, so that the oracle knows them."""
        logged = [one for one in self._log.proposals if one.batch == batch]
        closed = any(one.number in self._log.results for one in logged)
        most = number + (len(logged) if closed else self._tune.parallel)
        if not closed and self._tune.most is not None:
            most = max(min(most, self._tune.most), number + len(logged))
        found: list[Proposal] = []
        while number < most and (proposal := self._proposal(batch, number, logged[len(found) :], last=not closed)):
            found.append(proposal)
            number += 1
        return found

    def _proposal(self, batch: int, number: int, logged: Sequence[Proposal], *, last: bool) -> Proposal | None:
        if self._tune.pareto:
            self._oracle.weigh(scalarised(self._known(), self._tune, number))
        suggestion = self._oracle.ask(number, logged[0].values if logged else None, last=last)
        if suggestion is None:
            if logged:
                raise SpecError(
                    f"{self._store.search}: proposal {number} can't be made again by Keras Tuner "
                    f"{version('keras-tuner')}. Install the version that the file names, or move the file away to "
                    "begin the search anew; finished trials are used again"
                )
            return None
        proposal = _read(suggestion, batch, number)
        if not logged:
            self._log.propose(proposal)
            return proposal
        if logged[0] != proposal:  # another version of Keras Tuner, or of a library that it computes with
            self._oracle.force(number, logged[0].values)
        return logged[0]

    def _known(self) -> dict[int, Mapping[str, float]]:
        """Return the metrics of the proposals that have them."""
        return {number: one.metrics for number, one in self._log.results.items() if one.status == Status.DONE}

    def _jobs(self, proposals: Sequence[Proposal], commit: str | None) -> list[Job]:
        jobs: dict[str, Job] = {}
        for proposal in proposals:
            result = self._log.results.get(proposal.number)
            if (result is not None and result.status != Status.DONE) or self._lost(proposal):
                continue
            for trial in self._trials(proposal):
                if not self._store.is_done(trial.name, self._again):
                    jobs[trial.name] = Job(trial, self._store.root, commit, shared=self._shared(trial))
        return list(jobs.values())

    def _shared(self, trial: Trial) -> str | None:
        """Return the workspace that a configuration's rungs share, where a longer training may go on from a shorter."""
        if self._tune.tuner != "hyperband" or any(term.scheduled for term in trial.spec.loss.values()):
            return None
        settings = trial.spec.settings()
        del settings["train"]["epochs"]
        return self._store.shared_workspace(hashlib.sha256(canonical_json(settings).encode()).hexdigest()[:16])

    def _lost(self, proposal: Proposal) -> bool:
        """Tell whether what a proposal goes on from has failed."""
        parent = self._log.results.get(-1 if proposal.parent is None else proposal.parent)
        return parent is not None and parent.status != Status.DONE

    def _trials(self, proposal: Proposal) -> list[Trial]:
        try:
            return [placed(trial, self._found) for trial in trials_of(self._study, proposal)]
        except SpecError:
            return []  # `_result` says why

    def _tell(self, proposal: Proposal) -> None:
        result = self._log.results.get(proposal.number)
        if result is None:
            result = self._result(proposal)
            self._log.score(result)
        self._seen |= set(result.trials)
        score = 0.0 if self._tune.pareto else result.score  # a front's are weighed before each proposal
        self._oracle.tell(proposal.number, score if result.status == Status.DONE else None)

    def _result(self, proposal: Proposal) -> Scored:
        if self._lost(proposal):
            return Scored(
                proposal.number,
                status=Status.FAILED,
                reason=f"proposal {proposal.parent}, from which it goes on, failed",
            )
        try:
            names = tuple(placed(trial, self._found).name for trial in trials_of(self._study, proposal))
        except SpecError as error:
            return Scored(proposal.number, status=Status.REFUSED, reason=str(error))
        empty = Scored(proposal.number, trials=names, repeats=set(names) <= self._seen)
        found: dict[str, list[float]] = {name: [] for name in self._tune.names}
        for trial in names:
            record = self._store.read(trial)
            if record is None or record.status != Status.DONE:
                return replace(
                    empty,
                    status=record.status if record else Status.INTERRUPTED,
                    reason=f"{trial}: {record.reason if record else 'no record'}",
                )
            for name, values in found.items():
                value = _finite(record, name)
                if value is None:
                    return replace(empty, status=Status.FAILED, reason=f"{trial}: {name} is no finite number")
                values.append(value)
        metrics = {name: math.fsum(values) / len(values) for name, values in found.items()}
        return replace(empty, metrics=metrics, score=_score(metrics, self._tune))


def _finite(record: "Record", name: str) -> float | None:
    """Return a number of a trial, on the validation images where it has it of these; None where it is not finite."""
    numbers = measured(record)
    value = numbers.get(f"{VALIDATION}{name}", numbers.get(name))
    return value if value is not None and math.isfinite(value) else None


def _score(metrics: Mapping[str, float], spec: TuneSpec) -> float | None:
    """Return the number that is to be low; None for a front, of whose points none has a rank by itself."""
    if spec.pareto:
        return None
    weights = spec.objective if isinstance(spec.objective, dict) else dict.fromkeys(spec.names, 1.0)
    return math.fsum(weight * directed(name) * metrics[name] for name, weight in weights.items())


def scalarised(known: Mapping[int, Mapping[str, float]], spec: TuneSpec, number: int) -> dict[int, float]:
    """Return one score for each known point of two metrics, weighed at random for proposal `number`.

    The augmented Tchebycheff norm of ParEGO (Knowles, 2006): max_i w_i f_i + 0.05 sum_i w_i f_i, where f_i is the
    metric on the scale from its best to its worst so far.

    >>> two = {0: {"sse": 1.0, "kl": 9.0}, 1: {"sse": 2.0, "kl": 3.0}}
    >>> sorted(scalarised(two, TuneSpec(objective=("sse", "kl")), 2))
    [0, 1]
    """
    if not known:
        return {}
    costs = np.array([[directed(name) * metrics[name] for name in spec.names] for metrics in known.values()])
    low, high = costs.min(axis=0), costs.max(axis=0)
    scaled = (costs - low) / np.where(high > low, high - low, 1.0)
    share = np.random.default_rng([spec.seed, number]).uniform()
    weighted = scaled * np.array([share, 1 - share])
    scores = weighted.max(axis=1) + _TCHEBYCHEFF * weighted.sum(axis=1)
    return {place: float(score) for place, score in zip(known, scores, strict=True)}


def _read(suggestion: Suggestion, batch: int, number: int) -> Proposal:
    """Take hyperband's own entries apart from the axes."""
    values = {axis: value for axis, value in suggestion.items() if not axis.startswith("tuner/")}
    own = {name: suggestion.get(f"tuner/{name}") for name in ("epochs", "bracket", "round", "trial_id")}
    return Proposal(number, batch, values, own["epochs"], own["bracket"], own["round"], own["trial_id"])
