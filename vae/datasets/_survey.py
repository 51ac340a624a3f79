"""What is where: the facts behind `vaebench data list` and `vaebench data check`."""

from dataclasses import dataclass

from vae.datasets._arrays import SMALLEST_SIDE
from vae.datasets._base import DATASETS, DataSpec
from vae.datasets._images import read_images
from vae.datasets._load import check_cache, entry_for, fingerprint_of
from vae.datasets._pixels import Rules
from vae.datasets._trees import BrokenImagesError
from vae.errors import DataError, SpecError

__all__ = ["Facts", "check", "survey"]


@dataclass(frozen=True)
class Facts:
    """What is known of a data set without decoding it.

    Attributes:
        name: its name in `DATASETS`.
        title: as reports print it.
        found: whether `load` would need nothing more.
        where: the place, or in a line why it was not found; `load` and `check` say it at length.
        train: training images, if known.
        test: test images, if known.
        shape: (height, width, channels), if known.
        checksum: of the whole data set with the settings' defaults, if found.
        licence: the terms of use.
        source: whom to cite.
    """

    name: str
    title: str
    found: bool
    where: str
    train: int | None
    test: int | None
    shape: tuple[int, int, int] | None
    checksum: str | None
    licence: str
    source: str


def survey() -> list[Facts]:
    """Return the facts of every data set, in alphabetical order; nothing is downloaded or decoded."""
    return [_facts(name) for name in DATASETS]


def check(name: str, path: str | None = None) -> list[str]:
    """Read a data set whole, verifying every file, and return what was found, a line an item; nothing is downloaded.

    Raises:
        DataError: a file is missing or damaged; all such images are named.
        SpecError: there is no such data set, or `path` is missing or not taken.
    """
    spec = DataSpec(name=name, path=path)
    entry = entry_for(spec)
    try:
        lines = entry.check(spec)
    except BrokenImagesError as error:
        raise DataError(_all_broken(error)) from None
    return [*lines, *check_cache(entry.open(spec, download=False).content)]


def _all_broken(error: BrokenImagesError) -> str:
    """Name every image that cannot be read: whoever met the first may not have looked at the pixels of the others."""
    tree, names, reasons = error.tree, error.names, dict(error.reasons)
    while sound := [name for name in names if name not in reasons]:
        try:
            read_images(tree, sound, Rules((SMALLEST_SIDE, SMALLEST_SIDE)))
        except BrokenImagesError as more:
            reasons |= more.reasons
        else:
            break
    return str(tree.broken(reasons, names, most=len(reasons)))


def _facts(name: str) -> Facts:
    entry = DATASETS[name]
    spec = DataSpec(name=name)
    try:
        opened = entry_for(spec).open(spec, download=False)
    except (DataError, SpecError) as error:
        return Facts(
            name=name,
            title=entry.title,
            found=False,
            where="needs data.path" if entry.takes_path == "required" else str(error).partition("\n")[0],
            train=None,
            test=None,
            shape=None,
            checksum=None,
            licence=entry.licence,
            source=entry.source,
        )
    return Facts(
        name=name,
        title=entry.title,
        found=True,
        where=opened.where,
        train=opened.counts[0] if opened.counts else None,
        test=opened.counts[1] if opened.counts else None,
        shape=opened.shape,
        checksum=fingerprint_of(spec, opened),
        licence=entry.licence,
        source=entry.source,
    )
