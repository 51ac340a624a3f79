"""What is seen while a study runs: bars on a terminal, plain lines anywhere else."""

import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self

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

from ablations.records.status import Status
from ablations.runner.job import Event, Job
from ablations.text.numbers import duration

__all__ = ["Watch"]

SHOWN = ("loss", "reconstruction", "kl", "ssim")


class Watch:
    """Follows the events of a run.

    Args:
        console: where to print.
        trials: how many will be trained, as far as is known; more may be announced by `expect`.
    """

    def __init__(self, console: Console, trials: int) -> None:
        """Prepare the bars; they appear when the block is entered."""
        self._console = console
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

    def __enter__(self) -> Self:
        """Show the bars."""
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take them away."""
        self._bars.stop()

    def expect(self, jobs: Sequence[Job]) -> None:
        """Hear of the trials that come next, and of how far they go."""
        self._epochs |= {job.name: job.last_epoch for job in jobs}
        self._total = max(self._total, len(self._epochs))
        self._bars.update(self._overall, total=self._total)

    def __call__(self, event: Event) -> None:
        """Show one event."""
        if event.kind == "started":
            total = self._epochs[event.trial]
            self._rows[event.trial] = self._bars.add_task(escape(event.trial), total=total, losses="")
        elif event.kind == "epoch":
            self._bars.update(self._rows[event.trial], completed=event.epoch, losses=_losses(event.values))
        else:
            self._finish(event)

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
            mse = record.metrics.get("mse") or float("nan")
            seconds = record.timings["first_step_seconds"] + record.timings["train_seconds"]
            self._console.print(
                f"\\[{done}/{self._total}] {event.trial}  mse {mse:.5f}  {seconds:.1f} s"
                f"  (about {duration(left)} left)",
                highlight=False,
                soft_wrap=True,
            )


def _losses(values: Mapping[str, float]) -> str:
    return "  ".join(f"{name} {values[name]:.4g}" for name in SHOWN if name in values)
