"""Files in a folder or a zip file, under one interface; nothing outside it is ever read and nothing is unpacked."""

import hashlib
import os
import stat
import zipfile
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path, PurePosixPath

from vae.cache import Ledger
from vae.datasets._places import is_file, is_folder
from vae.errors import DataError
from vae.parts import canonical_json

__all__ = ["EXTENSIONS", "SPLITS", "Tree", "content_digest", "digest_of", "open_tree"]

EXTENSIONS = (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
SPLITS = ("train", "test")

# Bytes of one file, unpacked: no image that a variational autoencoder could be trained on is larger.
_LARGEST_FILE = 2**28
_UNIX = 3  # the code of the system that wrote a member, in a zip file


class Tree(ABC):
    """The image files below one root.

    Attributes:
        path: the folder or zip file.
        names: relative paths of the images, with forward slashes, sorted; the folders that hold them all are left out.
    """

    def __init__(self, path: Path, names: Sequence[str]) -> None:
        """Leave out the leading folders that all names share, unless one of them is a split's."""
        self.path = path
        self._prefix = _shared_folders(names)
        self.names = tuple(sorted(name[len(self._prefix) :] for name in names))

    @contextmanager
    def reader(self) -> Iterator[Callable[[str], bytes]]:
        """Open the tree: the function given reads one of `names`, and may be called by several threads."""
        with self._open() as read:
            yield lambda name: read(self._prefix + name)

    @abstractmethod
    @contextmanager
    def _open(self) -> Iterator[Callable[[str], bytes]]:
        """Give the function that reads a file by its whole relative path."""

    @abstractmethod
    def file_of(self, name: str) -> Path:
        """Return the file on disk whose size and modification time vouch for `name`."""


class _Folder(Tree):
    @contextmanager
    def _open(self) -> Iterator[Callable[[str], bytes]]:
        yield self._read

    def _read(self, name: str) -> bytes:
        path = self.path / name
        try:
            if path.stat().st_size > _LARGEST_FILE:
                raise DataError(f"{path.stat().st_size:,} bytes, more than the {_LARGEST_FILE:,} that are read")
            return path.read_bytes()
        except OSError as error:
            raise DataError(f"cannot be read: {error.strerror}") from None

    def file_of(self, name: str) -> Path:
        return self.path / (self._prefix + name)


class _Zip(Tree):
    @contextmanager
    def _open(self) -> Iterator[Callable[[str], bytes]]:
        with _opened_zip(self.path) as archive:
            yield lambda name: _read_member(archive, name)

    def file_of(self, name: str) -> Path:  # noqa: ARG002 - one file holds them all
        return self.path


def open_tree(path: Path) -> Tree:
    """List the images of a folder or zip file.

    Hidden files and `__MACOSX` are passed over, and so is what does not have one of `EXTENSIONS`.

    Raises:
        DataError: there is no such folder or zip file, it holds no image, or it reaches outside itself.
    """
    if is_folder(path):
        root = path.resolve()
        tree: Tree = _Folder(root, _walk(root))
    elif is_file(path):
        if not zipfile.is_zipfile(path):
            raise DataError(f"{path} is a file, but no zip file: give a folder of images or a zip file of them")
        with _opened_zip(path) as archive:
            tree = _Zip(path, _members(path, archive))
    else:
        raise DataError(f"{path}: there is no such folder or zip file (looked in {Path.cwd()} if the path is relative)")
    if not tree.names:
        raise DataError(f"{path} holds no image: looked for files ending in {' '.join(EXTENSIONS)}, in sub-folders too")
    return tree


def content_digest(tree: Tree, beside: Sequence[Path] = ()) -> str:
    """Return the SHA-256 over the names and contents of all images, and of the files given with them.

    A folder and a zip file of the same images have the same digest. Files seen before are not read again.

    Raises:
        DataError: a file cannot be read.
    """
    ledger = Ledger(tree.path)
    digests = {}
    with tree.reader() as read:

        def digest(name: str) -> str:
            return hashlib.sha256(read(name)).hexdigest()

        for name in tree.names:
            try:
                digests[name] = ledger.digest(tree.file_of(name), partial(digest, name), name)
            except DataError as error:
                raise DataError(f"{tree.path}: {name}: {error}") from None
            except OSError as error:
                raise DataError(f"{tree.path}: {name}: cannot be read: {error.strerror}") from None
    ledger.save()
    return digest_of({"images": digests, "beside": [hashlib.sha256(path.read_bytes()).hexdigest() for path in beside]})


def digest_of(value: object) -> str:
    """Return the SHA-256 (hex) of a JSON value; names that are no valid Unicode are kept apart too."""
    return hashlib.sha256(canonical_json(value).encode("utf-8", "surrogatepass")).hexdigest()


def _is_image(name: str) -> bool:
    return name.lower().endswith(EXTENSIONS)


def _is_hidden(part: str) -> bool:
    return part.startswith(".") or part == "__MACOSX"


def _walk(root: Path) -> list[str]:
    names = []
    for folder, folders, files in os.walk(root, onerror=_unreadable):
        folders[:] = [name for name in folders if not _is_hidden(name)]
        for name in folders + [name for name in files if _is_image(name) and not _is_hidden(name)]:
            path = Path(folder, name)
            if path.is_symlink() and not path.resolve().is_relative_to(root):
                raise DataError(
                    f"{path} is a link to {path.resolve()}, outside {root}: such links are not followed. "
                    "Copy the images there, or give the folder that holds them",
                )
            if path.is_file():
                names.append(path.relative_to(root).as_posix())
    return names


def _unreadable(error: OSError) -> None:
    raise DataError(f"{error.filename} cannot be listed: {error.strerror}")


@contextmanager
def _opened_zip(path: Path) -> Iterator[zipfile.ZipFile]:
    try:
        archive = zipfile.ZipFile(path)
    except Exception as error:  # noqa: BLE001 - a damaged directory raises whatever it likes
        raise DataError(f"{path} is no readable zip file: {error}") from None
    for member in archive.infolist():
        if "\\" in member.filename and member.create_system != _UNIX:  # Windows' separator: PowerShell writes it
            member.filename = member.filename.replace("\\", "/")
            archive.NameToInfo[member.filename] = member
    with archive:
        yield archive


def _members(path: Path, archive: zipfile.ZipFile) -> list[str]:
    names = []
    for member in archive.infolist():
        name = member.filename
        if not name:
            continue
        parts = PurePosixPath(name.replace("\\", "/")).parts
        if name.startswith(("/", "\\")) or ".." in parts or (parts and parts[0].endswith(":")):
            raise DataError(
                f"{path}: member '{name}' points outside the zip file; it is not read. Pack the images anew"
            )
        if "\\" in name:  # packed on Unix, where it may be part of a name
            raise DataError(
                f"{path}: member '{name}' has a backslash in its name, which parts folders elsewhere; it is not read. "
                "Rename it, and pack the images anew"
            )
        if member.is_dir() or any(map(_is_hidden, parts)) or not _is_image(name):
            continue
        if stat.S_ISLNK(member.external_attr >> 16):  # as Unix packs them: its content would be read as an image's
            raise DataError(f"{path}: member '{name}' is a link; links are not followed. Pack the image itself")
        names.append(name)
    if twice := [name for name, times in Counter(names).items() if times > 1]:
        raise DataError(f"{path}: member '{twice[0]}' is there twice; it is not clear which is meant")
    return names


def _read_member(archive: zipfile.ZipFile, name: str) -> bytes:
    try:
        member = archive.getinfo(name)
        _refuse_member(member)
        with archive.open(member) as file:
            return file.read(_LARGEST_FILE + 1)  # never more than the size told above, whatever is packed
    except DataError:
        raise
    except Exception as error:  # noqa: BLE001 - each way of packing has errors of its own
        raise DataError(f"cannot be unpacked: {str(error) or type(error).__name__}") from None


def _refuse_member(member: zipfile.ZipInfo) -> None:
    if member.flag_bits & 1:
        raise DataError("is encrypted; pack the images without a password")
    if member.file_size > _LARGEST_FILE:
        raise DataError(f"unpacks to {member.file_size:,} bytes, more than the {_LARGEST_FILE:,} that are read")


def _shared_folders(names: Sequence[str]) -> str:
    """Return the leading folders, with the last slash, that all names share."""
    shared = ""
    for parts in zip(*(name.split("/")[:-1] for name in names), strict=False):  # as deep as the shallowest
        if len(set(parts)) > 1 or parts[0] in SPLITS:
            break
        shared += f"{parts[0]}/"
    return shared
