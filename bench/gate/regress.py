"""The regression gate: is the working tree slower than a commit? `nox -s regress -- --base REV`.

Exit codes: 0 nothing regressed; 1 something did, or no longer works; 2 bad usage.
"""

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.markup import escape

from bench._table import show, terminal
from bench.cases import CASES
from bench.gate import saved as _saved
from bench.gate import verdict
from bench.gate._fleet import Effort, Measured, counted, measure
from bench.gate._revision import ROOT, Revision, Trees, resolve, side_by_side, working
from bench.gate._signals import stoppable
from bench.gate.limits import Limits, chosen, describe
from vae.errors import VaebenchError

__all__ = ["Report", "confirmed", "main", "regress", "row"]

REFUSED, INTERRUPTED = 2, 130
MEMORY = 0.10  # more peak memory than this is warned of
Say = Callable[[str], None]


@dataclass
class Report:
    """The outcome of a run of the gate.

    Attributes:
        head: and `base`: the revisions, as people read them.
        machine: what it ran on.
        rows: benchmark -> verdict and what it rests on; see `row`.
        counters: (name, base, head, verdict).
        memory: head's peak memory relative to the base's, 1 for the same; None where it was not measured.
        notes: what else is worth knowing.
    """

    head: str
    base: str
    machine: dict[str, Any]
    rows: dict[str, dict[str, Any]] = field(default_factory=dict)
    counters: Sequence[tuple[str, int | None, int | None, str]] = ()
    memory: float | None = None
    notes: list[str] = field(default_factory=list)
    when: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))

    @property
    def failed(self) -> bool:
        """Whether anything regressed or broke."""
        verdicts = [row["verdict"] for row in self.rows.values()] + [row[-1] for row in self.counters]
        return any(verdict in {"regressed", "broken"} for verdict in verdicts)


def regress(  # noqa: PLR0913 - the two sides, what, how much, what counts, to whom it is told
    root: Path, base: Revision, names: Sequence[str], effort: Effort, limits: Limits, say: Say, *, count: bool = True
) -> Report:
    """Compare the working tree under `root` with the commit `base`.

    Args:
        root: a clone.
        base: the commit.
        names: benchmarks, of the working tree.
        effort: how much is measured.
        limits: what counts.
        say: is told what goes on.
        count: whether the exact counters are compared as well, which takes half a minute.

    Raises:
        VaebenchError: a process died, or git refused.
    """
    head = working(root)
    with side_by_side(root, base) as trees:
        say(f"base {base}, head {head}")
        report = Report(str(head), str(base), describe(trees, effort.threads))
        if count:
            say("counters: parameters, FLOPs, traces, graph operations, checkpoint bytes")
            _compare_counters(report, counted(trees))
        first = measure(trees, names, effort, say)
        changes = {name: verdict.compare(times) for name, times in first.times.items()}
        again = confirmed(trees, changes, effort, limits, say)
    for name, lacking in first.lacking.items():
        report.rows[name] = {"verdict": "broken" if lacking.role == "head" else "new", "reason": lacking.reason}
    for name, change in changes.items():
        judged = verdict.judge(change, again.get(name), threshold=limits.threshold, resolution=limits.resolution)
        report.rows[name] = row(judged, first.times[name])
    report.memory = _memory(first)
    return report


def confirmed(
    trees: Trees, changes: Mapping[str, verdict.Change], effort: Effort, limits: Limits, say: Say
) -> dict[str, verdict.Change]:
    """Measure again, in fresh processes, the benchmarks that look changed."""
    names = [name for name, change in changes.items() if verdict.suspicious(change, limits.threshold)]
    if not names:
        return {}
    say(f"confirming in fresh processes: {', '.join(names)}")
    second = measure(trees, names, replace(effort, rounds=limits.confirm), say)
    level = verdict.confirming_level(len(changes))
    return {
        name: verdict.compare(times, confidence=level, earlier=changes[name]) for name, times in second.times.items()
    }


def row(judged: verdict.Judged, times: verdict.Array) -> dict[str, Any]:
    """Return a verdict as plain values: `head` and `base` in seconds, changes as ratios (1.1 is 10 % slower)."""
    medians = np.median(times, axis=(0, 1))
    numbers: dict[str, Any] = {
        "verdict": judged.outcome,
        "head": float(medians[verdict.HEAD]),
        "base": float(medians[verdict.BASE]),
        **_ratios(judged.change),
        "smallest": float(np.expm1(judged.change.smallest)),
    }
    if judged.confirmation:
        numbers["confirmation"] = _ratios(judged.confirmation)
    return numbers | {"seconds": np.round(times, 9).tolist()}


