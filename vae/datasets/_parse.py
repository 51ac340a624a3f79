"""The two official file formats: IDX (MNIST and its kin) and CIFAR's Python batches."""

import io
import math
import pickle
import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vae.errors import DataError

__all__ = ["format_idx", "parse_batch", "parse_idx"]

_UINT8 = 0x08  # the IDX code of the only element type that these data sets use
_SIDE = 32  # pixels of a CIFAR image


def parse_idx(content: bytes, name: str) -> NDArray[np.uint8]:
    """Read an IDX file of bytes: two zeros, type 8, the number of dimensions, their sizes (big-endian), the elements.

    Raises:
        DataError: the magic number or the length is not what it should be; `name` is in the message.
    """
    if len(content) < 4 or content[:3] != bytes((0, 0, _UINT8)):  # noqa: PLR2004
        raise DataError(f"{name}: begins with {content[:4].hex() or 'nothing'}, expected the IDX magic number 000008xx")
    dimensions = content[3]
    start = 4 + 4 * dimensions
    if not dimensions or len(content) < start:
        raise DataError(f"{name}: {len(content)} bytes are too few for an IDX header of {dimensions} dimensions")
    shape = struct.unpack(f">{dimensions}I", content[4:start])
    expected = start + math.prod(shape)
    if len(content) != expected:
        raise DataError(f"{name}: {len(content):,} bytes, but its header of shape {shape} makes {expected:,} expected")
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)


def format_idx(array: NDArray[np.uint8]) -> bytes:
    """Write an array of bytes as an IDX file, the inverse of `parse_idx`.

    >>> format_idx(np.array([7], np.uint8)).hex()
    '000008010000000107'
    """
    header = bytes((0, 0, _UINT8, array.ndim)) + struct.pack(f">{array.ndim}I", *array.shape)
    return header + np.ascontiguousarray(array, np.uint8).tobytes()


def parse_batch(content: bytes, name: str, label_key: str) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Read a batch of CIFAR: images (n, 32, 32, 3) and labels (n,).

    Call it only with content whose checksum is the published one. No code of the pickle's choosing is run even so: of
    the three names that the official files refer to, inert stand-ins are built, and any other name is refused.

    Raises:
        DataError: the pickle is damaged, refers to anything else, or holds no such batch.
    """
    try:
        batch = _Unpickler(io.BytesIO(content), encoding="bytes").load()
        batch = {key.decode() if isinstance(key, bytes) else key: value for key, value in batch.items()}
        pixels, labels = batch["data"].array, np.asarray(batch[label_key], np.int64)
        planes = pixels.reshape(len(labels), 3, _SIDE, _SIDE)
    except DataError:
        raise
    except Exception as error:  # noqa: BLE001 - a damaged pickle raises whatever it likes
        raise DataError(f"{name}: is no CIFAR batch with 'data' and '{label_key}': {error!r}") from None
    return np.ascontiguousarray(planes.transpose(0, 2, 3, 1)), labels


class _Array:
    """Stands in for an array of bytes, whose state NumPy pickles as (version, shape, dtype, Fortran order, bytes)."""

    array: NDArray[np.uint8]

    def __init__(self, *_: object) -> None:
        """Ignore the arguments of NumPy's own constructor."""

    def __setstate__(self, state: Sequence[Any]) -> None:
        """Take shape and bytes; the length decides whether these are bytes at all."""
        _, shape, _, fortran, content = state
        self.array = np.frombuffer(content, np.uint8).reshape(shape, order="F" if fortran else "C")


class _Type:
    """Stands in for NumPy's dtype."""

    def __init__(self, *_: object) -> None:
        """Ignore the arguments."""

    def __setstate__(self, state: object) -> None:
        """Ignore the state: every array is read as bytes."""


class _Unpickler(pickle.Unpickler):
    _STAND_INS = {  # noqa: RUF012 - never changed
        ("numpy.core.multiarray", "_reconstruct"): _Array,
        ("numpy._core.multiarray", "_reconstruct"): _Array,
        ("numpy", "ndarray"): _Array,
        ("numpy", "dtype"): _Type,
    }

    def find_class(self, module: str, name: str) -> type:
        if (module, name) not in self._STAND_INS:
            raise DataError(f"the pickle asks for {module}.{name}, which no official file does; it is not read")
        return self._STAND_INS[module, name]
