import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from vae.datasets._parse import format_idx, parse_batch, parse_idx
from vae.errors import DataError


@given(arrays.arrays(np.uint8, arrays.array_shapes(max_dims=3, max_side=5)))
def test_idx_there_and_back(array: NDArray[Any]) -> None:
    assert np.array_equal(parse_idx(format_idx(array), "x"), array)


def test_idx_is_big_endian_with_its_type_and_dimensions_first() -> None:
    content = bytes([0, 0, 8, 2, 0, 0, 0, 1, 0, 0, 0, 2, 5, 6])
    assert parse_idx(content, "x").tolist() == [[5, 6]]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "nothing, expected the IDX magic number"),
        (b"\x00\x00\x0d\x01\x00\x00\x00\x01\x05", "00000d01, expected the IDX magic number"),
        (b"\x1f\x8b\x08\x00", "1f8b0800"),
        (b"\x00\x00\x08\x00", "too few for an IDX header of 0"),
        (b"\x00\x00\x08\x03\x00\x00", "too few for an IDX header of 3"),
        (b"\x00\x00\x08\x01\x00\x00\x00\x04ab", r"10 bytes, but its header of shape \(4,\) makes 12"),
        (b"\x00\x00\x08\x01\x00\x00\x00\x01abc", "11 bytes, but .* makes 9"),
    ],
)
def test_what_is_no_idx_file_is_named(content: bytes, message: str) -> None:
    with pytest.raises(DataError, match=rf"^some-file: .*{message}"):
        parse_idx(content, "some-file")


@pytest.mark.parametrize("protocol", [3, 4])
def test_a_batch_is_three_planes_an_image(protocol: int) -> None:
    data = np.arange(2 * 3072).astype(np.uint8).reshape(2, 3072)
    content = pickle.dumps({b"data": data, b"fine_labels": [7, 3], b"coarse_labels": [1, 1]}, protocol=protocol)
    images, labels = parse_batch(content, "x", "fine_labels")
    assert images.shape == (2, 32, 32, 3)
    assert images[1, 2, 5].tolist() == [data[1, plane * 1024 + 2 * 32 + 5] for plane in range(3)]
    assert labels.tolist() == [7, 3]
    assert labels.dtype == np.int64


def test_a_batch_as_python_2_wrote_it() -> None:
    pixels = bytes(range(256)) * 12
    length = len(pixels).to_bytes(4, "little")
    content = (
        b"\x80\x02}(U\x04datacnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R(K\x01K\x01M\x00\x0c"
        b"\x86cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89T"
        + length
        + pixels
        + b"tbU\x06labels]K\x07au."
    )
    images, labels = parse_batch(content, "x", "labels")
    assert images[0, 0, :3, 0].tolist() == [0, 1, 2]
    assert labels.tolist() == [7]


class Nasty:
    def __reduce__(self) -> tuple[Any, ...]:
        return print, ("run",)


def test_a_pickle_that_asks_for_code_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(DataError, match=r"asks for builtins\.print"):
        parse_batch(pickle.dumps({b"data": Nasty(), b"labels": []}), "x", "labels")
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no pickle",
        pickle.dumps([1]),
        pickle.dumps({b"data": b"", b"labels": [1]}),
        pickle.dumps({b"data": np.zeros((2, 3072), np.uint8), b"labels": [1]}, protocol=4),
        pickle.dumps({b"data": np.zeros((1, 3072), np.float32), b"labels": [1]}, protocol=4),
        pickle.dumps({b"data": np.zeros((1, 3072), np.uint8)}, protocol=4),
    ],
)
def test_what_is_no_batch_is_named(content: bytes) -> None:
    with pytest.raises(DataError, match=r"^some-file: is no CIFAR batch"):
        parse_batch(content, "some-file", "labels")
