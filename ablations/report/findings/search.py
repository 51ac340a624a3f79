"""What a search found, in words."""

import math
from collections.abc import Iterator

from ablations.report.findings._base import Known, Statement, finding
from ablations.search.found import RANGE_CHOICES, Entry, Search
from ablations.text.columns import quantity
from ablations.text.numbers import Formats, clean, count, duration

__all__ = ["search"]


@finding("search", order=10, heading="The search")
def search(known: Known) -> Iterator[Statement]:
    """Say what was found, what it cost, and what a grid would have cost."""
    if known.search is None:
        return
    if not known.search.scored:
        yield Statement("No result", "No proposal has a score, so that nothing can be said.")
        return
    yield _found(known.search)
    yield _cost(known.search)
    yield from _matters(known.search)


def _found(search: Search) -> Statement:
    fit = {name: [entry.result.metrics[name] for entry in search.scored] for name in search.tune.names}
    formats = Formats.fit(fit)

    def told(entry: Entry) -> str:
        metrics = entry.result.metrics
        numbers = [f"{quantity(name).label} {formats.with_unit(name, metrics[name])}" for name in search.tune.names]
        return f"{search.label(entry)} ({', '.join(numbers)})"

    if search.validated:
        bias = "Scores are of the validation images: what the best gives on test images stands with each data set."
    else:
        bias = "Scores are of the test images, by which the choice was made: expect somewhat worse on others."
    if search.tune.pareto:
        members = "; ".join(told(entry) for entry in search.front)
        return Statement("Pareto front", f"{count(len(search.front), 'configuration')}: {members}. {bias}")
    best = search.best
    return Statement("Best found", f"{told(best)}, proposal {best.proposal.number + 1}. {bias}" if best else bias)


def _cost(search: Search) -> Statement:
    failed = sum(not entry.scored for entry in search.entries)
    repeats = sum(entry.result.repeats for entry in search.entries)
    seconds = math.fsum(entry.seconds for entry in search.entries)
    epochs = count(sum(entry.trained for entry in search.entries), "epoch")
    made = (
        f"{count(len(search.entries), 'proposal')} by {search.tune.tuner}, {count(failed, 'failure')}, "
        f"{count(repeats, 'repetition')}: {epochs}, {duration(seconds)} of training and evaluation."
    )
    grid = search.grid
    time = ""
    if math.isfinite(grid.seconds):
        time = f", about {duration(grid.seconds)} by the mean of the trials of full length"
    coarse = f" (with {RANGE_CHOICES} values of {' and '.join(grid.coarse)})" if grid.coarse else ""
    return Statement("Cost", f"{made} A grid over the same choices{coarse} has {count(grid.trials, 'trial')}{time}.")


def _matters(search: Search) -> Iterator[Statement]:
    found = search.importance
    if isinstance(found, str):
        return
    ranked = sorted(found.drops, key=lambda axis: -found.drops[axis])
    told = ", ".join(f"{clean(axis)} {found.drops[axis]:.2f}" for axis in ranked)
    weak = " That is too low to trust the order." if found.r2 < 0.3 else ""  # noqa: PLR2004 - most of it unexplained
    text = (
        f"Drop of a random forest's R² when an axis is shuffled: {told}. Its R² on proposals it had not seen is "
        f"{found.r2:.2f} ({found.n} proposals).{weak}"
    )
    yield Statement("What matters", text)
