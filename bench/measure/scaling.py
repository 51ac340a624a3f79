"""How time and memory grow with the number of trials: the commands `plan` and `report`, each in a fresh process.

Usage: python -m bench.measure.scaling [--repeats 3] [--smoke] [--output results/reference]
"""

import argparse
import json
import math
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

from ablations.cli import main as vaebench
from vae.code import code_of
from vae.environment import describe, peak_rss_mb
from vae.errors import VaebenchError

__all__ = ["Point", "as_markdown", "main", "measure", "plot", "prepare_plan", "prepare_report"]

SIZES: Mapping[str, tuple[int, ...]] = {"plan": (100, 1_000, 10_000), "report": (60, 250, 1_000)}
SMALL: Mapping[str, tuple[int, ...]] = {"plan": (20, 40), "report": (20, 40)}
WHAT = {"plan": "`vaebench plan`", "report": "`vaebench report --no-pdf`, of synthetic trials"}
ROOT = Path(__file__).parents[2]
WEIGHTS, SEEDS = (1e-4, 5e-4, 1e-3, 2e-3), 5
MODELS = ("conv", "dense_vae")
CHILD = "--child"  # FILE WORDS: run the command of these words in this process and tell its peak memory
LIMIT = 1800  # seconds of a command


@dataclass(frozen=True)
class Point:
    """What a command took.

    Attributes:
        command: `plan` or `report`.
        trials: of the study.
        configurations: the trials of different seeds are one.
        seconds: from its start to its end, imports included; the median over the repeats.
        peak_mb: the largest resident memory.
    """

    command: str
    trials: int
    configurations: int
    seconds: float
    peak_mb: float


