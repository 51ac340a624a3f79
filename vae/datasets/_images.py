"""Pixels from image files: one size and one number of channels for all of them."""

import io
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from vae.datasets._trees import Tree
from vae.errors import DataError

__all__ = ["Rules", "read_images", "resize_images", "to_8_bit"]

_FILTER = Image.Resampling.BILINEAR  # averages over the pixels it takes away, and never overshoots
_DEEP_MODES = frozenset({"I", "I;16", "I;16B", "I;16L", "I;16N"})
_GREY_MODES = frozenset({"1", "L", "LA"}) | _DEEP_MODES
_LARGEST_IMAGE = 2**26  # pixels; Pillow itself only warns up to a larger number
_LARGEST_DATA = 2**34  # bytes of all pixels together
_ORIENTATION = 0x0112  # the EXIF tag
# Only these decoders are let near a file, whatever it is called: some of the others start programs.
_FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")

T = TypeVar("T")


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
class _Header:
    size: tuple[int, int]
    grey: bool


def read_images(tree: Tree, names: Sequence[str], rules: Rules) -> NDArray[np.uint8]:
    """Read images as (n, height, width, channels): one channel if all are grey by their mode or palette, else three.

    Transparent pixels are laid over white, 16-bit ones are scaled by 255 / 65535, and photographs are turned the way
    their camera says.

    Raises:
        BrokenImagesError: an image cannot be read (all such are counted, the first are named).
        DataError: they are too large.
    """
    with tree.reader() as read, warnings.catch_warnings(), ThreadPoolExecutor() as pool:
        # Only a warning up to twice Pillow's limit, but nothing that large is read here.
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        warnings.simplefilter("ignore", UserWarning)  # odd metadata; what damages pixels is an error
        headers = _mapped(pool, tree, names, lambda _, name: _header(read(name)))
        height, width = rules.size or _commonest([header.size for header in headers])
        channels = 3 if rules.colour or not all(header.grey for header in headers) else 1
        needed = len(names) * height * width * channels
        if needed > _LARGEST_DATA:
            raise DataError(
                f"{tree.path}: {len(names):,} images of {height} x {width} x {channels} take {needed / 2**30:.0f} GiB, "
                f"more than {_LARGEST_DATA / 2**30:.0f}: set data.size = [height, width] to something smaller",
            )
        pixels = np.empty((len(names), height, width, channels), np.uint8)
        exact = Rules((height, width), rules.crop)

        def store(index: int, name: str) -> None:
            pixels[index] = _pixels(read(name), channels, exact)

        _mapped(pool, tree, names, store)
    return pixels


def resize_images(images: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Stretch images (n, height, width, channels) to `size` (height, width); those that fit stay as they are."""
    if images.shape[1:3] == size:
        return images
    resized = np.empty((len(images), *size, images.shape[3]), np.uint8)
    for image, target in zip(images, resized, strict=True):
        small = Image.fromarray(image[..., 0] if image.shape[2] == 1 else image).resize(size[::-1], _FILTER)
        target[:] = np.asarray(small).reshape(target.shape)
    return resized


def to_8_bit(pixels: NDArray[np.integer]) -> NDArray[np.uint8]:
    """Scale 16-bit pixels by 255 / 65535, rounded.

    Raises:
        DataError: a pixel is outside 0 to 65535.
    """
    wide = pixels.astype(np.int64)
    if wide.min() < 0 or wide.max() > 65535:  # noqa: PLR2004
        raise DataError(f"pixels reach from {wide.min()} to {wide.max()}, expected 8 or 16 bits (0 to 65535)")
    return ((wide * 255 + 32767) // 65535).astype(np.uint8)


def _mapped(
    pool: ThreadPoolExecutor,
    tree: Tree,
    names: Sequence[str],
    work: Callable[[int, str], T],
) -> list[T]:
    """Do `work` for each name; name all that fail in one error."""

    def attempt(index: int, name: str) -> tuple[T | None, str]:
        try:
            return work(index, name), ""
        except DataError as error:
            return None, str(error)
        except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
            return None, f"far too large: {error}"
        except UnidentifiedImageError:
            return None, f"no readable image: none of {', '.join(_FORMATS)}"
        except Exception as error:  # noqa: BLE001 - decoders fed damaged bytes raise whatever they like
            return None, f"no readable image: {str(error) or type(error).__name__}"

    outcomes = list(pool.map(attempt, range(len(names)), names))
    if broken := {name: reason for name, (_, reason) in zip(names, outcomes, strict=True) if reason}:
        raise tree.broken(broken, names)
    return [outcome for outcome, _ in outcomes if outcome is not None]


def _open(content: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(content), formats=_FORMATS)
    if image.width * image.height > _LARGEST_IMAGE:
        raise DataError(f"{image.width} x {image.height} pixels, more than the {_LARGEST_IMAGE:,} that are read")
    return image


def _is_turned(image: Image.Image) -> bool:
    # Photographs are JPEGs; to ask other formats is to decode them.
    return image.format in {"JPEG", "MPO"} and image.getexif().get(_ORIENTATION, 1) in {5, 6, 7, 8}


def _header(content: bytes) -> _Header:
    with _open(content) as image:
        grey = image.mode in _GREY_MODES
        if image.mode == "P":
            palette = np.frombuffer(image.convert("RGB").tobytes(), np.uint8).reshape(-1, 3)
            grey = bool((palette == palette[:, :1]).all())
        height, width = (image.width, image.height) if _is_turned(image) else (image.height, image.width)
        return _Header((height, width), grey)


def _commonest(sizes: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """Return the most common size, the largest of those equally common."""
    return max(Counter(sizes).items(), key=lambda item: (item[1], item[0][0] * item[0][1], item[0]))[0]


def _pixels(content: bytes, channels: int, rules: Rules) -> NDArray[np.uint8]:
    with _open(content) as opened:
        image = opened
        image.load()
        if image.mode == "F":
            raise DataError("has floating-point pixels, whose range is not known; save it with 8 or 16 bits")
        if image.mode in _DEEP_MODES:
            image = Image.fromarray(to_8_bit(np.asarray(image)))
        if opened.format in {"JPEG", "MPO"}:
            image = ImageOps.exif_transpose(image)
        if image.has_transparency_data:
            image = image.convert("RGBA")
            image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
        # By way of RGB, since a palette's grey is converted with weights that round; there the channels are equal.
        image = image if image.mode == "L" else image.convert("RGB")
        image = image.convert("RGB") if channels == 3 else image.getchannel(0)  # noqa: PLR2004
        height, width = rules.size or (image.height, image.width)
        if rules.crop:
            image = image.crop(_centre(image.size, height, width))
        if image.size != (width, height):
            image = image.resize((width, height), _FILTER)
        return np.asarray(image).reshape(height, width, channels)


def _centre(size: tuple[int, int], height: int, width: int) -> tuple[int, int, int, int]:
    """Return the largest box (left, top, right, bottom) of the proportions width : height about the centre."""
    across, down = size
    cut_across = min(across, max(1, down * width // height))
    cut_down = min(down, max(1, across * height // width))
    left, top = (across - cut_across) // 2, (down - cut_down) // 2
    return left, top, left + cut_across, top + cut_down