def _ratios(change: verdict.Change) -> dict[str, float]:
    found = asdict(change)
    return {
        {"estimate": "ratio"}.get(name, name): float(np.exp(found[name]))
        for name in ("estimate", "low", "high", "control")
    }


def _compare_counters(report: Report, found: Mapping[str, dict[str, int] | str]) -> None:
    head, base = found["head"], found["base"]
    if isinstance(head, str):
        raise VaebenchError(f"the counters can't be taken: {head}")
    if isinstance(base, str):
        report.notes.append(f"the base's counters can't be taken, so there is nothing to compare: {base}")
        base = {}
    report.counters = verdict.exact(head, base)


def _memory(measured: Measured) -> float | None:
    peaks = {role: np.median(values) for role, values in measured.peaks.items() if values}
    if not {"head", "base"} <= peaks.keys():
        return None
    return float(peaks["head"] / peaks["base"])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bench.gate.regress", description="Is the working tree slower than a commit?")
    parser.add_argument("--base", metavar="REV", help="the commit to compare with: a branch, a tag, a hash, HEAD~1")
    parser.add_argument("--only", metavar="NAME", action="append", default=[], help="a benchmark, or a pattern; repeat")
    parser.add_argument(
        "--rounds", type=int, default=Effort.rounds, help="fresh processes a side (default: %(default)s)"
    )
    parser.add_argument("--blocks", type=int, default=Effort.blocks, help="blocks in a round (default: %(default)s)")
    parser.add_argument(
        "--milliseconds", type=float, default=1000 * Effort.seconds, help="of a timing (default: %(default)s)"
    )
    parser.add_argument("--threads", type=int, default=1, help="threads of each process (default: %(default)s)")
    parser.add_argument("--threshold", type=float, default=3, metavar="PERCENT", help="ignore less (default: 3)")
    parser.add_argument("--no-counters", action="store_true", help="time only")
    parser.add_argument(
        "--validate", action="store_true", help="measure the gate itself instead; see bench.gate.validate"
    )
    parser.add_argument("--list", action="store_true", help="list the benchmarks; a star marks what the gate runs")
    return parser


def _effort(parser: argparse.ArgumentParser, options: argparse.Namespace) -> Effort:
    """Return what the options ask for, or refuse them."""
    if options.base is None:
        parser.error("--base REV is missing: the commit to compare with, such as main or HEAD~1")
    if options.rounds < 2 or options.rounds * options.blocks < 10 or options.threads < 1:  # noqa: PLR2004
        parser.error("--rounds, --blocks, --threads: expected at least 2 rounds, 10 blocks in total, and 1 thread")
    if options.milliseconds <= 0 or options.threshold < 0:
        parser.error("--milliseconds, --threshold: expected a positive number")
    return Effort(options.rounds, options.blocks, options.milliseconds / 1000, options.threads)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the gate from a command line."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if "--validate" in words:
        from bench.gate import validate

        return validate.main([word for word in words if word != "--validate"])
    parser = _parser()
    options = parser.parse_args(words)
    console = terminal()
    if options.list:
        for name, case in CASES.items():
            console.print(f"{'*' if case.gate else ' '} {name}  [dim]{case.group}[/]")
        return 0

    def say(text: str) -> None:
        console.print(f"[dim]{escape(text)}[/]")

    effort, limits = _effort(parser, options), Limits(threshold=options.threshold / 100)
    try:
        with stoppable():
            names, base = chosen(options.only), resolve(ROOT, options.base)
            report = regress(ROOT, base, names, effort, limits, say, count=not options.no_counters)
    except VaebenchError as error:
        Console(stderr=True, highlight=False, soft_wrap=True).print(f"[bold red]regress:[/] {escape(str(error))}")
        return REFUSED
    except KeyboardInterrupt:
        console.print("regress: stopped; nothing is kept")
        return INTERRUPTED
    path = _saved.keep(asdict(report))
    _tell(console, report)
    console.print(f"kept in {escape(str(path.relative_to(ROOT)))}; all runs over time: nox -s history")
    return int(report.failed)


def _tell(console: Console, report: Report) -> None:
    show(console, report.rows, report.counters)
    if report.memory is not None:
        warning = " [bold yellow](warning: more than 10 %)[/]" if report.memory > 1 + MEMORY else ""
        console.print(f"peak memory: {report.memory:.2f} times the base's{warning}")
    for note in report.notes:
        console.print(escape(note))


if __name__ == "__main__":
    sys.exit(main())