def prepare_plan(trials: int, folder: Path) -> list[str]:
    """Write a study of so many trials, a multiple of 20; returns the command that plans it."""
    latents = list(range(1, 1 + trials // (len(WEIGHTS) * SEEDS)))
    axes = {"latent_dim": latents, "kl_weight": list(WEIGHTS), "seed": list(range(SEEDS))}
    study = folder / "wide.toml"
    study.write_text("[axes]\n" + "".join(f"{axis} = {values}\n" for axis, values in axes.items()), encoding="utf-8")
    return ["plan", str(study), "--results", str(folder)]


def prepare_report(trials: int, folder: Path) -> list[str]:
    """Write the results of a study of so many trials, a multiple of 10; returns the command that reports them.

    The records, curves and pictures are those of `bench.synthetic`, under the names that the study gives its trials.
    """
    from ablations.records.store import Store
    from ablations.study.study import Study
    from bench import synthetic

    latents, weights = _sides(trials // (len(MODELS) * SEEDS))
    made = synthetic.demo(
        models=MODELS,
        latents=range(2, 2 + latents),
        weights=[round(1e-4 * (place + 1), 6) for place in range(weights)],
        ssim_weights=(0.0,),
        seeds=range(SEEDS),
        broken=False,
    )
    study = Study.from_dict({"name": "scaling", "axes": made.axes})
    records = {tuple(record.axes.values()): record for record in made.records}
    store = Store(folder / study.folder_name)
    store.write_study(study.text)
    for trial in study.trials():
        record = records[tuple(trial.axes.values())]
        own = replace(record, trial=trial.name, digest=trial.digest, spec=trial.spec.settings())
        with store.commit(trial.name) as draft:
            draft.write_record(replace(own, code=code_of(trial.spec)))
            made.histories[record.trial].to_csv(draft.folder / "history.csv", index=False)
            draft.write_arrays(made.arrays[record.trial])
    return ["report", str(store.root), "--no-pdf"]


def _sides(configurations: int) -> tuple[int, int]:
    """Return two numbers, as close as can be, whose product is the number of configurations of a model."""
    short = next(side for side in range(math.isqrt(configurations), 0, -1) if configurations % side == 0)
    return configurations // short, short


PREPARE = {"plan": prepare_plan, "report": prepare_report}


def measure(command: str, trials: int, repeats: int) -> Point:
    """Prepare a study and run the command on it, each time in a fresh process and with no report to begin with.

    Raises:
        VaebenchError: the command failed.
    """
    with tempfile.TemporaryDirectory(prefix="vaebench-scaling-") as name:
        folder = Path(name)
        words = PREPARE[command](trials, folder)
        found = []
        for _ in range(repeats):
            for report in folder.glob("*/report"):  # which remembers where t-SNE put the points
                shutil.rmtree(report)
            found.append(_run(words, folder))
    seconds, peaks = zip(*found, strict=True)
    return Point(command, trials, trials // SEEDS, median(seconds), max(peaks))


def _run(words: Sequence[str], folder: Path) -> tuple[float, float]:
    """Return the seconds and the peak memory in MB of one process that runs the command."""
    told = folder / "told.json"
    command = [sys.executable, "-m", "bench.measure.scaling", CHILD, str(told), *words]
    began = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=LIMIT, cwd=ROOT)  # noqa: S603
    seconds = time.perf_counter() - began
    if done.returncode:
        raise VaebenchError(f"vaebench {' '.join(words)} failed with exit code {done.returncode}:\n{done.stderr}")
    return seconds, float(json.loads(told.read_text(encoding="utf-8"))["peak_mb"])


def _child(told: str, *words: str) -> int:
    code = vaebench(words)
    Path(told).write_text(json.dumps({"peak_mb": peak_rss_mb()}), encoding="utf-8")
    return code


def as_markdown(points: Sequence[Point], machine: Mapping[str, Any], commit: str | None) -> str:
    """Return the table; its last column is the power of the number of trials with which the time grew from row to row.

    Below 1, part of the time is spent once, such as on imports; above 1, something grows faster than the trials.
    """
    where = f"{machine['processor']}, {machine['cores']} cores; commit {commit or 'unknown'}"
    lines = [
        f"Seconds from the start of the command to its end, in a fresh process, and its peak memory. {where}.",
        "",
        "| command | trials | configurations | seconds | ms a trial | peak MB | grows as |",
        "|---|---|---|---|---|---|---|",
    ]
    before: dict[str, Point] = {}
    for point in points:
        power = ""
        if last := before.get(point.command):
            growth = math.log(point.seconds / last.seconds) / math.log(point.trials / last.trials)
            power = f"trials^{growth:.2f}"
        before[point.command] = point
        lines.append(
            f"| {WHAT[point.command]} | {point.trials:,} | {point.configurations:,} | {point.seconds:.2f} "
            f"| {1e3 * point.seconds / point.trials:.2f} | {point.peak_mb:,.0f} | {power} |"
        )
    return "\n".join(lines) + "\n"


def plot(points: Iterable[Point]) -> Any:
    """Return a figure of seconds and memory over trials, all axes logarithmic, with lines of slope 1 for seconds."""
    from matplotlib.lines import Line2D

    from ablations.report.style import GREY, MARKERS, PALETTE, log_scale, new_figure, styled

    series: dict[str, list[Point]] = {}
    for point in points:
        series.setdefault(point.command, []).append(point)
    with styled():
        figure, (times, peaks) = new_figure(2, size=(3.6, 3.0), share=False)
        for (command, found), colour, marker in zip(series.items(), PALETTE, MARKERS, strict=False):
            trials = [point.trials for point in found]
            look: dict[str, Any] = {"color": colour, "marker": marker, "label": f"vaebench {command}"}
            times.plot(trials, [point.seconds for point in found], **look)
            peaks.plot(trials, [point.peak_mb for point in found], **look)
            slope = [found[-1].seconds * number / trials[-1] for number in trials]
            times.plot(trials, slope, color=GREY, linestyle=":", linewidth=1)
        for axes, label in ((times, "seconds"), (peaks, "peak memory (MB)")):
            log_scale(axes.xaxis)
            log_scale(axes.yaxis)
            axes.set_xlabel("trials")
            axes.set_ylabel(label)
        handles, labels = times.get_legend_handles_labels()
        handles.append(Line2D([], [], color=GREY, linestyle=":", linewidth=1))
        figure.legend(handles, [*labels, "in proportion to the trials"], loc="outside lower center", ncols=3)
    return figure


def main(arguments: list[str] | None = None) -> int:
    """Measure, print the table, write `scaling.md` and `scaling.png`, and return 0."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.measure.scaling", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--repeats", type=int, default=3, help="of each command (default: 3); the median counts")
    parser.add_argument("--smoke", action="store_true", help="does everything work? A few trials, once")
    parser.add_argument("--output", type=Path, help="folder (default: results/reference; with --smoke, none)")
    words = sys.argv[1:] if arguments is None else arguments
    if words[:1] == [CHILD]:
        return _child(*words[1:])
    options = parser.parse_args(words)
    from ablations.report.style import styled
    from vae.code import git_commit
    from vae.files import write_atomically

    sizes, repeats = (SMALL, 1) if options.smoke else (SIZES, options.repeats)
    points = []
    for command, numbers in sizes.items():
        measure(command, SMALL[command][0], 1)  # not counted: the disk is warm then, the caches are filled
        for trials in numbers:
            points.append(measure(command, trials, repeats))
            sys.stderr.write(f"{command} {trials}: {points[-1].seconds:.2f} s, {points[-1].peak_mb:.0f} MB\n")
    text = as_markdown(points, describe(), git_commit())
    sys.stdout.write(text)
    folder = options.output or (None if options.smoke else Path("results/reference"))
    if folder:
        write_atomically(folder / "scaling.md", text.encode())
        with styled():
            plot(points).savefig(folder / "scaling.png", dpi=170, metadata={"Software": None})
    return 0


if __name__ == "__main__":
    sys.exit(main())
