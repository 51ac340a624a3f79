"""Every attempt of every trial, as they began, and every run: append-only, torn lines passed over."""

import json
import os
import platform
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ablations.records import INTERRUPTED

__all__ = ["Attempt", "Ledger", "Run"]


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
    status: str = INTERRUPTED
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
        self._append({"event": "start", "trial": trial, "host": platform.node(), "pid": os.getpid(), "at": _now()})

    def end(self, trial: str, status: str, reason: str | None) -> None:
        """Note how it ended."""
        self._append({"event": "end", "trial": trial, "status": status, "reason": reason, "at": _now()})

    def run(self, run: Run) -> None:
        """Note a run of the study, at its end."""
        self._append({"event": "run", **asdict(run)})

    def runs(self) -> list[Run]:
        """Return the runs; lines that an older or newer version wrote with other fields are passed over."""
        found = []
        for line in self._lines():
            if line.pop("event", None) == "run":
                with suppress(TypeError):
                    found.append(Run(**line))
        return found

    def attempts(self) -> list[Attempt]:
        """Return all attempts."""
        found: list[Attempt] = []
        last: dict[str, int] = {}
        for line in self._lines():
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

    def _append(self, line: dict[str, object]) -> None:
        # One write of a whole line to a file opened for appending: two processes' lines don't mix. A line that a crash
        # cut short is ended first, so that it takes no other along.
        with self.path.open("ab+") as file:
            size = file.seek(0, os.SEEK_END)
            if size:
                file.seek(size - 1)
                torn = file.read(1) != b"\n"
            else:
                torn = False
            text = json.dumps(line, ensure_ascii=False) + "\n"
            file.write((b"\n" if torn else b"") + text.encode("utf-8", "backslashreplace"))
            file.flush()
            os.fsync(file.fileno())

    def _lines(self) -> Iterator[dict[str, Any]]:
        if not self.path.is_file():
            return
        # Not splitlines, which takes more signs for an end of line than a name may hold.
        for text in self.path.read_text(encoding="utf-8", errors="replace").split("\n"):
            try:
                line = json.loads(text)
            except ValueError:
                continue
            if isinstance(line, dict):
                yield line


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
