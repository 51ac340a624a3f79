"""Which files are images, by their names, and what is said of those that are passed over."""

from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath

__all__ = ["EXTENSIONS", "is_hidden", "is_image", "unfollowed", "unread"]

EXTENSIONS = (
    *(".apng", ".bmp", ".gif", ".jfif", ".jpe", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".pnm", ".ppm"),
    *(".tif", ".tiff", ".webp"),
)

# Images too, of formats that are not read: they are counted, so that none is missed in silence.
_UNREAD = frozenset(
    {
        *(".avif", ".bpg", ".heic", ".heif", ".j2c", ".j2k", ".jls", ".jng", ".jp2", ".jpf", ".jpx", ".jxl", ".jxr"),
        *(".arw", ".cr2", ".cr3", ".dng", ".mpo", ".nef", ".orf", ".raf", ".raw", ".rw2"),  # of cameras
        *(".czi", ".dcm", ".mha", ".mhd", ".mrxs", ".nd2", ".ndpi", ".nii", ".nrrd", ".svs"),  # of medicine
        *(
            ".dcx",
            ".dds",
            ".dib",
            ".exr",
            ".fits",
            ".fts",
            ".hdr",
            ".pam",
            ".pcx",
            ".pfm",
            ".ras",
            ".rgb",
            ".sgi",
            ".tga",
        ),
        *(".cur", ".djvu", ".emf", ".eps", ".icns", ".ico", ".psd", ".svg", ".wmf", ".xbm", ".xcf", ".xpm"),
    }
)
# What systems and network drives leave among the files, thumbnails and deleted images among it.
_FOREIGN = frozenset(
    {"#recycle", "#snapshot", "$RECYCLE.BIN", "@Recycle", "@eaDir", "System Volume Information", "__MACOSX"}
)


def is_image(name: str) -> bool:
    return name.lower().endswith(EXTENSIONS)


def is_hidden(part: str) -> bool:
    """Tell whether a file or folder of this name is none of the user's."""
    return part.startswith(".") or part in _FOREIGN


def unread(others: Iterable[str]) -> list[str]:
    """Say how many of these files are images that are not read, a line a kind."""
    kinds: dict[str, list[str]] = {}
    for name in others:
        kinds.setdefault(PurePosixPath(name).suffix.lower(), []).append(name)
    return [
        f"{len(names)} {kind} file{'s' if len(names) > 1 else ''} passed over, such as {names[0]}: this format is not "
        "read. Convert to PNG or JPEG what is to be used"
        for kind, names in sorted(kinds.items())
        if kind in _UNREAD
    ]


def unfollowed(links: Sequence[str]) -> list[str]:
    """Say how many links are passed over, in one line or none."""
    if not links:
        return []
    count = f"{len(links)} link{'s' if len(links) > 1 else ''}"
    return [f"{count} passed over, such as {min(links)}: links to folders, or to what is not there, are not followed"]
