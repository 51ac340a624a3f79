"""What the runs say: means, ratios within one measurement, time to quality; as JSON, CSV, Markdown and a plot."""

import csv
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import fmean, geometric_mean
from typing import Any

from ablations.report.style import MARKERS, log_scale, new_figure, palette, styled
from bench.measure import peak as peaks
from bench.peers._runs import CONTESTANTS, Run

__all__ = ["AIMS", "aims", "as_markdown", "levels", "plot", "ratios", "rows", "seconds_to_level", "settled", "write"]

Levels = Mapping[int, float]

LAGGING = ("paper",)  # whose moving averages lag in a short run: its test error says little of its weights

# (our contestant, the peer, what is compared, how often faster we mean to be at least)
AIMS = (
    ("vaebench", "paper", "study", 8.0),
    ("vaebench-paper", "paper", "study", 1.7),
    ("vaebench", "pythae", "study", 2.5),
    ("vaebench", "keras", "images", 0.97),
    ("vaebench", "paper", "level", 12.0),
    ("vaebench", "vaebench-paper", "settled", 1.0),
    ("vaebench-bfloat16", "paper", "study", 12.0),
    ("vaebench-bfloat16", "pythae", "study", 2.5),
)
_COMPARED = {
    "study": "seconds of the whole study",
    "images": "images per second",
    "level": "seconds until the last trial's test error is at the level",
    "settled": "seconds until the last trial's test error is at the settled level",
}


def levels(runs: Sequence[Run]) -> dict[int, float]:
    """Return for each latent size the test error that every trial of these runs has reached after its last epoch.

    That is the error at which the slowest to converge ends.
    """
    last: dict[int, list[float]] = {}
    for run in runs:
        for trial in run.trials:
            last.setdefault(trial.latent_dim, []).append(trial.epoch_sse[-1])
    return {latent_dim: max(values) for latent_dim, values in sorted(last.items())}


def settled(runs: Sequence[Run]) -> dict[int, float]:
    """Return the levels that all reach but those whose batch statistics lag."""
    return levels([run for run in runs if run.name not in LAGGING])


def seconds_to_level(run: Run, level: Levels) -> float | None:
    """Return the seconds from the command until the last trial's test error is no longer above its level.

    Epochs end where they end: nothing is interpolated. Measuring is not counted. None: some trial never got there.
    """
    latest = 0.0
    for trial in run.trials:
        reached = next((i for i, sse in enumerate(trial.epoch_sse) if sse <= level[trial.latent_dim]), None)
        if reached is None:
            return None
        latest = max(latest, trial.began + sum(trial.epoch_seconds[: reached + 1]))
    return latest


def ratios(runs: Sequence[Run], ours: str, peer: str, compared: str, level: Levels) -> list[float]:
    """Return how often faster we are than the peer, a number a block: each run stands there and back in its block."""

    def cost(run: Run) -> float | None:
        if compared in {"level", "settled"}:
            return seconds_to_level(run, level)
        return run.seconds if compared == "study" else 1 / run.images_per_second

    def mean(name: str, block: int) -> float | None:
        return _mean([cost(run) for run in runs if run.name == name and run.block == block and not run.failure])

    pairs = [(mean(ours, block), mean(peer, block)) for block in sorted({run.block for run in runs})]
    return [theirs / mine for mine, theirs in pairs if mine and theirs]


def rows(runs: Sequence[Run], level: Levels, strict: Levels) -> list[dict[str, Any]]:
    """Return a row a contestant: means over its runs and their range, or the reason why there is none."""
    table = []
    for contestant in CONTESTANTS:
        mine = [run for run in runs if run.name == contestant.name]
        done = [run for run in mine if not run.failure]
        row: dict[str, Any] = {
            "contestant": contestant.name,
            "what": contestant.what,
            "decoder": contestant.decoder,
            "runs": len(done),
        }
        if not done:
            table.append(row | {"failure": mine[0].failure if mine else "it was not asked for"})
            continue
        row |= {
            "processes_x_threads": f"{done[0].parallel} x {done[0].threads}",
            "parameters": done[0].parameters,
            "seconds": fmean(run.seconds for run in done),
            "seconds_low": min(run.seconds for run in done),
            "seconds_high": max(run.seconds for run in done),
            "command_seconds": fmean(run.command_seconds for run in done),
            "images_per_second": fmean(run.images_per_second for run in done),
            "peak_rss_mb": max(run.peak_rss_mb for run in done),
            "seconds_to_level": _mean([seconds_to_level(run, level) for run in done]),
            "seconds_to_settled": _mean([seconds_to_level(run, strict) for run in done]),
        }
        row |= {f"sse_{size}": fmean((run.sse or {})[size] for run in done) for size in level}
        failures = [run.failure for run in mine if run.failure]
        table.append(row | {"failure": failures[0] if failures else ""})
    return table


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known and len(known) == len(values) else None


def aims(runs: Sequence[Run], level: Levels, strict: Levels) -> list[dict[str, Any]]:
    """Return what was aimed at and what was measured: the geometric mean over blocks, and each block."""
    found = []
    for ours, peer, compared, least in AIMS:
        values = ratios(runs, ours, peer, compared, strict if compared == "settled" else level)
        measured = geometric_mean(values) if values else None
        found.append(
            {
                "ours": ours,
                "peer": peer,
                "compared": _COMPARED[compared],
                "aim": least,
                "measured": measured,
                "blocks": values,
                "met": None if measured is None else measured >= least,
            }
        )
    return found


