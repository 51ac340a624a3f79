"""What an executor is worth and what it costs: speed-up over one process, seconds it adds to a trial, and what follows.

The same trials are run by `inline`, `processes` and `ray` (a cluster of this machine's cores), each computing with one
thread. Trivial trials, one at a time, show what an executor adds to each; a simulation of a large cluster is made of
these measured seconds, not of guesses.
"""

import argparse
import heapq
import multiprocessing
import statistics
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
import psutil

from ablations import Crew, Study, run
from ablations.records.store import Store
from ablations.runner.executors._worker import warm
from ablations.runner.job import Event, Job
from ablations.runner.trial import perform
from ablations.runner.watchers import Watcher
from vae.environment import describe

Result = TypeVar("Result")

__all__ = ["Added", "Cluster", "Simulated", "main", "measure_added", "measure_alone", "measure_seconds", "simulate"]

EXECUTORS = ("inline", "processes", "ray")
LINK = 125e6  # bytes a second of the runner's network: a gigabit
TRIVIAL: dict[str, Any] = {
    "model": "dense_vae",
    "hidden_units": [8],
    "latent_dim": 2,
    "data.limit": 64,
    "data.test_limit": 32,
    "epochs": 1,
    "batch_size": 32,
}


class Added(NamedTuple):
    """What an executor does to a trivial trial.

    Attributes:
        start: seconds until the first is finished: processes, imports, tracing.
        each: seconds from one to the next after that, the median.
        driver: seconds of the runner's own processor time for each after that, the median.
        bytes: that came back for each, where they are counted.
    """

    start: float
    each: float
    driver: float
    bytes: float


@dataclass(frozen=True)
class Cluster:
    """A cluster and its work, to be simulated.

    Attributes:
        trials: in all.
        slots: trials at a time.
        seconds: that a trial takes, the mean.
        spread: of their logarithms, 0 for trials that are all alike.
        start: seconds before the first trial of a slot begins.
        added: seconds that a slot loses with each trial.
        driver: seconds that the runner, who does one thing at a time, spends on each trial.
    """

    trials: int = 10_000
    slots: int = 1_000
    seconds: float = 60.0
    spread: float = 0.5
    start: float = 10.0
    added: float = 0.1
    driver: float = 0.01


class Simulated(NamedTuple):
    """How long a cluster takes.

    Attributes:
        seconds: from the first trial to the last record.
        efficiency: the share of the slots' time that went into trials.
    """

    seconds: float
    efficiency: float


def simulate(cluster: Cluster, seed: int = 0) -> Simulated:
    """Play a run of a cluster: an event at a time, a trial's end at a slot, its record at the runner.

    A slot that ends a trial goes on with the next at once, as long as the runner has handed one over: it hands over a
    trial for each that it has put away, and begins with two for each slot.
    """
    dice = np.random.default_rng(seed)
    lengths = dice.lognormal(np.log(cluster.seconds) - cluster.spread**2 / 2, cluster.spread, cluster.trials)
    waiting = deque(lengths.tolist())
    handed: deque[tuple[float, float]] = deque()  # (when, seconds) of trials that wait in the cluster
    runner = 0.0  # when it is free
    for _ in range(min(2 * cluster.slots, cluster.trials)):
        runner += cluster.driver / 2
        handed.append((runner, waiting.popleft()))
    idle = [(cluster.start, slot) for slot in range(cluster.slots)]  # a heap: (since when, which)
    ends: list[tuple[float, int]] = []
    heapq.heapify(idle)
    last = 0.0
    while handed or ends:
        # Who is idle takes what is there, unless a trial ends before that could begin.
        begins = max(idle[0][0], handed[0][0]) if idle and handed else float("inf")
        if not ends or begins <= ends[0][0]:
            _, slot = heapq.heappop(idle)
            heapq.heappush(ends, (begins + cluster.added + handed.popleft()[1], slot))
            continue
        ended, slot = heapq.heappop(ends)
        heapq.heappush(idle, (ended, slot))
        runner = max(runner, ended) + cluster.driver
        last = max(last, runner)
        if waiting:
            handed.append((runner, waiting.popleft()))
    return Simulated(last, float(lengths.sum()) / (last * cluster.slots))


def measure_seconds(executor: str, trials: int, epochs: int, workers: int) -> float:
    """Return the seconds that an executor takes for a study of equal trials, all its starts and ends included."""
    fixed = {"dataset": "digits", "model": "conv", "epochs": epochs}
    study = Study.from_dict({"name": "executors", "fixed": fixed, "axes": {"seed": list(range(trials))}})
    with tempfile.TemporaryDirectory() as folder:
        began = time.monotonic()
        _run(study, folder, executor, workers, [])
        return time.monotonic() - began


def measure_alone(trials: int) -> float:
    """Return the seconds of a trivial trial by itself, in a process that is warm and does nothing else; the median."""
    times = []
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        store.create()
        warm(1)
        for trial in _trivial(trials).trials():
            began = time.monotonic()
            perform(Job(trial, store.root), 1)
            times.append(time.monotonic() - began)
    return statistics.median(times[1:])


def _trivial(trials: int) -> Study:
    rates = [1e-3 * (1 + number / trials) for number in range(trials)]
    return Study.from_dict({"name": "trivial", "fixed": TRIVIAL, "axes": {"learning_rate": rates}})


