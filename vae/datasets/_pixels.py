"""One image file: its size, and its pixels."""

import io
from contextlib import nullcontext
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vae.datasets._formats import PNG_LEVELS, Tiff, orientation, png_depth, png_transparency, tiff, unused_alpha
from vae.datasets._notices import Depth
from vae.datasets._quiet import muted
from vae.errors import DataError

__all__ = ["FILTER", "FORMATS", "Header", "Rules", "decode", "header", "to_8_bit"]

FILTER = Image.Resampling.BILINEAR  # averages over the pixels it takes away, and never overshoots
_DEEP_MODES = frozenset({"I", "I;16", "I;16B", "I;16L", "I;16N"})
_GREY_MODES = frozenset({"1", "L", "LA", "La"}) | _DEEP_MODES
_LARGEST_IMAGE = 2**26  # pixels; Pillow itself only warns up to a larger number
_WHITE = 65535  # of 16 bits
_ORIENTATION = 0x0112  # the EXIF tag
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_ON_THE_SIDE = frozenset({5, 6, 7, 8})
_FRAMED = frozenset({"GIF", "PNG", "TIFF", "WEBP"})  # a JPEG's further pictures are previews of the first
# Only these decoders are let near a file, whatever it is called: some of the others start programs.
FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")


@dataclass(frozen=True)
class Rules:
    """How images become arrays.

    Attributes:
        size: (height, width) to resize to; None resizes to the most common size, if they differ.
        crop: cut to the proportions of `size` about the centre first, rather than stretch.
        colour: three channels, even where all images are grey.
    """

    size: tuple[int, int] | None = None
    crop: bool = False
    colour: bool = False


@dataclass(frozen=True)
class Header:
    size: tuple[int, int]
    grey: bool
    frames: int


def _open(content: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(content), formats=FORMATS)
    if image.width * image.height > _LARGEST_IMAGE:
        raise DataError(f"{image.width} x {image.height} pixels, more than the {_LARGEST_IMAGE:,} that are read")
    return image


def _turn(image: Image.Image, content: bytes) -> int:
    """Return the EXIF orientation; 1 for a TIFF, which Pillow turns by itself."""
    if image.format in {"JPEG", "MPO"}:
        said = image.getexif().get(_ORIENTATION, 1)
        return said if isinstance(said, int) else 1
    return orientation(content)  # Pillow would decode the whole image to find it


def header(content: bytes) -> Header:
    """Return what is known of an image file without decoding it.

    Raises:
        DataError: the image is too large.
    """
    with _open(content) as image:
        grey = image.mode in _GREY_MODES
        if image.mode == "P":
            palette = np.frombuffer(image.convert("RGB").tobytes(), np.uint8).reshape(-1, 3)
            grey = bool((palette == palette[:, :1]).all())
        lies = _turn(image, content) in _ON_THE_SIDE
        size = (image.width, image.height) if lies else (image.height, image.width)
        return Header(size, grey, _frames(image))


def _frames(image: Image.Image) -> int:
    if image.format not in _FRAMED:
        return 1
    try:
        return int(getattr(image, "n_frames", 1))
    except Exception:  # noqa: BLE001 - the first is read; what is wrong with the others plays no part
        return 1


def decode(content: bytes, channels: int, rules: Rules) -> tuple[NDArray[np.uint8], Depth | None]:
    """Return an image file's pixels (height, width, channels), and what a deep grey image used of its bits.

    Raises:
        DataError: the image is too large, or it is not known what its samples mean.
    """
    with _open(content) as opened:
        turn = _turn(opened, content)
        stored = tiff(content) if opened.format == "TIFF" else None
        if stored is not None:
            _mind_samples(opened, stored)
        with muted() if opened.format == "TIFF" else nullcontext():
            opened.load()
        image, depth = _shallow(opened, content, stored)
        image = _over_white(image, content)
        if turn in _TURNS:
            image = image.transpose(_TURNS[turn])
        # By way of RGB, since a palette's grey is converted with weights that round; there the channels are equal.
        image = image if image.mode == "L" else image.convert("RGB")
        image = image.convert("RGB") if channels == 3 else image.getchannel(0)  # noqa: PLR2004
        height, width = rules.size or (image.height, image.width)
        if rules.crop:
            image = image.crop(_centre(image.size, height, width))
        if image.size != (width, height):
            image = image.resize((width, height), FILTER)
        return np.asarray(image).reshape(height, width, channels), depth