def _number(value: float | None, digits: int = 1) -> str:
    return "-" if value is None or not math.isfinite(value) else f"{value:,.{digits}f}"


def as_markdown(summary: Mapping[str, Any]) -> str:
    """Return the whole report as text."""
    sizes, table = summary["levels"], summary["contestants"]
    errors = [f"sse, {size} dimensions" for size in sizes]
    head = ["contestant", "decoder", "processes x threads", "study s", "runs s", "with report s", "images/s", "peak MB"]
    head += [*errors, "s to level", "s to settled level"]
    lines = [_setting(summary), "", f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    for row in table:
        name = f"**{row['contestant']}**: {row['what']}"
        if not row["runs"]:
            reason = str(row["failure"]).replace("|", "/")
            lines.append(f"| {name} | {row['decoder']} | not run: {reason} " + "| - " * (len(head) - 3) + "|")
            continue
        cells = [name, row["decoder"], row["processes_x_threads"], _number(row["seconds"])]
        cells += [f"{_number(row['seconds_low'])} to {_number(row['seconds_high'])}", _number(row["command_seconds"])]
        cells += [_number(row["images_per_second"], 0), _number(row["peak_rss_mb"], 0)]
        cells += [_number(row[f"sse_{size}"], 2) for size in sizes]
        cells += [_number(row["seconds_to_level"]), _number(row["seconds_to_settled"])]
        lines.append(f"| {' | '.join(cells)} |")
    lines += [
        "",
        "| faster than | by | compared | aim | measured | each block | met |",
        "|---|---|---|---|---|---|---|",
    ]
    for aim in summary["aims"]:
        met = {True: "yes", False: "no", None: "not measured"}[aim["met"]]
        each = ", ".join(_number(value, 2) for value in aim["blocks"]) or "-"
        cells = [aim["peer"], aim["ours"], aim["compared"], f"{aim['aim']:g}", _number(aim["measured"], 2), each, met]
        lines.append(f"| {' | '.join(cells)} |")
    if summary["peak"]:
        lines += ["", peaks.as_markdown(summary["peak"]).rstrip()]
    return "\n".join(lines) + "\n"


def _setting(summary: Mapping[str, Any]) -> str:
    study, machine = summary["study"], summary["machine"]
    marks, strict = (
        ", ".join(f"{value:.2f} with {size} dimensions" for size, value in summary[name].items()) or "none"
        for name in ("levels", "settled")
    )
    return (
        f"{study['train_images']:,} training and {study['test_images']:,} test images of {study['dataset']}, latent "
        f"dimensions {', '.join(map(str, study['latent_dims']))}, seeds {', '.join(map(str, study['seeds']))}, "
        f"{study['epochs']} epochs, batches of {study['batch_size']}, KL weight {study['kl_weight']:g}. "
        f"Level: {marks}; settled level: {strict}. {machine['processor']}, {machine['cores']} cores; "
        f"commit {summary['commit']}."
    )


def plot(runs: Sequence[Run], level: Levels) -> Any:
    """Return a figure of test error against seconds since the command, a panel a latent size, a thin line a trial.

    Args:
        runs: of all contestants.
        level: where a line is drawn.
    """
    from matplotlib.lines import Line2D

    names = [one.name for one in CONTESTANTS if any(run.name == one.name and run.trials for run in runs)]
    colours, markers = palette(names), dict(zip(names, MARKERS, strict=False))
    with styled():
        figure, panels = new_figure(max(len(level), 1), size=(4.2, 3.2))
        for axes, (size, mark) in zip(panels, level.items(), strict=False):
            for run in runs:
                for trial in (one for one in run.trials if one.latent_dim == size):
                    ends = [trial.began + sum(trial.epoch_seconds[: i + 1]) for i in range(len(trial.epoch_sse))]
                    (line,) = axes.plot(ends, trial.epoch_sse, linewidth=0.8, markersize=3, alpha=0.8)
                    line.set_color(colours[run.name])
                    line.set_marker(markers[run.name])
            axes.axhline(mark, color="#5f6673", linewidth=0.8, linestyle=":")
            log_scale(axes.xaxis)
            log_scale(axes.yaxis)
            axes.set_title(f"{size} latent dimensions")
            axes.set_xlabel("seconds since the command")
        panels[0].set_ylabel("test squared error per image")
        handles = [Line2D([], [], color=colours[name], marker=markers[name], label=name) for name in names]
        figure.legend(handles=handles, loc="outside lower center", ncols=max(len(names), 1))
    return figure


def write(summary: Mapping[str, Any], runs: Sequence[Run], folder: Path) -> list[Path]:
    """Write peers.json, peers.csv, peers.md and peers.png to `folder`; returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"peers.{suffix}" for suffix in ("json", "csv", "md", "png")]
    everything = dict(summary) | {"runs": [asdict(run) for run in runs]}
    paths[0].write_text(json.dumps(everything, indent=1) + "\n", encoding="utf-8")
    names = list(dict.fromkeys(name for row in summary["contestants"] for name in row))
    with paths[1].open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(summary["contestants"])
    paths[2].write_text(as_markdown(summary), encoding="utf-8")
    with styled():
        plot(runs, summary["settled"]).savefig(paths[3], dpi=170, metadata={"Software": None})
    return paths
