"""Every attempt of every trial, as they began, and every run: append-only, torn lines passed over."""

import os
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from ablations.records.files import append, lines
from ablations.records.shapes import Count, DamagedError, Date, Number, Text, shaped
from ablations.records.status import Status

__all__ = ["Attempt", "Ledger", "Run", "now"]


@dataclass(frozen=True)
class Attempt:
    """One try of one trial.

    Attributes:
        trial: its name.
        number: 1 for the first.
        started: and `ended`: ISO 8601, UTC; `ended` is empty for one that nobody saw the end of.
        host: and `pid`: of the runner.
        status: as in the record; `interrupted` where the end was never written.
        reason: why it is not done.
    """

    trial: str
    number: int
    started: str
    host: str
    pid: int
    ended: str = ""
    status: str = Status.INTERRUPTED
    reason: str | None = None


@dataclass(frozen=True)
class Run:
    """One run of a study that trained something, and saw its end.

    Attributes:
        started: and `ended`: ISO 8601, UTC.
        host: where.
        workers: trials at a time.
        threads: of each worker.
        trained: trials that were done in it.
        joules: that the machine's processors drew meanwhile; None where that can't be read.
    """

    started: Date
    ended: Date
    host: Text
    workers: Count
    threads: Count
    trained: Count
    joules: Number | None = None


@dataclass(frozen=True)
class _Start:
    trial: Text
    host: Text
    pid: Count
    at: Date


@dataclass(frozen=True)
class _End:
    trial: Text
    status: Text
    reason: Text | None
    at: Date


_Line = Run | _Start | _End
_KINDS: Mapping[object, type[_Line]] = {"run": Run, "start": _Start, "end": _End}


@dataclass(frozen=True)
class Ledger:
    """The log of attempts at `path`."""

    path: Path

    def start(self, trial: str) -> None:
        """Note that a trial begins."""
        append(self.path, {"event": "start", "trial": trial, "host": platform.node(), "pid": os.getpid(), "at": now()})

    def end(self, trial: str, status: str, reason: str | None) -> None:
        """Note how it ended."""
        append(self.path, {"event": "end", "trial": trial, "status": status, "reason": reason, "at": now()})

    def run(self, run: Run) -> None:
        """Note a run of the study, at its end."""
        append(self.path, {"event": "run", **asdict(run)})

    def _lines(self) -> tuple[list[_Line], list[str]]:
        """Return the lines, and what is wrong with those that are none; those of kinds not known are passed over."""
        found: list[_Line] = []
        wrong: list[str] = []
        for line in lines(self.path):
            event = line.pop("event", None)
            if isinstance(event, str) and event in _KINDS:
                try:
                    known: _Line = shaped(_KINDS[event], line)
                    found.append(known)
                except DamagedError as error:
                    wrong.append(f"{event}: {error}")
        return found, wrong

    def runs(self) -> list[Run]:
        """Return the runs."""
        return [line for line in self._lines()[0] if isinstance(line, Run)]

    def damage(self) -> list[str]:
        """Say what is wrong with each line that is no attempt and no run, and is passed over."""
        return self._lines()[1]

    def attempts(self) -> list[Attempt]:
        """Return all attempts."""
        found: list[Attempt] = []
        last: dict[str, int] = {}
        for line in self._lines()[0]:
            if isinstance(line, _Start):
                number = found[last[line.trial]].number + 1 if line.trial in last else 1
                last[line.trial] = len(found)
                found.append(Attempt(line.trial, number, line.at, line.host, line.pid))
            elif isinstance(line, _End) and line.trial in last:
                at = last[line.trial]
                found[at] = replace(found[at], ended=line.at, status=line.status, reason=line.reason)
        return found


def now() -> str:
    """Return the time as records and ledger write it: ISO 8601, UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")
