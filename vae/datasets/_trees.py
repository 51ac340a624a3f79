"""Files in a folder or a zip file, under one interface; nothing outside it is ever read and nothing is unpacked."""

import hashlib
import os
import stat
import zipfile
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path, PurePosixPath

from vae.cache import Ledger
from vae.datasets._kinds import EXTENSIONS, is_hidden, is_image, unfollowed, unread
from vae.datasets._places import is_file, is_folder
from vae.errors import DataError
from vae.parts import canonical_json

__all__ = ["SPLITS", "BrokenImagesError", "Tree", "content_digest", "digest_of", "open_tree"]

SPLITS = ("train", "test")

_NAMED = 5  # broken files that a message lists
# Bytes of one file, unpacked: no image that a variational autoencoder could be trained on is larger.
_LARGEST_FILE = 2**28
_UNIX = 3  # the code of the system that wrote a member, in a zip file


@dataclass(frozen=True)
class _Listing:
    """Relative paths of files, with forward slashes: images, others, and links that are not followed."""

    images: Sequence[str]
    others: Sequence[str]
    links: Sequence[str] = ()


class BrokenImagesError(DataError):
    """Images that cannot be read; the message names the first.

    Attributes:
        tree: where they are.
        names: of all images that were looked at.
        reasons: of those that cannot be read, by name.
    """

    tree: "Tree"
    names: Sequence[str]
    reasons: Mapping[str, str]


class Tree(ABC):
    """The image files below one root.

    Attributes:
        path: the folder or zip file.
        names: relative paths of the images, with forward slashes, sorted; the folders that hold them all are left out.
        others: relative paths of all other files, sorted, whole.
        notices: what was passed over, a line a kind.
    """

    def __init__(self, path: Path, listing: _Listing) -> None:
        """Leave out the leading folders that all names share, unless one of them is a split's."""
        self.path = path
        self._prefix = _shared_folders(listing.images)
        self.names = tuple(sorted(name[len(self._prefix) :] for name in listing.images))
        self.others = tuple(sorted(listing.others))
        self.notices = (*unread(self.others), *unfollowed(listing.links))

    @cached_property
    def hashes(self) -> Mapping[str, str]:
        """The SHA-256 of each image's file, by name; files seen before are not read again.

        Raises:
            BrokenImagesError: a file cannot be read (all such are counted, the first are named).
        """
        ledger = Ledger(self.path)
        digests, broken = {}, {}
        with self.reader() as read:

            def digest(name: str) -> str:
                return hashlib.sha256(read(name)).hexdigest()

            for name in self.names:
                try:
                    digests[name] = ledger.digest(self.file_of(name), partial(digest, name), name)
                except DataError as error:
                    broken[name] = str(error)
                except OSError as error:
                    broken[name] = f"cannot be read: {error.strerror}"
        ledger.save()
        if broken:
            found = self.broken(broken, self.names)
            if len(broken) == 1:  # told in one line
                found.args = tuple(f"{self.path}: {name}: {reason}" for name, reason in broken.items())
            raise found
        return digests

    def broken(self, reasons: Mapping[str, str], names: Sequence[str], most: int = _NAMED) -> BrokenImagesError:
        """Return the error of images that cannot be read.

        Args:
            reasons: why not, by name.
            names: of all that were looked at.
            most: how many are named at most.
        """
        lines = [f"  {name}: {reason}" for name, reason in sorted(reasons.items())]
        if len(lines) > most:
            lines[most:] = [f"  and {len(lines) - most} more; vaebench data check lists all"]
        listed = "\n".join(lines)
        error = BrokenImagesError(
            f"{self.path}: {len(reasons)} of {len(names)} image files cannot be used:\n{listed}\nRemove or replace them"
        )
        error.tree, error.names, error.reasons = self, names, reasons
        return error

    def read_other(self, name: str) -> bytes:
        """Return the content of one of `others`.

        Raises:
            DataError: it cannot be read.
        """
        with self._open() as read:
            return read(name)

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

    Hidden files and what systems leave among them (`__MACOSX`, `@eaDir`) are passed over; images are what has one of
    `EXTENSIONS`.

    Raises:
        DataError: there is no such folder or zip file, it holds no image, images are links to nothing, or it reaches
            outside itself.
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
        raise DataError(
            f"{path} holds no image: looked for files ending in {' '.join(EXTENSIONS)}, in sub-folders too"
            + "".join(f"; {notice}" for notice in tree.notices)
        )
    return tree


def content_digest(tree: Tree, beside: Sequence[bytes] = ()) -> str:
    """Return the SHA-256 over the names and contents of all images, and over the contents given with them.

    A folder and a zip file of the same images have the same digest. Files seen before are not read again.

    Raises:
        DataError: a file cannot be read.
    """
    return digest_of({"images": tree.hashes, "beside": [hashlib.sha256(content).hexdigest() for content in beside]})


def digest_of(value: object) -> str:
    """Return the SHA-256 (hex) of a JSON value; names that are no valid Unicode are kept apart too."""
    return hashlib.sha256(canonical_json(value).encode("utf-8", "surrogatepass")).hexdigest()


def _walk(root: Path) -> _Listing:
    images: list[str] = []
    others: list[str] = []
    links: list[str] = []
    missing: list[str] = []
    for folder, folders, files in os.walk(root, onerror=_unreadable):
        folders[:] = [name for name in folders if not is_hidden(name)]
        here = Path(folder)
        within = "" if here == root else f"{here.relative_to(root).as_posix()}/"
        links += [within + name for name in folders if _is_link(here / name, root)]
        for name in files:
            if is_hidden(name):
                continue
            path = here / name
            if not is_image(name):
                # A name without an ending may be a folder's, such as a class that lies on a drive that is not there.
                leads_nowhere = not path.suffix and path.is_symlink() and not path.exists()
                (links if leads_nowhere else others).append(within + name)
            elif _is_link(path, root) and not path.exists():
                missing.append(within + name)
            elif path.is_file():
                images.append(within + name)
    if missing:
        raise DataError(
            f"{root}: {len(missing)} of {len(missing) + len(images)} images are links to files that are not there, "
            f"such as {min(missing)}: fetch them (git annex get, dvc pull), or remove the links",
        )
    return _Listing(images, others, links)


def _is_link(path: Path, root: Path) -> bool:
    """Tell whether a path is a link.

    Raises:
        DataError: it leads out of `root`.
    """
    if not path.is_symlink():
        return False
    if not path.resolve().is_relative_to(root):
        raise DataError(
            f"{path} is a link to {path.resolve()}, outside {root}: such links are not followed. "
            "Copy the images there, or give the folder that holds them",
        )
    return True


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


def _members(path: Path, archive: zipfile.ZipFile) -> _Listing:
    names: list[str] = []
    others: list[str] = []
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
        if member.is_dir() or any(map(is_hidden, parts)):
            continue
        if not is_image(name):
            others.append(name)
            continue
        if stat.S_ISLNK(member.external_attr >> 16):  # as Unix packs them: its content would be read as an image's
            raise DataError(f"{path}: member '{name}' is a link; links are not followed. Pack the image itself")
        names.append(name)
    if twice := [name for name, times in Counter(names).items() if times > 1]:
        raise DataError(f"{path}: member '{twice[0]}' is there twice; it is not clear which is meant")
    return _Listing(names, others)


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
    # A split's name stays although all share it: checksums hang on the names as they are.
    shared = ""
    for parts in zip(*(name.split("/")[:-1] for name in names), strict=False):  # as deep as the shallowest
        if len(set(parts)) > 1 or parts[0] in SPLITS:
            break
        shared += f"{parts[0]}/"
    return shared
