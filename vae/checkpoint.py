"""The state of a training under way, in one file that is either whole or not there.

A checkpoint is a line with the SHA-256 of all that follows, a line of JSON, and the variables as a NumPy archive. It is
written under another name, flushed, and renamed, so that a process killed at any moment leaves the one before it.
"""

import contextlib
import hashlib
import io
import json
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import AllowInfNan, Field, PlainValidator, Strict, TypeAdapter, ValidationError

from vae.errors import VaebenchError
from vae.files import PARTIAL, flush, write_atomically

__all__ = ["CheckpointError", "Checkpoints", "State", "decode", "encode", "fetch", "place"]

FORMAT = "vaebench checkpoint 1"
SUFFIX = ".checkpoint"
KEPT = 2  # the newest, and the one before it should the disk have spoilt that


class CheckpointError(VaebenchError):
    """A checkpoint is damaged, or belongs to another training."""


_Count = Annotated[int, Strict(), Field(ge=0)]
_Number = Annotated[int, Strict()] | Annotated[float, Strict(), AllowInfNan(allow_inf_nan=True)]  # 1 stays 1
_Seconds = Annotated[float, Strict(), Field(ge=0), AllowInfNan(allow_inf_nan=False)]


@dataclass(frozen=True)
class State:
    """All that the rest of a training depends on.

    Attributes:
        arrays: the values of the variables, in the model's own order.
        step: training steps done.
        epoch: the epoch under way (from 0), as many as `history` has rows.
        batch: steps done in it.
        seconds: spent in it.
        history: the rows of the epochs done.
        first_steps: seconds of the first step of each process that had a part in this.
        resumed: the steps from which the training was taken up.
    """

    arrays: Annotated[Sequence[NDArray[Any]], PlainValidator(list)]  # checked by NumPy
    step: _Count = 0
    epoch: _Count = 0
    batch: _Count = 0
    seconds: _Seconds = 0.0
    history: list[dict[str, _Number]] = field(default_factory=list)
    first_steps: list[_Seconds] = field(default_factory=list)
    resumed: list[_Count] = field(default_factory=list)


def encode(state: State, identity: Mapping[str, Any]) -> bytes:
    """Return a checkpoint's content; `identity` says in plain values what training it belongs to."""
    facts = {name: value for name, value in vars(state).items() if name != "arrays"}
    buffer = io.BytesIO()
    buffer.write(json.dumps({"identity": identity, "state": facts}).encode() + b"\n")
    np.savez(buffer, *state.arrays, allow_pickle=False)
    body = buffer.getvalue()
    return _head(body) + body


def decode(content: bytes, identity: Mapping[str, Any]) -> State:
    """Return the state in a checkpoint's content.

    Raises:
        CheckpointError: a byte is not what it was, the identity is another, or no training can go on from it.
    """
    head, newline, body = content.partition(b"\n")
    if head + newline != _head(body):
        raise CheckpointError("damaged")
    try:
        line, _, archive = body.partition(b"\n")
        facts = json.loads(line)
        found, wanted = facts["identity"], json.loads(json.dumps(identity))
        if found != wanted:
            other = sorted(name for name in found.keys() | wanted.keys() if found.get(name) != wanted.get(name))
            raise CheckpointError(f"of another {', '.join(other)}")
        state = _STATE.validate_python({"arrays": _arrays(archive), **facts["state"]})
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        where = ".".join(map(str, problem["loc"]))
        raise CheckpointError(f"not a checkpoint ({where}: {problem['msg']}, got {problem['input']!r:.60})") from None
    except _DAMAGES as error:
        raise CheckpointError(f"not a checkpoint ({type(error).__name__}: {error})") from None
    if state.epoch != len(state.history):
        raise CheckpointError(f"not a checkpoint ({state.epoch} epochs done, and {len(state.history)} in its history)")
    return state


