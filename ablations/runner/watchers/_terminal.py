"""What is seen while a study runs: bars on a terminal, plain lines anywhere else."""

import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from ablations.records.record import measured
from ablations.records.status import Status
from ablations.runner.job import Event, Job
from ablations.runner.watchers._base import Watcher
from ablations.text.columns import ERROR
from ablations.text.numbers import duration

__all__ = ["Bars"]

SHOWN = ("loss", "reconstruction", "kl", "ssim")


class Bars(Watcher):
    """Shows how far a run is.

    Args:
        console: where to print.
        trials: how many will be trained, as far as is known; jobs may be more.
        metric: that is told of a finished trial.
    """

    def __init__(self, console: Console, trials: int, metric: str = ERROR) -> None:
        """Show the bars."""
        self._console, self._metric = console, metric
        self._epochs: dict[str, int] = {}
        self._finished: set[str] = set()
        self._total = max(trials, 0)
        self._began = time.monotonic()
        self._rows: dict[str, TaskID] = {}
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[losses]}"),
            console=console,
            disable=not console.is_terminal,
            transient=True,
        )
        self._overall = self._bars.add_task("trials", total=self._total, losses="")
        self._bars.start()

    def on_jobs(self, jobs: Sequence[Job]) -> None:
        """Make room for the trials that come next."""
        self._epochs |= {job.name: job.last_epoch for job in jobs}
        self._total = max(self._total, len(self._epochs))
        self._bars.update(self._overall, total=self._total)

    def on_event(self, event: Event) -> None:
        """Move a trial's bar, or print a line where there are none."""
        if event.kind == "started":
            total = self._epochs[event.trial]
            self._rows[event.trial] = self._bars.add_task(escape(event.trial), total=total, losses="")
        elif event.kind == "epoch":
            self._bars.update(self._rows[event.trial], completed=event.epoch, losses=_losses(event.values))
        else:
            self._finish(event)

    def close(self, files: Sequence[Path] = ()) -> None:  # noqa: ARG002 - the command names them
        """Take the bars away."""
        if self._bars.live.is_started:  # rich prints an empty line each time it is told to stop
            self._bars.stop()

    def _finish(self, event: Event) -> None:
        self._bars.remove_task(self._rows.pop(event.trial))
        if event.record is not None and event.record.status == Status.PAUSED:
            return  # it is not done, and may never be
        self._finished.add(event.trial)
        done = len(self._finished)
        self._bars.update(self._overall, completed=done)
        record = event.record
        if record is None:
            return
        elapsed = time.monotonic() - self._began
        left = elapsed / done * (self._total - done)
        if record.status != Status.DONE:
            reason = escape(str(record.reason))
            line = f"\\[{done}/{self._total}] {event.trial} [red]{record.status}[/red]: {reason}"
            self._console.print(line, highlight=False, soft_wrap=True)
        elif not self._console.is_terminal:
            value = measured(record).get(self._metric, math.nan)
            seconds = record.timings["first_step_seconds"] + record.timings.get("train_seconds", 0.0)
            self._console.print(
                f"\\[{done}/{self._total}] {event.trial}  {self._metric} {value:.5f}  {seconds:.1f} s"
                f"  (about {duration(left)} left)",
                highlight=False,
                soft_wrap=True,
            )


def _losses(values: Mapping[str, float]) -> str:
    return "  ".join(f"{name} {values[name]:.4g}" for name in SHOWN if name in values)