def _mind_samples(image: Image.Image, stored: Tiff) -> None:
    """Refuse signed bytes, and have 16-bit planes taken for what they are: Pillow takes both for bytes without sign."""
    if stored.bits == 8 and stored.signed:  # noqa: PLR2004
        raise DataError("has signed 8-bit pixels, of which it is not known which is black; save it with unsigned ones")
    if stored.bits == 16 and stored.planes:  # noqa: PLR2004
        order = "B" if stored.big_endian else "L"
        tiles = image.tile  # type: ignore[attr-defined]  # every opened file has some
        tiles[:] = [tile._replace(args=(f"{tile.args[0]};16{order}", *tile.args[1:])) for tile in tiles]


def _shallow(image: Image.Image, content: bytes, stored: Tiff | None) -> tuple[Image.Image, Depth | None]:
    """Return the image with 8 bits a sample, and what it used of more; a transparent colour becomes white."""
    if image.mode == "F":
        raise DataError("has floating-point pixels, whose range is not known; save it with 8 or 16 bits")
    level = PNG_LEVELS.get(png_depth(content), 0)
    clear = png_transparency(content)
    if image.mode not in _DEEP_MODES:
        if clear is None or png_depth(content) == 8:  # noqa: PLR2004
            return image, None
        return _without_colour(image, clear, level), None
    white = 4095 if stored is not None and stored.bits == 12 else _WHITE  # noqa: PLR2004
    raw = np.asarray(image)
    if stored is not None and stored.white_is_zero:
        raw = white - raw
    pixels = to_8_bit(raw, white)
    if clear is not None:
        pixels[raw == clear[0]] = 255
    return Image.fromarray(pixels), Depth(white.bit_length(), int(raw.max()), len(np.unique(raw)))


def _without_colour(image: Image.Image, clear: tuple[int, ...], level: int) -> Image.Image:
    """Return the image with its transparent colour white: Pillow compares samples of other bits than it has decoded."""
    pixels = np.array(image.convert("L") if image.mode == "1" else image)
    if pixels.ndim == 2:  # noqa: PLR2004 - grey
        pixels[pixels == clear[0] * level] = 255
    elif (pixels == np.array(clear) >> 8).all(axis=-1).any():
        raise DataError(
            "has 16 bits a sample and a transparent colour, which 8 bits cannot tell from its neighbours; save it with "
            "an alpha channel"
        )
    return Image.fromarray(pixels)


def _over_white(image: Image.Image, content: bytes) -> Image.Image:
    if not image.has_transparency_data:
        return image
    if unused_alpha(content):
        return image.convert("RGB")
    image = (image.convert("LA") if image.mode == "La" else image).convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)


def _centre(size: tuple[int, int], height: int, width: int) -> tuple[int, int, int, int]:
    """Return the largest box (left, top, right, bottom) of the proportions width : height about the centre."""
    across, down = size
    cut_across = min(across, max(1, down * width // height))
    cut_down = min(down, max(1, across * height // width))
    left, top = (across - cut_across) // 2, (down - cut_down) // 2
    return left, top, left + cut_across, top + cut_down


def to_8_bit(pixels: NDArray[np.integer], white: int = _WHITE) -> NDArray[np.uint8]:
    """Scale pixels of more bits by 255 / white, rounded; white is 65535 for 16 bits.

    Raises:
        DataError: a pixel is outside 0 to white.
    """
    wide = pixels.astype(np.int64)
    if wide.min() < 0 or wide.max() > white:
        raise DataError(f"pixels reach from {wide.min()} to {wide.max()}, expected 8 or 16 bits (0 to {white})")
    return ((wide * 255 + white // 2) // white).astype(np.uint8)
