"""Many small pictures as one image that a page holds in itself."""

import base64
import io
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray
from PIL import Image

__all__ = ["Sprite", "sprite"]

_LARGEST = 64  # pixels of a picture's side: what is larger costs megabytes, and is shown no larger
_COLOUR = 3


@dataclass(frozen=True)
class Sprite:
    """Pictures of one size, laid out in rows without gaps.

    Attributes:
        uri: the image, as a data URI.
        rows: of pictures.
        columns: of pictures.
        height: of one picture, in pixels.
        width: of one picture, in pixels.
    """

    uri: Markup
    rows: int
    columns: int
    height: int
    width: int


def sprite(pictures: NDArray[Any]) -> Sprite:
    """Lay (rows, columns, h, w, c) uint8 pictures out as one image, without loss: WebP, a third smaller than PNG.

    Pictures of more than 64 pixels a side are made smaller by whole steps, each pixel the mean of those it stands for.
    """
    pictures = np.asarray(pictures, np.uint8)
    step = -(-max(pictures.shape[2:4]) // _LARGEST)
    pictures = _smaller(pictures, step) if step > 1 else pictures
    rows, columns, height, width, channels = pictures.shape
    whole = pictures.transpose(0, 2, 1, 3, 4).reshape(rows * height, columns * width, channels)
    pixels = whole[..., :_COLOUR] if channels >= _COLOUR else whole[..., 0]
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(buffer, "WEBP", lossless=True, quality=60, method=4)
    uri = Markup(f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode()}")  # noqa: S704 - base64 alone
    return Sprite(uri, rows, columns, height, width)


def _smaller(pictures: NDArray[np.uint8], step: int) -> NDArray[np.uint8]:
    """Return means over blocks of `step` x `step` pixels; what is left over at the right and the bottom is cut off."""
    rows, columns, height, width, channels = pictures.shape
    high, wide = height // step, width // step
    kept = pictures[:, :, : high * step, : wide * step].reshape(rows, columns, high, step, wide, step, channels)
    smaller: NDArray[np.uint8] = np.rint(kept.mean(axis=(3, 5), dtype=np.float32)).astype(np.uint8)
    return smaller