def _arrays(archive: bytes) -> list[NDArray[Any]]:
    with np.load(io.BytesIO(archive), allow_pickle=False) as arrays:
        unpacked = sum(member.file_size for member in arrays.zip.infolist())
        if unpacked > len(archive):  # they are stored as they are: this would be somebody's zip bomb
            raise ValueError(f"{len(archive):,} bytes unpack to {unpacked:,}")
        found = [arrays[f"arr_{i}"] for i in range(len(arrays.files))]
    if not all(isinstance(one, np.ndarray) for one in found):  # NumPy gives the bytes of what is no array
        raise ValueError("a member is no array")
    return found


_STATE = TypeAdapter(State)
_DAMAGES = (  # what JSON, zip files and NumPy make of bytes that are none of theirs
    ValueError,
    TypeError,
    KeyError,
    AttributeError,
    OSError,
    EOFError,
    OverflowError,
    MemoryError,
    RecursionError,
    NotImplementedError,
    zlib.error,
    zipfile.BadZipFile,
)


def _head(body: bytes) -> bytes:
    return f"{FORMAT} sha256:{hashlib.sha256(body).hexdigest()}\n".encode()


class Checkpoints:
    """The checkpoints of one training in a folder of their own; trouble with the disk is noted, never raised.

    Args:
        folder: where they are; made when the first is saved. Nothing else should be kept there.
        identity: what training they belong to: one of another identity is passed over.
    """

    def __init__(self, folder: Path, identity: Mapping[str, Any]) -> None:
        """Remember the place; nothing is read or written yet."""
        self._folder, self._identity = folder, identity
        self._kept: list[Path] = []
        self._passed_over: list[str] = []
        self._failed: list[str] = []

    @property
    def notes(self) -> str:
        """What was passed over and what could not be written; empty where all went well."""
        failed = f"{len(self._failed)} not written, first {self._failed[0]}" if self._failed else ""
        return "; ".join([*self._passed_over, failed] if failed else self._passed_over)

    def latest(self) -> State | None:
        """Return the newest state that is whole and belongs to this training; None where there is none."""
        try:
            paths = sorted((path for path in self._folder.iterdir() if path.suffix == SUFFIX), reverse=True)
        except OSError:
            return None
        for path in paths:
            try:
                state = decode(path.read_bytes(), self._identity)
            except (CheckpointError, OSError) as error:
                self._passed_over.append(f"{path.name} passed over: {_reason(error)}")
            else:
                self._kept = [path]
                return state
        return None

    def save(self, state: State) -> None:
        """Write a state and remove all but the two newest; without success the ones before stay as they are."""
        path = self._folder / f"step-{state.step:010d}{SUFFIX}"
        try:
            write_atomically(path, encode(state, self._identity))
        except OSError as error:
            self._failed.append(f"at step {state.step}: {_reason(error)}")
            return
        self._kept = [*(older for older in self._kept if older != path), path][-KEPT:]
        _tidy(self._folder, self._kept)


def fetch(folder: Path, after: str = "") -> tuple[str, bytes] | None:
    """Return name and content of the newest checkpoint in a folder, to be sent elsewhere; None where none is newer.

    Args:
        folder: of one training's checkpoints, which may be written to and tidied meanwhile.
        after: the name of the one that was sent last.
    """
    with contextlib.suppress(OSError):
        newest = max((path for path in folder.iterdir() if path.suffix == SUFFIX), default=None)
        if newest is not None and newest.name > after:
            return newest.name, newest.read_bytes()
    return None


def place(folder: Path, name: str, content: bytes) -> None:
    """Put a checkpoint that `fetch` gave in a folder, in the place of all that are there.

    Raises:
        OSError: it can't be written; what was there stays.
    """
    path = folder / Path(name).name
    write_atomically(path, content)
    _tidy(folder, [path])


def _tidy(folder: Path, kept: Sequence[Path]) -> None:
    """Make the rename last, then remove older checkpoints and what a killed process left half-written."""
    flush(folder)
    with contextlib.suppress(OSError):
        for path in folder.iterdir():
            if (path.suffix == SUFFIX or path.name.startswith(PARTIAL)) and path not in kept:
                path.unlink()


def _reason(error: Exception) -> str:
    return (isinstance(error, OSError) and error.strerror) or str(error)
