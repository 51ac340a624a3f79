"""Every attempt of every trial, as they began, and every run: append-only, torn lines passed over."""

import os
import platform
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from ablations.records.files import append, lines
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

    started: str
    ended: str
    host: str
    workers: int
    threads: int
    trained: int
    joules: float | None = None


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

    def runs(self) -> list[Run]:
        """Return the runs; lines that an older or newer version wrote with other fields are passed over."""
        found = []
        for line in lines(self.path):
            if line.pop("event", None) == "run":
                with suppress(TypeError):
                    found.append(Run(**line))
        return found

    def attempts(self) -> list[Attempt]:
        """Return all attempts."""
        found: list[Attempt] = []
        last: dict[str, int] = {}
        for line in lines(self.path):
            trial = str(line.get("trial"))
            if line.get("event") == "start":
                number = found[last[trial]].number + 1 if trial in last else 1
                last[trial] = len(found)
                found.append(Attempt(trial, number, str(line["at"]), str(line["host"]), int(str(line["pid"]))))
            elif line.get("event") == "end" and trial in last:
                old = found[last[trial]]
                reason = None if line["reason"] is None else str(line["reason"])
                found[last[trial]] = Attempt(
                    trial, old.number, old.started, old.host, old.pid, str(line["at"]), str(line["status"]), reason
                )
        return found


def now() -> str:
    """Return the time as records and ledger write it: ISO 8601, UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")
