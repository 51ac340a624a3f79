"""The results folder: the only module that knows its file names. A trial's folder appears by one atomic rename."""

import contextlib
import os
import shutil
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ablations.records import progress
from ablations.records.draft import Draft, record_text
from ablations.records.files import check_format, unwritable
from ablations.records.lease import Lease
from ablations.records.ledger import Ledger
from ablations.records.record import FORMAT, Record
from ablations.records.shapes import DamagedError, of_json, shaped
from ablations.records.status import Status
from vae.code import is_current
from vae.files import flush, owned, partial, remove, sweep, write_atomically

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Store"]

REPLACED = ".replaced-"  # begins the name of a trial's folder that is making room for another
SHARED = "shared-"


@dataclass(frozen=True)
class Store:
    """The results of one study.

    Args:
        root: results/<study>.
        token: of the lease under which it is written; without one nobody asks whether somebody else does.
    """

    root: Path
    token: str | None = None

    @property
    def study_file(self) -> Path:
        """The study as run."""
        return self.root / "study.toml"

    @property
    def trials(self) -> Path:
        """The trials' folders."""
        return self.root / "trials"

    def workspace(self, trial: str) -> Path:
        """Return where an unfinished trial keeps its checkpoints."""
        return self.root / "work" / trial

    def shared_workspace(self, key: str) -> str:
        """Return the name of a workspace that trials of one configuration and different length have in common."""
        return f"{SHARED}{key}"

    def clear_shared(self) -> None:
        """Remove the checkpoints that a search kept so that longer trials could go on from them."""
        for path in (self.root / "work").glob(f"{SHARED}*"):
            self.clear_workspace(path.name)

    def clear_workspace(self, trial: str) -> None:
        """Remove a trial's checkpoints, which nobody needs any more."""
        shutil.rmtree(self.workspace(trial), ignore_errors=True)
        with contextlib.suppress(OSError):  # others are in it
            self.workspace(trial).parent.rmdir()

    @property
    def ledger(self) -> Ledger:
        """The log of attempts."""
        return Ledger(self.root / "attempts.jsonl")

    @property
    def search(self) -> Path:
        """The log of a search's proposals and scores."""
        return self.root / "search.jsonl"

    @property
    def lease(self) -> Path:
        """The file that says which runner holds the folder."""
        return self.root / "lease.json"

    @property
    def progress_file(self) -> Path:
        """What the running trials are at; there only while a study runs."""
        return self.root / "progress.json"

    def write_progress(self, running: Mapping[str, Mapping[str, float]]) -> None:
        """Tell what the running trials are at, trial -> numbers; nothing depends on it, so a full disk is no error."""
        progress.write(self.progress_file, running)

    def read_progress(self) -> dict[str, dict[str, float]]:
        """Return what the running trials are at; nothing where none runs."""
        return progress.read(self.progress_file)

    @property
    def table_csv(self) -> Path:
        """One row a trial."""
        return self.root / "table.csv"

    @property
    def table_parquet(self) -> Path:
        """The same with types."""
        return self.root / "table.parquet"

    @property
    def summary_csv(self) -> Path:
        """One row a configuration."""
        return self.root / "summary.csv"

    @property
    def report(self) -> Path:
        """The report's folder."""
        return self.root / "report"

    def create(self) -> None:
        """Make the folders.

        Raises:
            VaebenchError: they can't be made.
        """
        try:
            self.trials.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise unwritable(self.root, error) from None

    def write_study(self, text: str) -> None:
        """Keep the study's text, atomically.

        Raises:
            VaebenchError: the folder can't be written.
        """
        self.create()
        try:
            write_atomically(self.study_file, text.encode())
        except OSError as error:
            raise unwritable(self.root, error) from None

    def sweep(self) -> None:
        """Remove what processes that are no more left half-written; what they were replacing is put back."""
        for old in self.trials.glob(f"{REPLACED}*") if self._holds(self.trials) else ():
            place = self.trials / old.name.removeprefix(REPLACED).rpartition("-")[0]
            if owned(old):
                continue
            if place.exists():
                remove(old)
            else:
                old.rename(place)
        report = self.report
        for folder in (self.root, self.trials, report, report / "figures", report / "tables", report / ".cache"):
            if self._holds(folder):
                sweep(folder)

    def _holds(self, folder: Path) -> bool:
        """Tell whether a folder of ours is in our folder, and not linked elsewhere, where nothing is ours to tidy."""
        inner = [folder, *folder.parents]
        return not any(path.is_symlink() for path in inner[: inner.index(self.root)])

    @contextmanager
    def commit(self, trial: str) -> Iterator[Draft]:
        """Give a draft to write to; when the block ends well, the trial's folder is there, whole, or as it was.

        Raises:
            LeaseLostError: the folder has another holder by now; nothing is written.
            VaebenchError: the folder can't be written, or the disk is full.
        """
        draft = partial(self.trials, trial)
        shutil.rmtree(draft, ignore_errors=True)
        self._check()
        try:
            draft.mkdir(parents=True)
            yield Draft(draft)
            for path in draft.iterdir():
                flush(path)
            self._check()
            self._swap(draft, self.trials / trial)
            flush(self.trials)
        except OSError as error:
            raise unwritable(self.root, error) from error
        finally:
            shutil.rmtree(draft, ignore_errors=True)

    def amend(self, record: Record) -> None:
        """Write the record of a finished trial anew, atomically; model, history and arrays stay.

        Raises:
            LeaseLostError: the folder has another holder by now; nothing is written.
            VaebenchError: the folder can't be written.
        """
        self._check()
        try:
            write_atomically(self.trials / record.trial / "record.json", record_text(record))
        except OSError as error:
            raise unwritable(self.root, error) from None

    def _check(self) -> None:
        if self.token is not None:
            Lease(self.lease, self.token).check()

    def _swap(self, new: Path, place: Path) -> None:
        """Rename `new` to `place`; an older folder there (a failed attempt) steps aside, and back where that fails."""
        old = self.trials / f"{REPLACED}{place.name}-{os.getpid()}"
        with contextlib.suppress(FileNotFoundError):
            place.rename(old)
        try:
            new.rename(place)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                old.rename(place)
            raise
        remove(old)

    def read(self, trial: str) -> Record | None:
        """Return a trial's record, or None where there is none that can be read.

        Raises:
            VaebenchError: a newer version wrote it: to take it for missing would be to train it again.
        """
        try:
            return self._record(trial)
        except (OSError, DamagedError):
            return None

    def damage(self, trial: str) -> str:
        """Say what is wrong with a trial's record; "" where it can be read, and where there is none.

        Raises:
            VaebenchError: as `read` does.
        """
        try:
            self._record(trial)
        except FileNotFoundError:
            return ""
        except OSError as error:
            there = os.path.lexists(self.trials / trial / "record.json")
            return f"record.json can't be read: {error.strerror or error}" if there else ""
        except DamagedError as error:
            return f"record.json is no record: {error}"
        return ""

    def _record(self, trial: str) -> Record:
        if Path(trial).name != trial or "\0" in trial:  # what a log says of its trials may lead anywhere
            raise FileNotFoundError(trial)
        path = self.trials / trial / "record.json"
        try:
            found = of_json(path.read_text(encoding="utf-8"))
        except UnicodeDecodeError as error:
            raise DamagedError(f"this is not UTF-8: {error}") from None
        if not isinstance(found, dict):
            raise DamagedError(f"got {type(found).__name__}, expected a table")
        found = {"format": 1} | found | {"trial": trial}  # its folder's name: a copy may lie under another
        check_format(path, found["format"], FORMAT)
        return shaped(Record, found)

    def is_done(self, trial: str, again: Collection[str] = ()) -> bool:
        """Tell whether a trial is done; of those in `again`, whether the present code has done it."""
        record = self.read(trial)
        if record is None or record.status != Status.DONE:
            return False
        return trial not in again or is_current(record.code)

    @staticmethod
    def of_trial(folder: Path) -> Record | None:
        """Return the record in a trial's folder, wherever that lies; None where there is none.

        Raises:
            DamagedError: there is one that can't be read.
            VaebenchError: a newer version wrote it.
        """
        place = folder.resolve()
        store = Store(place.parent.parent)
        if why := store.damage(place.name):
            raise DamagedError(f"{folder}: {why}. Delete the folder and run the study again, which trains it anew")
        return store.read(place.name)

    def names(self) -> list[str]:
        """Return the names of all trials with a folder."""
        try:
            return sorted(path.name for path in self.trials.iterdir() if not path.name.startswith("."))
        except OSError:
            return []

    def files(self, trial: str) -> dict[str, bytes]:
        """Return name -> content of all that a trial's folder holds, to be committed on another machine."""
        return {path.name: path.read_bytes() for path in sorted((self.trials / trial).iterdir())}

    def history(self, record: Record) -> "pd.DataFrame":
        """Return a trial's history, empty where it has none."""
        import pandas as pd

        path = self.trials / record.trial / "history.csv"
        return pd.read_csv(path) if path.is_file() else pd.DataFrame()

    def arrays(self, record: Record) -> dict[str, NDArray[Any]]:
        """Return a trial's arrays, none where it has none."""
        path = self.trials / record.trial / "arrays.npz"
        if not path.is_file():
            return {}
        # Of a damaged file, NumPy would leave the one that it opened itself open.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return dict(arrays)

    def model(self, record: Record) -> Path:
        """Return where a trial's trained model lies."""
        return self.trials / record.trial / "model.keras"
