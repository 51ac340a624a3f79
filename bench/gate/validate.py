"""The gate's own quality: how often it cries wolf, and how often it finds a slowdown of 10 %.

The command is `python -m bench.gate.validate`.

One commit is compared with itself in fresh processes, as the gate does it, confirming run and all. Beside each training
step the head's processes time it once more with a planted slowdown: after each call they spend 10 % of its time busily.
"""

import argparse
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
from rich.markup import escape
from scipy import stats

from bench._table import percent, terminal
from bench.gate import saved as _saved
from bench.gate import verdict
from bench.gate._fleet import ROLES, Effort, Measured, counted, measure
from bench.gate._revision import ROOT, Trees, resolve, side_by_side
from bench.gate._signals import stoppable
from bench.gate.counters import PLANTS
from bench.gate.limits import Limits, chosen, describe
from vae.errors import VaebenchError

__all__ = ["Tally", "main", "once", "validate"]

REFUSED, INTERRUPTED = 2, 130
SLOW = 0.10
ALARMS, FOUND = 0.01, 0.95  # what the gate promises
SLOWED = "step-*"
LEFT_OUT = {"report", "evaluate-conv-fashion_mnist"}  # whose calls take too long
_PLAIN, _PLANTED = (0, 1, 2), (3, 1, 2)  # the roles that play head, base and control

Say = Callable[[str], None]


@dataclass
class Tally:
    """What came of comparing a commit with itself.

    Attributes:
        plain: verdicts without a change: anything but unchanged or inconclusive is a false alarm.
        planted: verdicts with the slowdown: anything but regressed has missed it.
        faults: fault in a counter -> whether it was found.
        details: a row a comparison: name, whether planted, verdict, ratio, smallest.
    """

    plain: list[str] = field(default_factory=list)
    planted: list[str] = field(default_factory=list)
    faults: dict[str, bool] = field(default_factory=dict)
    details: list[dict[str, Any]] = field(default_factory=list)

    @property
    def alarms(self) -> int:
        """How many comparisons without a change were called regressed or improved."""
        return sum(outcome in {"regressed", "improved"} for outcome in self.plain)

    @property
    def found(self) -> int:
        """How many planted slowdowns were called regressed."""
        return self.planted.count("regressed")

    @property
    def kept(self) -> bool:
        """Whether the gate keeps what it promises."""
        enough = self.found >= FOUND * len(self.planted) and self.alarms <= ALARMS * len(self.plain)
        return enough and all(self.faults.values())

    def lines(self) -> list[str]:
        """Return the findings in words, with exact 95 % intervals (Clopper and Pearson, 1934)."""
        told = [
            f"false alarms: {_share(self.alarms, len(self.plain))} of comparisons without a change",
            f"found: {_share(self.found, len(self.planted))} of training steps slowed by {SLOW:.0%}",
        ]
        told += [f"planted {fault}: {'found' if found else 'MISSED'}" for fault, found in self.faults.items()]
        return told


def _share(count: int, total: int) -> str:
    if not total:
        return "0 of 0"
    interval = stats.binomtest(count, total).proportion_ci(method="exact")
    return f"{count} of {total} ({count / total:.1%}; {interval.low:.1%} to {interval.high:.1%})"


def once(trees: Trees, names: Sequence[str], slowed: Sequence[str], effort: Effort, say: Say) -> list[dict[str, Any]]:
    """Run the gate once on two equal trees, and return a row a comparison.

    Args:
        trees: the same code on both sides.
        names: the benchmarks.
        slowed: those of them that are also judged with a planted slowdown.
        effort: how much is measured.
        say: is told what goes on.

    Raises:
        VaebenchError: a process died, or a benchmark does not work.
    """
    limits = Limits()
    first = _working(measure(trees, names, replace(effort, slow=dict.fromkeys(slowed, SLOW)), say))
    changes = _changes(first.times)
    suspects = sorted({name for (name, _), one in changes.items() if verdict.suspicious(one, limits.threshold)})
    again: dict[tuple[str, bool], verdict.Change] = {}
    if suspects:
        say(f"confirming {len(suspects)} benchmarks in fresh processes")
        twice = {name: SLOW for name in suspects if name in slowed}
        second = _working(measure(trees, suspects, replace(effort, rounds=limits.confirm, slow=twice), say))
        level = verdict.confirming_level(len(names))
        again = _changes(second.times, confidence=level, earlier=changes)
    rows = []
    for (name, planted), change in changes.items():
        judged = verdict.judge(
            change,
            again.get((name, planted)),
            threshold=limits.threshold,
            resolution=limits.resolution,
        )
        rows.append(_detail(name, judged, planted=planted))
    return rows


def _working(measured: Measured) -> Measured:
    for name, lacking in measured.lacking.items():
        raise VaebenchError(f"benchmark '{name}' does not work: {lacking.reason}")
    return measured


