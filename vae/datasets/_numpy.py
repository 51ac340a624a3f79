"""NumPy's files, `.npy` and `.npz`: listed without reading the arrays, and read without unpickling anything."""

import math
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from vae.errors import DataError

__all__ = ["Listed", "list_arrays", "read_array", "refuse_objects"]

_LARGEST = 2**34  # bytes of one array
_MAGIC = b"\x93NUMPY"
_ENDING = ".npy"


@dataclass(frozen=True)
class Listed:
    """An array as its header describes it.

    Attributes:
        shape: of the array.
        dtype: of its elements.
        member: its place in a `.npz`; empty for a `.npy`, which is one array.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    member: str
    fortran: bool
    size: int


def list_arrays(path: Path) -> Mapping[str, Listed]:
    """Return what a file of NumPy's holds, by name; the one array of a `.npy` is called `images`.

    Raises:
        DataError: it is no such file, or it is damaged.
    """
    with _named(path):
        with path.open("rb") as file:
            begins = file.read(len(_MAGIC))
        if begins == _MAGIC:
            return {"images": _listed(path, "")}
        if not zipfile.is_zipfile(path):
            got = f"begins with {begins.hex()}" if begins else "is empty"
            raise DataError(f"{got}, expected a .npy or .npz file as NumPy's save and savez write them")
        with zipfile.ZipFile(path) as archive:
            members = [name for name in archive.namelist() if name.endswith(_ENDING)]
        if not members:
            raise DataError(f"is a zip file, but holds no array (nothing that ends in {_ENDING})")
        return {name.removesuffix(_ENDING): _listed(path, name) for name in members}


def read_array(path: Path, listed: Listed) -> NDArray[Any]:
    """Return an array; one that lies in a `.npy` stays on disk until it is looked at.

    Raises:
        DataError: it is damaged, or holds Python objects.
    """
    refuse_objects(path, listed)
    with _named(path, listed.member):
        if listed.size > _LARGEST:
            raise DataError(f"takes {listed.size / 2**30:.0f} GiB, more than the {_LARGEST / 2**30:.0f} that are read")
        if not listed.member:
            return np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))
        flat = np.empty(listed.size, np.uint8)
        with _opened(path, listed.member) as file:
            _header(file)
            # Not one byte more than the header makes expected, whatever is packed.
            if _fill(file, flat) != listed.size or file.read(1):
                raise DataError("is not as long as its header says")
        return flat.view(listed.dtype).reshape(listed.shape, order="F" if listed.fortran else "C")


def refuse_objects(path: Path, listed: Listed) -> None:
    """Raise DataError for an array of Python objects: they are pickles, which run what they say."""
    if listed.dtype.hasobject:
        with _named(path, listed.member):
            raise DataError("holds Python objects, which only unpickling could read; save numbers or fixed-length text")


def _fill(file: IO[bytes], flat: NDArray[np.uint8]) -> int:
    done, view = 0, memoryview(flat)  # type: ignore[arg-type]  # an array is a buffer
    while done < len(flat) and (piece := file.read(min(2**24, len(flat) - done))):
        view[done : done + len(piece)] = piece
        done += len(piece)
    return done


def _listed(path: Path, member: str) -> Listed:
    with _named(path, member), _opened(path, member) as file:
        shape, fortran, dtype = _header(file)
        size, offset = math.prod(shape) * dtype.itemsize, file.tell()
        held = _length(path, member) - offset
        if held != size and not dtype.hasobject:
            raise DataError(f"{held:,} bytes, but its header of {dtype} {shape} makes {size:,} expected: cut short?")
        return Listed(shape, dtype, member, fortran, size)


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a header that Python 2 wrote is as good
        version = npy.read_magic(file)
        if version not in {(1, 0), (2, 0)}:
            raise DataError(
                f"is of version {version[0]}.{version[1]} of the format, expected 1.0 or 2.0: numbers alone"
            )
        return npy.read_array_header_1_0(file) if version == (1, 0) else npy.read_array_header_2_0(file)


@contextmanager
def _opened(path: Path, member: str) -> Iterator[IO[bytes]]:
    if not member:
        with path.open("rb") as file:
            yield file
    else:
        with zipfile.ZipFile(path) as archive, archive.open(member) as file:
            yield file


def _length(path: Path, member: str) -> int:
    if not member:
        return path.stat().st_size
    with zipfile.ZipFile(path) as archive:
        return archive.getinfo(member).file_size


@contextmanager
def _named(path: Path, member: str = "") -> Iterator[None]:
    """Name the file, and the array in it, in every error."""
    where = f"{path}: {member.removesuffix(_ENDING)}" if member else str(path)
    try:
        yield
    except DataError as error:
        raise DataError(str(error) if str(error).startswith(str(path)) else f"{where}: {error}") from None
    except Exception as error:  # noqa: BLE001 - damaged headers and archives raise whatever they like
        raise DataError(f"{where}: cannot be read: {str(error) or type(error).__name__}") from None
