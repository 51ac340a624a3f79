"""Pixels from image files: one size and one number of channels for all of them."""

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from vae.cache import remembered
from vae.datasets._formats import PIXELS, read_anew, what_it_is
from vae.datasets._notices import Depth, of_depths, of_frames, of_sizes
from vae.datasets._pixels import FILTER, FORMATS, Rules, decode, header
from vae.datasets._quiet import quiet
from vae.datasets._trees import Tree
from vae.errors import DataError

__all__ = ["pixel_revision", "read_images", "resize_images"]

_LARGEST_DATA = 2**34  # bytes of all pixels together
# Of files so called none is read anew (see `read_anew`), so that a large folder of photographs is not looked through.
_SETTLED = (".gif", ".jfif", ".jpe", ".jpeg", ".jpg", ".pbm", ".pgm", ".pnm", ".ppm")

T = TypeVar("T")


def read_images(tree: Tree, names: Sequence[str], rules: Rules) -> tuple[NDArray[np.uint8], tuple[str, ...]]:
    """Read images as (n, height, width, channels): one channel if all are grey by their mode or palette, else three.

    Transparent pixels are laid over white, 16-bit ones are scaled by 255 / 65535, 12-bit ones by 255 / 4095, and
    photographs are turned the way their camera says. Returned with the images is what a user should know of them, a
    line an item.

    Raises:
        BrokenImagesError: an image cannot be read (all such are counted, the first are named).
        DataError: they are too large.
    """
    with tree.reader() as read, quiet(), ThreadPoolExecutor() as pool:
        headers = _mapped(pool, tree, read, names, lambda _, __, content: header(content))
        height, width = rules.size or _commonest([one.size for one in headers])
        channels = 3 if rules.colour or not all(one.grey for one in headers) else 1
        needed = len(names) * height * width * channels
        if needed > _LARGEST_DATA:
            raise DataError(
                f"{tree.path}: {len(names):,} images of {height} x {width} x {channels} take {needed / 2**30:.0f} GiB, "
                f"more than {_LARGEST_DATA / 2**30:.0f}: set data.size = [height, width] to something smaller",
            )
        pixels = np.empty((len(names), height, width, channels), np.uint8)
        exact = Rules((height, width), rules.crop)

        def store(index: int, name: str, content: bytes) -> Depth | None:
            if name.lower().endswith(_SETTLED) and read_anew(content):
                raise DataError("is of another format than its name says: rename it after its format")
            pixels[index], depth = decode(content, channels, exact)
            return depth

        depths = [depth for depth in _mapped(pool, tree, read, names, store) if depth is not None]
    notices = [
        *([] if rules.size else of_sizes([one.size for one in headers], (height, width))),
        *of_frames([one.frames for one in headers]),
        *of_depths(depths, pixels),
    ]
    return pixels, tuple(notices)


def pixel_revision(tree: Tree, content: str) -> dict[str, int]:
    """Return the setting that tells pixels from those of earlier versions, where any image is one of `read_anew`.

    Args:
        tree: the images.
        content: the SHA-256 of their names and contents, under which the answer is remembered.

    Raises:
        DataError: a file cannot be read.
    """
    anew = remembered(f"pixels {PIXELS} of {content}", partial(_any_anew, tree))
    return {"pixels": PIXELS} if anew else {}


def _any_anew(tree: Tree) -> bool:
    with tree.reader() as read:
        for name in tree.names:
            if name.lower().endswith(_SETTLED):
                continue
            try:
                if read_anew(read(name)):
                    return True
            except DataError as error:
                raise DataError(f"{tree.path}: {name}: {error}") from None
    return False


def resize_images(images: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Stretch images (n, height, width, channels) to `size` (height, width); those that fit stay as they are."""
    if images.shape[1:3] == size:
        return images
    resized = np.empty((len(images), *size, images.shape[3]), np.uint8)
    for image, target in zip(images, resized, strict=True):
        if image.shape[2] == 3:  # noqa: PLR2004 - red, green, blue
            target[:] = np.asarray(Image.fromarray(image).resize(size[::-1], FILTER))
            continue
        for channel in range(image.shape[2]):
            target[..., channel] = np.asarray(Image.fromarray(image[..., channel]).resize(size[::-1], FILTER))
    return resized


def _mapped(
    pool: ThreadPoolExecutor,
    tree: Tree,
    read: Callable[[str], bytes],
    names: Sequence[str],
    work: Callable[[int, str, bytes], T],
) -> list[T]:
    """Do `work` for each name and its content; name all that fail in one error."""

    def attempt(index: int, name: str) -> tuple[T | None, str]:
        content = b""
        try:
            content = read(name)
            return work(index, name, content), ""
        except DataError as error:
            return None, str(error)
        except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
            return None, f"far too large: {error}"
        except UnidentifiedImageError:
            return None, what_it_is(content, ", ".join(FORMATS))
        except Exception as error:  # noqa: BLE001 - decoders fed damaged bytes raise whatever they like
            return None, f"no readable image: {str(error) or type(error).__name__}"

    outcomes = list(pool.map(attempt, range(len(names)), names))
    if broken := {name: reason for name, (_, reason) in zip(names, outcomes, strict=True) if reason}:
        raise tree.broken(broken, names)
    return [outcome for outcome, _ in outcomes]  # type: ignore[misc]  # without a reason there is an outcome


def _commonest(sizes: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """Return the most common size, the largest of those equally common."""
    return max(Counter(sizes).items(), key=lambda item: (item[1], item[0][0] * item[0][1], item[0]))[0]