def measure_added(executor: str, trials: int) -> Added:
    """Return what an executor adds to trivial trials, one at a time."""
    study = _trivial(trials)
    ends: list[tuple[float, float]] = []
    with tempfile.TemporaryDirectory() as folder:
        began = time.monotonic()
        outcome = _run(study, folder, executor, 1, ends)
        files = [sum(map(len, outcome.store.files(record.trial).values())) for record in outcome.records]
    each, driver = (statistics.median(after[i] - before[i] for before, after in pairwise(ends)) for i in (0, 1))
    return Added(ends[0][0] - began, each, driver, statistics.mean(files))


class _Clock(Watcher):
    """Notes when trials end."""

    def __init__(self, ends: list[tuple[float, float]]) -> None:
        self._ends = ends

    def on_event(self, event: Event) -> None:
        if event.kind == "finished":
            self._ends.append((time.monotonic(), time.process_time()))


def _run(study: Study, folder: str, executor: str, workers: int, ends: list[tuple[float, float]]) -> Any:
    """Run a study; `ends` gains the time and this process' processor time at each trial's end."""
    crew = Crew(executor=executor, workers=workers, threads=1, memory=1e9, address="local")
    outcome = run(study, folder, crew=crew, watch=_Clock(ends))
    if outcome.failed:
        raise RuntimeError(f"{executor}: {outcome.failed[0].trial} {outcome.failed[0].reason}")
    return outcome


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, write the page, print it, and return 0."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.measure.executors", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--trials", type=int, default=8, help="of the study that is sped up (default: 8)")
    parser.add_argument("--epochs", type=int, default=60, help="of each of them (default: 60)")
    parser.add_argument("--trivial", type=int, default=25, help="trivial trials (default: 25)")
    parser.add_argument("--workers", type=int, default=psutil.cpu_count() or 1, help="at a time (default: the cores)")
    parser.add_argument("--output", type=Path, default=Path("results/reference/executors.md"), metavar="FILE")
    options = parser.parse_args(arguments)
    seconds = {
        name: _in_new_process(measure_seconds, name, options.trials, options.epochs, options.workers)
        for name in EXECUTORS
    }
    added = {name: _in_new_process(measure_added, name, options.trivial) for name in EXECUTORS}
    page = _page(seconds, added, _in_new_process(measure_alone, options.trivial), options)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(page, encoding="utf-8")
    sys.stdout.write(page)
    return 0


def _in_new_process(measure: Callable[..., Result], *arguments: Any) -> Result:
    """Measure in a new process: `inline` computes where it is called, and would find what others left behind."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(measure, *arguments).result()


def _page(seconds: dict[str, float], added: dict[str, Added], alone: float, options: argparse.Namespace) -> str:
    machine = describe()
    lines = [
        "# Executors",
        "",
        "Written by `nox -s executors`. " + f"Measured on {machine['processor']}, {machine['cores']} cores.",
        "",
        f"## {options.trials} trials, {options.workers} at a time",
        "",
        f"The convolutional VAE on the digits, {options.epochs} epochs, a thread each; starts and ends included.",
        "",
        "| executor | seconds | speed-up |",
        "|---|---|---|",
        *(f"| `{n}` | {seconds[n]:.1f} | {seconds['inline'] / seconds[n]:.2f} |" for n in EXECUTORS),
        "",
        "## A trivial trial",
        "",
        f"{options.trivial} trials of two steps each, one at a time. What an executor adds is the time from one",
        f"trial's end to the next one's, less the {alone:.3f} s that one takes in a process that does nothing else.",
        "The runner's own is its processor time for each; with `inline` that is the trial itself.",
        "",
        "| executor | first finished after, s | each after that, s | added, s | the runner's own, s | bytes |",
        "|---|---|---|---|---|---|",
        *(_row(name, added[name], alone) for name in EXECUTORS),
        "",
        "## A large cluster, simulated",
        "",
        "10,000 trials on 1,000 slots, by the seconds of `ray` above and a runner with a network of a gigabit;",
        "lengths of trials log-normal with a spread of 0.5. Efficiency is the share of the slots' time that goes into",
        "trials.",
        "",
        "| a trial takes, s | all take, min | without any overhead, min | efficiency |",
        "|---|---|---|---|",
        *(_simulated(mean, added["ray"], alone) for mean in (10, 60, 600)),
        "",
    ]
    return "\n".join(lines)


def _row(name: str, one: Added, alone: float) -> str:
    extra = one.each - alone
    return f"| `{name}` | {one.start:.1f} | {one.each:.3f} | {extra:.3f} | {one.driver:.4f} | {one.bytes:,.0f} |"


def _simulated(mean: float, one: Added, alone: float) -> str:
    driver = one.driver + one.bytes / LINK
    cluster = Cluster(seconds=mean, start=one.start, added=max(one.each - alone, 0.0), driver=driver)
    ideal = Cluster(seconds=mean, start=0, added=0, driver=0)
    real, best = simulate(cluster), simulate(ideal)
    return f"| {mean:g} | {real.seconds / 60:.1f} | {best.seconds / 60:.1f} | {real.efficiency:.0%} |"


if __name__ == "__main__":
    sys.exit(main())