def _changes(
    times: Mapping[str, verdict.Array],
    *,
    confidence: float = verdict.CONFIDENCE,
    earlier: Mapping[tuple[str, bool], verdict.Change] | None = None,
) -> dict[tuple[str, bool], verdict.Change]:
    """Return (benchmark, planted) -> change; planted where the slowed head was timed too."""
    found = {}
    for name, seconds in times.items():
        for planted, roles in ((False, _PLAIN), (True, _PLANTED)):
            if max(roles) < seconds.shape[-1]:
                before = earlier[name, planted] if earlier else None
                found[name, planted] = verdict.compare(seconds[..., roles], confidence=confidence, earlier=before)
    return found


def _detail(name: str, judged: verdict.Judged, *, planted: bool) -> dict[str, Any]:
    changes = {"ratio": judged.change.estimate, "smallest": judged.change.smallest, "control": judged.change.control}
    if judged.confirmation:
        changes["again"] = judged.confirmation.estimate
    ratios = {key: round(float(np.exp(value)), 5) for key, value in changes.items()}
    # What one round's ratio varies by: the noise that docs/speed.md simulates.
    spread = round(judged.change.error * len(judged.change.residuals) ** 0.5 / 2**0.5, 5)
    return {"name": name, "planted": planted, "verdict": judged.outcome, **ratios, "round_sd": spread}


def validate(trees: Trees, names: Sequence[str], runs: int, effort: Effort, say: Say) -> Tally:
    """Run the gate `runs` times on two equal trees, and look for planted faults in the counters.

    Raises:
        VaebenchError: a process died, or a benchmark does not work.
    """
    slowed = [name for name in chosen([SLOWED]) if name in names]
    tally = Tally()
    sound = _numbers(counted(trees, ROLES[1:2])["base"])
    for fault in PLANTS:
        found = _numbers(counted(trees, ROLES[:1], fault)["head"])
        tally.faults[fault] = any(row[-1] == "regressed" for row in verdict.exact(found, sound))
    for run in range(runs):
        began = time.monotonic()
        rows = once(trees, names, slowed, effort, say)
        tally.details += rows
        tally.plain += [row["verdict"] for row in rows if not row["planted"]]
        tally.planted += [row["verdict"] for row in rows if row["planted"]]
        say(f"run {run + 1} of {runs} took {time.monotonic() - began:.0f} s; so far " + "; ".join(tally.lines()))
    return tally


def _numbers(counters: dict[str, int] | str) -> dict[str, int]:
    if isinstance(counters, str):
        raise VaebenchError(f"the counters can't be taken: {counters}")
    return counters


def main(arguments: Sequence[str] | None = None) -> int:
    """Validate from a command line: 0 the gate keeps its promise, 1 it does not, 2 bad usage."""
    parser = argparse.ArgumentParser(prog="bench.gate.validate", description="How good is the regression gate?")
    parser.add_argument(
        "--runs", type=int, default=4, help="runs of the gate (default: 4: 120 comparisons, 40 slowed steps)"
    )
    parser.add_argument("--rounds", type=int, default=Effort.rounds, help="as of the gate (default: %(default)s)")
    parser.add_argument("--blocks", type=int, default=Effort.blocks, help="as of the gate (default: %(default)s)")
    parser.add_argument(
        "--milliseconds", type=float, default=1000 * Effort.seconds, help="of a timing (default: %(default)g)"
    )
    parser.add_argument("--base", metavar="REV", default="HEAD", help="the commit (default: HEAD)")
    parser.add_argument("--only", nargs="+", default=[], metavar="PATTERN", help="benchmarks, such as 'step-*'")
    options = parser.parse_args(arguments)
    console = terminal()

    def say(text: str) -> None:
        console.print(f"[dim]{escape(text)}[/]")

    effort = Effort(options.rounds, options.blocks, options.milliseconds / 1000)
    try:
        names = chosen(options.only) if options.only else [name for name in chosen(["*"]) if name not in LEFT_OUT]
        commit = resolve(ROOT, options.base)
        with stoppable(), side_by_side(ROOT, commit, same=True) as trees:
            machine = describe(trees, effort.threads)
            tally = validate(trees, names, options.runs, effort, say)
    except VaebenchError as error:
        console.print(f"[bold red]validate:[/] {escape(str(error))}")
        return REFUSED
    except KeyboardInterrupt:
        console.print("validate: stopped; nothing is kept")
        return INTERRUPTED
    for row in tally.details:
        wrong = row["verdict"] != "regressed" if row["planted"] else row["verdict"] in {"regressed", "improved"}
        if wrong:
            kind = "slowed" if row["planted"] else "unchanged"
            console.print(f"{row['name']}, {kind}: {row['verdict']}, {percent(row['ratio'])}")
    for line in tally.lines():
        console.print(line)
    when = datetime.now(UTC).isoformat(timespec="seconds")
    run = {"when": when, "head": str(commit), "machine": machine, **asdict(tally)}
    path = _saved.keep(run, _saved.VALIDATION)
    console.print(f"kept in {escape(str(path.relative_to(ROOT)))}")
    return int(not tally.kept)


if __name__ == "__main__":
    sys.exit(main())
