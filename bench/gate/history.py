"""The history page: every benchmark over the revisions it was run at, from the stored runs. `nox -s history`."""

import argparse
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from ablations.report.drawn import Drawn as Drawing
from ablations.report.page import templates
from ablations.report.style import GREY, PALETTE, new_figure, styled
from bench._table import percent, seconds
from bench.gate.saved import GATE, HISTORY, SAVED, gate_runs, saved_runs
from vae.files import write_atomically

__all__ = ["Point", "Series", "collect", "main", "page"]

SHOWN = 40  # of the newest runs of a benchmark: more labels than that can't be read


@dataclass(frozen=True)
class Point:
    """One benchmark's time in one run.

    Attributes:
        when: ISO 8601.
        revision: short hash.
        middle: median seconds.
        low: and `high`: quartiles where they are known, else the median again.
        verdict: the gate's, if it gave one.
    """

    when: str
    revision: str
    middle: float
    low: float
    high: float
    verdict: str = ""


@dataclass(frozen=True)
class Series:
    """A benchmark on a machine over the runs, oldest first.

    Attributes:
        machine: its key.
        source: `bench` (full size, pytest-benchmark) or `gate` (small size); their times are not comparable.
        name: the benchmark.
        points: the runs.
    """

    machine: str
    source: str
    name: str
    points: tuple[Point, ...]

    @property
    def change(self) -> str:
        """The newest time against the one before it, in words."""
        if len(self.points) < 2:  # noqa: PLR2004 - a change needs two
            return "first run"
        return percent(self.points[-1].middle / self.points[-2].middle)

    @property
    def latest(self) -> str:
        """The newest time, in words."""
        return seconds(self.points[-1].middle)


def collect(saved: Path = SAVED, gate: Path = GATE) -> list[Series]:
    """Return every benchmark's series from the stored runs."""
    found: dict[tuple[str, str, str], list[Point]] = {}
    for run in saved_runs(saved):
        commit = run.get("commit_info", {})
        revision = str(commit.get("id", ""))[:10] + ("+" if commit.get("dirty") else "")
        for bench in run.get("benchmarks", ()):
            numbers = bench["stats"]
            point = Point(run["datetime"], revision, numbers["median"], numbers["q1"], numbers["q3"])
            # test_metric[metric-ssim] is the case metric-ssim; a test without a case keeps its name.
            name = bench["name"].partition("[")[2].removesuffix("]") or bench["name"]
            found.setdefault((run["key"], "bench", name), []).append(point)
    for run in gate_runs(gate):
        for name, row in run["rows"].items():
            if "ratio" in row:
                found.setdefault((run["key"], "gate", name), []).extend(_of_gate(run, row))
    return [Series(*key, tuple(points[-SHOWN:])) for key, points in sorted(found.items())]


def _of_gate(run: Mapping[str, Any], row: Mapping[str, Any]) -> list[Point]:
    """Return the base's point and the head's, which lies where the ratio says: processes and drift are out of it."""
    base, head = row["base"], row["base"] * row["ratio"]
    interval = (row["base"] * row["low"], row["base"] * row["high"])
    return [
        Point(run["when"], run["base"], base, base, base),
        Point(run["when"], run["head"], head, *interval, verdict=row["verdict"]),
    ]


def page(series: Sequence[Series], when: datetime) -> str:
    """Return the history as one HTML file that asks nothing of anyone."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(templates()),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style = (templates() / "style.css").read_text("utf-8")
    return environment.get_template("history.html.j2").render(
        style=Markup(style),  # noqa: S704 - our own file
        when=when.strftime("%Y-%m-%d %H:%M UTC"),
        machines=[
            (machine, [_shown(one) for one in series if one.machine == machine]) for machine in _machines(series)
        ],
    )


def _machines(series: Iterable[Series]) -> list[str]:
    return list(dict.fromkeys(one.machine for one in series))


def _shown(one: Series) -> dict[str, Any]:
    svg = _draw(one).decode()
    return {
        "name": one.name,
        "source": {"bench": "full size, median and quartiles", "gate": "the gate's size, with 99 % interval"}[
            one.source
        ],
        "latest": one.latest,
        "change": one.change,
        "verdict": one.points[-1].verdict,
        "runs": len(one.points),
        "alt": f"{one.name}: {len(one.points)} times, the newest {one.latest}, {one.change}",
        "svg": Markup(svg[svg.index("<svg") :]),  # noqa: S704 - drawn here; its texts are escaped by Matplotlib
    }


def _draw(one: Series) -> bytes:
    """Draw times in milliseconds over runs."""
    with styled():
        figure, (axes,) = new_figure(1, size=(6.4, 2.2))
        places = range(len(one.points))
        middles = [1e3 * point.middle for point in one.points]
        spans = [[1e3 * (point.middle - point.low) for point in one.points]]
        spans.append([1e3 * (point.high - point.middle) for point in one.points])
        axes.errorbar(
            places,
            middles,
            yerr=[[max(width, 0.0) for width in side] for side in spans],
            color=PALETTE[0],
            ecolor=GREY,
            marker="o",
            capsize=2,
            elinewidth=1,
        )
        for place, point in enumerate(one.points):
            if point.verdict in {"regressed", "improved"}:
                colour = PALETTE[1] if point.verdict == "regressed" else PALETTE[2]
                axes.plot(place, middles[place], marker="o", markersize=8, color=colour)
                axes.annotate(point.verdict, (place, middles[place]), (4, 6), textcoords="offset points", color=colour)
        axes.set_xticks(list(places), [point.revision for point in one.points], rotation=45, ha="right")
        axes.set_ylim(bottom=0, top=1.25 * max(1e3 * max(point.middle, point.high) for point in one.points))
        axes.set_ylabel("milliseconds")
    return Drawing(one.name, one.name, "", "", figure).save("svg")


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the page from a command line: 0 written, 2 there is no run."""
    parser = argparse.ArgumentParser(
        prog="bench.gate.history", description="Plot every benchmark over the stored runs."
    )
    parser.add_argument("--output", type=Path, default=HISTORY, help="the HTML file (default: %(default)s)")
    options = parser.parse_args(arguments)
    series = collect()
    if not series:
        sys.stderr.write(f"history: no run in {SAVED} or {GATE} yet: nox -s bench, or nox -s regress, keeps one\n")
        return 2
    write_atomically(options.output, page(series, datetime.now(UTC)).encode())
    sys.stdout.write(f"{len(series)} benchmarks over their runs: {options.output}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
