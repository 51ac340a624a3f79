"""The results folder: the only module that knows its file names. A trial's folder appears by one atomic rename."""

import contextlib
import json
import os
import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil
from numpy.typing import NDArray

from ablations.records.files import check_format
from ablations.records.ledger import Ledger
from ablations.records.record import FORMAT, Record
from ablations.records.status import Status
from vae.code import is_current
from vae.errors import VaebenchError
from vae.files import flush

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Draft", "Store", "unwritable", "writing"]

PARTIAL = ".partial-"
SHARED = "shared-"


def unwritable(folder: Path, error: OSError) -> VaebenchError:
    """Return the error of a folder of results that can't be written, in words."""
    return VaebenchError(
        f"results can't be written to {folder}: {error.strerror or error}. What is finished is kept. Make room, or "
        "choose another folder with --results; the same command goes on from there",
    )


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Turn what the system says against writing to a folder of results, such as that the disk is full, into words.

    Raises:
        VaebenchError: an OSError was raised in the block.
    """
    try:
        yield
    except BrokenPipeError:  # whoever read our output has gone: nothing is wrong with the folder
        raise
    except OSError as error:
        raise unwritable(folder, error) from error


@dataclass(frozen=True)
class Draft:
    """A trial's folder before it is committed: what is written here is not seen by anybody yet."""

    folder: Path

    @property
    def model(self) -> Path:
        """Where the trained model goes."""
        return self.folder / "model.keras"

    def write_record(self, record: Record) -> None:
        """Write record.json."""
        text = json.dumps(record.to_json(), indent=1, ensure_ascii=False, default=str)
        # A name that is no valid Unicode comes back as it was: JSON has an escape for each half of a surrogate pair.
        (self.folder / "record.json").write_bytes((text + "\n").encode("utf-8", "backslashreplace"))

    def write_history(self, rows: Sequence[Mapping[str, float]]) -> None:
        """Write history.csv, a row an epoch."""
        import pandas as pd

        pd.DataFrame(list(rows)).to_csv(self.folder / "history.csv", index=False)

    def write_arrays(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Write arrays.npz."""
        with (self.folder / "arrays.npz").open("wb") as file:
            np.savez_compressed(file, allow_pickle=False, **arrays)

    def write_file(self, name: str, content: bytes) -> None:
        """Write a file of a trial's folder that was made on another machine."""
        (self.folder / Path(name).name).write_bytes(content)


@dataclass(frozen=True)
class Store:
    """The results of one study.

    Args:
        root: results/<study>.
    """

    root: Path

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
        partial = self.root / f"{PARTIAL}progress-{os.getpid()}"
        with contextlib.suppress(OSError):
            partial.write_text(json.dumps(running), encoding="utf-8")
            partial.replace(self.progress_file)

    def read_progress(self) -> dict[str, dict[str, float]]:
        """Return what the running trials are at; nothing where none runs."""
        try:
            found = json.loads(self.progress_file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

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
        partial = self.root / f"{PARTIAL}study-{os.getpid()}"
        try:
            partial.write_text(text, encoding="utf-8")
            partial.replace(self.study_file)
        except OSError as error:
            raise unwritable(self.root, error) from None

    def sweep(self) -> None:
        """Remove what processes that are no more left half-written."""
        for path in (*self.trials.glob(f"{PARTIAL}*"), *self.root.glob(f"{PARTIAL}*")):
            owner = path.name.rpartition("-")[2]
            if owner.isdigit() and not psutil.pid_exists(int(owner)):
                if path.is_dir():
                    shutil.rmtree(path, ignore_errors=True)
                else:
                    path.unlink(missing_ok=True)

    @contextmanager
    def commit(self, trial: str) -> Iterator[Draft]:
        """Give a draft to write to; when the block ends well, the trial's folder is there, whole, or as it was.

        Raises:
            VaebenchError: the folder can't be written, or the disk is full.
        """
        partial = self.trials / f"{PARTIAL}{trial}-{os.getpid()}"
        shutil.rmtree(partial, ignore_errors=True)
        try:
            partial.mkdir(parents=True)
            yield Draft(partial)
            for path in partial.iterdir():
                flush(path)
            self._swap(partial, self.trials / trial)
            flush(self.trials)
        except OSError as error:
            raise unwritable(self.root, error) from error
        finally:
            shutil.rmtree(partial, ignore_errors=True)

    def _swap(self, new: Path, place: Path) -> None:
        """Rename `new` to `place`; an older folder there (a failed attempt) is moved out of the way first."""
        old = self.trials / f"{PARTIAL}old-{place.name}-{os.getpid()}"
        with contextlib.suppress(FileNotFoundError):
            place.rename(old)
        new.rename(place)
        shutil.rmtree(old, ignore_errors=True)

    def read(self, trial: str) -> Record | None:
        """Return a trial's record, or None where there is none that can be read.

        Raises:
            VaebenchError: a newer version wrote it: to take it for missing would be to train it again.
        """
        path = self.trials / trial / "record.json"
        try:
            found = {"format": 1} | json.loads(path.read_text(encoding="utf-8"))
            check_format(path, found["format"], FORMAT)
            return Record(**found)
        except (OSError, ValueError, TypeError):
            return None

    def is_done(self, trial: str, again: Collection[str] = ()) -> bool:
        """Tell whether a trial is done; of those in `again`, whether the present code has done it."""
        record = self.read(trial)
        if record is None or record.status != Status.DONE:
            return False
        return trial not in again or is_current(record.code)

    @staticmethod
    def of_trial(folder: Path) -> Record | None:
        """Return the record in a trial's folder, wherever that lies; None where there is none."""
        folder = folder.resolve()
        return Store(folder.parent.parent).read(folder.name)

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
