"""Keras Tuner's oracles, asked for proposals: never the ledger, and with their traps worked round.

What is worked round, each with a test: a seed of 0 counts as none; neighbouring seeds draw from overlapping streams; a
score that is not a number ends the trial silently, and too many of them the search; hyperband waits for ever for trials
that failed; a grid is proposed one by one; the bracket of a promoted trial is misnamed; lists of booleans, of lists, or
of several types are refused or changed; and an oracle that is reloaded from its files has lost what was under way. Ours
is never reloaded: it is asked the same questions again and told the same answers, which brings it to the same state.
"""

import hashlib
import json
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from importlib import import_module
from typing import Any

from ablations.runner.extras import require
from ablations.study.ranges import Range
from ablations.study.tune import TuneSpec

__all__ = ["Oracle", "Suggestion", "require_tuner"]

_SCORE = "score"
_ENDLESS = 1_000_000  # iterations of hyperband; the number of trials ends it
_RESTARTS = 50  # points from which the Bayesian oracle climbs
_FAILED = 1e300  # a score that loses against any other, to those who rank alone

Suggestion = dict[str, Any]
"""Axis -> value, and with hyperband `tuner/epochs`, `tuner/bracket`, `tuner/round` and `tuner/trial_id`."""


def require_tuner() -> None:
    """Look whether Keras Tuner is there.

    Raises:
        SpecError: it is not installed.
    """
    require("keras_tuner", "tune", "`vaebench tune`")


class Oracle:
    """One of Keras Tuner's oracles, told of scores that are better low.

    Args:
        tune: which, and its settings.
        axes: axis -> values, without the seed; both ends of a range.
        ranges: the axes that are ranges.
        epochs: of a full training, for hyperband.
    """

    def __init__(
        self, tune: TuneSpec, axes: Mapping[str, Sequence[Any]], ranges: Mapping[str, Range], epochs: int
    ) -> None:
        """Build the space and the oracle."""
        require_tuner()
        self._tune, self._ranges = tune, ranges
        self._codes = {axis: _codes(values) for axis, values in axes.items() if axis not in ranges}
        self._ids: dict[int, str] = {}  # number -> Keras Tuner's name
        self._brackets: dict[str, int] = {}
        self._told: dict[str, float | None] = {}
        with _quiet():
            keras_tuner = import_module("keras_tuner")
            space = keras_tuner.HyperParameters()
            for axis in axes:
                _add(space, axis, ranges.get(axis), self._codes.get(axis, ()))
            self._oracle = _build(keras_tuner, tune, space, epochs)
        # It writes its own files after each step; ours is the log, and there is one of it.
        self._oracle.save = lambda: None
        self._oracle._save_trial = lambda trial: None  # noqa: ARG005, SLF001 - no public way to keep it off the disk
        self._oracle.verbose = 0

    def ask(self, number: int, known: Mapping[str, Any] | None = None, *, last: bool = True) -> Suggestion | None:
        """Return the values of proposal `number`; None where there is none before others are told, or none at all.

        Args:
            number: from 0, in order.
            known: what the answer was when it was asked for before. It is not worked out again where that takes
                seconds, as a model of the scores does.
            last: whether more of its batch may be asked for that are not known.
        """
        if known is not None and self._tune.tuner == "bayesian":
            self._oracle.populate_space = partial(self._recall, dict(known), last)
        try:
            with _quiet():
                trial = self._oracle.create_trial(str(number))
        finally:
            self._oracle.__dict__.pop("populate_space", None)
        if trial.status != "RUNNING":
            return None
        self._ids[number] = trial.trial_id
        if self._tune.tuner == "grid":  # else it thinks of the next combination only when this one has ended
            self._oracle._populate_next.append(trial.trial_id)  # noqa: SLF001 - as it does itself with the first trial
        # In the oracle as well: what it learns from is then what was trained, and the same after a resume.
        trial.hyperparameters.values |= {
            axis: of.tidy(trial.hyperparameters.values[axis]) for axis, of in self._ranges.items()
        }
        found = dict(trial.hyperparameters.values)
        parent = found.get("tuner/trial_id")
        if "tuner/bracket" in found:
            # A promoted trial is of its parent's bracket, whatever bracket is being filled meanwhile.
            self._brackets[trial.trial_id] = self._brackets.get(str(parent), int(found["tuner/bracket"]))
            found["tuner/bracket"] = self._brackets[trial.trial_id]
        numbers = {identity: known for known, identity in self._ids.items()}
        parts: Suggestion = {key: value for key, value in found.items() if key.startswith("tuner/")}
        if parent is not None:
            parts["tuner/trial_id"] = numbers[parent]
        return {axis: self._value(axis, value) for axis, value in found.items() if axis not in parts} | parts

    def _recall(self, known: Mapping[str, Any], last: bool, trial_id: str) -> dict[str, Any]:
        """Answer for the Bayesian oracle what is known that it answered, and leave it in the state that it had then.

        What it depends on later are its random numbers, and within a batch its model, by which it guesses the scores of
        those under way.
        """
        oracle = self._oracle
        space = oracle._nonfixed_space()  # noqa: SLF001 - there is no public way to tell what has been drawn
        done = sum(trial.status == "COMPLETED" for trial in oracle.trials.values())
        if done < max(3 * len(oracle.hyperparameters.space), 3):  # these are drawn, and worked out in no time
            return type(oracle).populate_space(oracle, trial_id)  # type: ignore[no-any-return]
        if last:
            oracle.gpr.fit(*oracle._vectorize_trials())  # noqa: SLF001
        oracle._random_state.uniform(size=(_RESTARTS, len(space)))  # noqa: SLF001
        return {"status": "RUNNING", "values": {axis: self._code(axis, value) for axis, value in known.items()}}

    def _code(self, axis: str, value: Any) -> Any:
        if axis not in self._codes:
            return value
        text = json.dumps(value)
        return next(code for one, code in self._codes[axis] if json.dumps(one) == text)

    def _value(self, axis: str, code: Any) -> Any:
        if axis not in self._codes:
            return code
        return next(value for value, known in self._codes[axis] if known == code)

    def force(self, number: int, values: Mapping[str, Any]) -> None:
        """Put other values in the place of those proposed: what a log says holds, whatever the oracle says today."""
        trial = self._oracle.trials[self._ids[number]]
        trial.hyperparameters.values |= {axis: self._code(axis, value) for axis, value in values.items()}

    def tell(self, number: int, score: float | None) -> None:
        """Tell the score of a proposal, lower is better; None where there is none, because it failed.

        Those who rank alone are told of a failure as of the worst of all scores; a model of the scores, which that
        would spoil, as of the worst so far, and of nothing while there is none.
        """
        identity = self._ids[number]
        known = [one for one in self._told.values() if one is not None]
        self._told[identity] = score
        value = score
        if value is None:
            value = _FAILED if self._tune.tuner == "hyperband" else max(known, default=None)
        trial = self._oracle.trials[identity]
        with _quiet():
            if value is None:
                trial.status, trial.message = "FAILED", "no score"
            else:
                self._oracle.update_trial(identity, {_SCORE: value})
                trial.status = "COMPLETED"
            self._oracle.end_trial(trial)

    def weigh(self, scores: Mapping[int, float]) -> None:
        """Replace the scores of proposals told before: those of a front are weighed anew for each proposal."""
        names = {self._ids[number]: score for number, score in scores.items() if self._ids.get(number) in self._told}
        for identity, trial in self._oracle.trials.items():
            if identity in names:
                trial.score = names[identity]
            elif trial.status == "COMPLETED" and self._tune.tuner != "hyperband":
                trial.score = max(names.values(), default=trial.score)  # it failed: the worst there is


def _build(keras_tuner: Any, tune: TuneSpec, space: Any, epochs: int) -> Any:
    oracles = keras_tuner.oracles
    shared = {
        "objective": keras_tuner.Objective(_SCORE, "min"),
        "hyperparameters": space,
        "seed": _seed(tune.seed),
        "max_consecutive_failed_trials": _ENDLESS,
        "allow_new_entries": False,
    }
    if tune.tuner == "hyperband":
        rounds = _ENDLESS if tune.trials else 1
        return oracles.HyperbandOracle(max_epochs=epochs, factor=tune.factor, hyperband_iterations=rounds, **shared)
    kinds = {
        "random": oracles.RandomSearchOracle,
        "bayesian": oracles.BayesianOptimizationOracle,
        "grid": oracles.GridSearchOracle,
    }
    return kinds[tune.tuner](max_trials=None, **shared)


def _seed(seed: int) -> int:
    """Return a seed that is never 0, which would count as none, and far from its neighbours'.

    A random value is drawn from `seed`, the next from `seed + 1`, so that two searches with neighbouring seeds would
    draw nearly the same values.
    """
    return int.from_bytes(hashlib.sha256(f"search {seed}".encode()).digest()[:4], "big") % (2**32 - 2) + 1


def _codes(values: Sequence[Any]) -> list[tuple[Any, Any]]:
    """Return (value, what stands for it) where Keras Tuner takes numbers of one type, or text.

    >>> _codes([2, 8]), _codes([[4], True])
    ([(2, 2), (8, 8)], [([4], '[4]'), (True, 'true')])
    """
    plain = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
    if plain and len({float(value) for value in values}) == len(values):
        kinds = {type(value) for value in values}
        return [(value, value if len(kinds) == 1 else float(value)) for value in values]
    return [(value, json.dumps(value)) for value in values]


def _add(space: Any, axis: str, of: Range | None, codes: Sequence[tuple[Any, Any]]) -> None:
    if of is None:
        space.Choice(axis, [code for _, code in codes])
    elif of.step is not None:
        space.Choice(axis, of.choices())  # Keras Tuner's own steps lose the last value to rounding
    else:
        sampling = "log" if of.log else "linear"
        kind = space.Int if of.whole else space.Float
        kind(axis, of.low, of.high, step=of.step, sampling=sampling)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep back the warnings of calls that Keras Tuner makes and Python no longer likes, and compute in one thread.

    Its matrices are small: several threads take five times as long, and sum in an order that depends on their number.
    """
    with warnings.catch_warnings(), _one_thread():
        warnings.simplefilter("ignore")
        yield


def _one_thread() -> AbstractContextManager[Any]:
    try:
        return import_module("threadpoolctl").threadpool_limits(1)  # type: ignore[no-any-return]
    except ImportError:
        return nullcontext()  # then Keras Tuner itself is missing, or found by other means than our extra
