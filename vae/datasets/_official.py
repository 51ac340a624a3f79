"""Data sets published as a few files with known checksums: found, verified, and only then read."""

import gzip
import hashlib
import tarfile
import zlib
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import ClassVar

from vae.cache import Ledger
from vae.datasets._arrays import Decoded, Opened
from vae.datasets._base import DATASETS, Dataset, DataSpec
from vae.datasets._download import download as fetch
from vae.datasets._places import Place, is_file, is_folder, places
from vae.datasets._trees import digest_of
from vae.errors import DataError

__all__ = ["Official", "OfficialFile", "sha256"]


@dataclass(frozen=True)
class OfficialFile:
    """One published file.

    Attributes:
        name: without `.gz`.
        size: bytes, uncompressed.
        sha256: of the uncompressed content, since packagers compress anew.
    """

    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class _Found:
    """All files of a data set in one place: each by itself, or together in an archive."""

    place: Place
    paths: Mapping[str, Path]
    packed: bool = False

    @property
    def where(self) -> str:
        path = next(iter(self.paths.values()))
        return str(path if self.packed else self.place.folder)


class Official(Dataset):
    """A data set of official files.

    Attributes:
        files: what is needed, in the order of reading.
        folders: sub-folders of the places searched in which the files usually lie.
        archives: files that may hold all of them instead.
        keras: the module of `keras.datasets` that fetches them.
        counts: (training, test) images.
        shape: (height, width, channels).
        class_names: the name of each label.
    """

    files: ClassVar[Sequence[OfficialFile]]
    folders: ClassVar[Sequence[str]]
    archives: ClassVar[Sequence[str]] = ()
    keras: ClassVar[str]
    counts: ClassVar[tuple[int, int]]
    shape: ClassVar[tuple[int, int, int]]
    class_names: ClassVar[tuple[str, ...]]

    @abstractmethod
    def parse(self, contents: Mapping[str, bytes]) -> Decoded:
        """Turn the verified content of each of `files` into arrays."""

    def unpack(self, path: Path) -> dict[str, bytes]:
        """Return the content of each of `files` from an archive; here a tar file, read without unpacking it to disk.

        Raises:
            DataError: it is damaged or lacks a file.
        """
        wanted = {file.name: file.size for file in self.files}
        contents = {}
        try:
            with tarfile.open(path) as archive:
                for member in archive:
                    name = member.name.rpartition("/")[2]
                    if member.isfile() and member.size == wanted.get(name) and (file := archive.extractfile(member)):
                        contents[name] = file.read()
        except (OSError, EOFError, tarfile.TarError, zlib.error) as error:
            raise DataError(f"{path} is damaged or incomplete: {error}. Remove it, or fetch it again") from None
        if missing := [name for name in wanted if name not in contents]:
            raise DataError(f"{path} lacks {', '.join(missing)} of the official length. Remove it, or fetch it again")
        return contents

    def open(self, spec: DataSpec, *, download: bool = True) -> Opened:  # noqa: ARG002 - nothing here is a choice
        """Find the files, in one place after the other, and verify them; see `Dataset.open`."""
        found = self._find(download=download)
        return Opened(
            where=found.where,
            content=digest_of({file.name: file.sha256 for file in self.files}),
            decode=partial(self._decode, found),
            counts=self.counts,
            shape=self.shape,
        )

    def check(self, spec: DataSpec) -> list[str]:  # noqa: ARG002
        """Read and verify every file, and decode them; see `Dataset.check`."""
        found = self._find(download=False)
        contents = self._contents(found)
        lines = [f"{self.title}: {found.where}"]
        for file in self.files:
            _verify(found.paths[file.name], file, contents[file.name])
            lines.append(f"{file.name}: {file.size:,} bytes, SHA-256 {file.sha256} as published")
        decoded = self.parse(contents)
        lines.append(f"{len(decoded.train.images)} training and {len(decoded.test.images)} test images")
        return lines

    def _find(self, *, download: bool) -> _Found:
        headline = f"{self.title} was found nowhere"
        looked = []
        absent = []
        for place in places(self.folders):
            if not is_folder(place.folder):
                absent.append(place.folder)
                continue
            found, missing = self._look(place)
            if found is None and missing:
                headline = f"{self.title} is not complete: {place.folder} lacks {missing}"
                looked.append(f"{place.folder} ({place.label}): {missing} missing")
            elif found is None:
                looked.append(f"{place.folder} ({place.label}): none of the files")
            elif place.shared and (other := self._other_owner(found)):
                looked.append(f"{place.folder} ({place.label}): its files are those of {other}")
            else:
                self._verify_quickly(found)
                return found
        looked += [f"{folder}: no such folder" for folder in absent]
        if download:
            try:
                fetch(self.keras)
            except DataError as error:
                looked.append(f"download: {error}")
            else:
                return self._find(download=False)
        raise DataError(
            f"{headline}\nNeeded: {', '.join(file.name for file in self.files)}, plain or with .gz. Looked in:\n"
            + "".join(f"  {line}\n" for line in looked)
            + f"Put the official files into one folder and set VAEBENCH_DATA to it. Source: {self.source}",
        )

    def _look(self, place: Place) -> tuple[_Found | None, str]:
        """Return all files, or else the names of those missing where some are there."""
        paths = {}
        for file in self.files:
            for path in (place.folder / file.name, place.folder / f"{file.name}.gz"):
                if is_file(path):
                    paths[file.name] = path
                    break
        if len(paths) == len(self.files):
            return _Found(place, paths), ""
        for name in self.archives:
            if is_file(archive := place.folder / name):
                return _Found(place, {file.name: archive for file in self.files}, packed=True), ""
        return None, ", ".join(file.name for file in self.files if file.name not in paths) if paths else ""

    def _contents(self, found: _Found) -> dict[str, bytes]:
        if found.packed:
            return self.unpack(next(iter(found.paths.values())))
        return {file.name: _read(found.paths[file.name], file) for file in self.files}

    def _decode(self, found: _Found) -> Decoded:
        # Verified again, in memory: what was hashed before may have changed since, and pickles run what they say.
        contents = self._contents(found)
        for file in self.files:
            _verify(found.paths[file.name], file, contents[file.name])
        decoded = self.parse(contents)
        got = (len(decoded.train.images), len(decoded.test.images)), decoded.train.images.shape[1:]
        if got != (self.counts, self.shape):
            raise DataError(f"{found.where}: {got[0]} images of {got[1]}, expected {self.counts} of {self.shape}")
        return decoded

    def _digests(self, found: _Found, only: Sequence[OfficialFile]) -> dict[str, str]:
        """Return SHA-256s, remembered for files that were read before."""
        ledger = Ledger(Path(found.where))
        unpacked: dict[str, bytes] = {}

        def compute(file: OfficialFile) -> str:
            if found.packed:
                if not unpacked:
                    unpacked.update(self._contents(found))
                return sha256(unpacked[file.name])
            return sha256(_read(found.paths[file.name], file))

        digests = {
            file.name: ledger.digest(found.paths[file.name], partial(compute, file), file.sha256) for file in only
        }
        ledger.save()
        return digests

    def _verify_quickly(self, found: _Found) -> None:
        digests = self._digests(found, self.files)
        for file in self.files:
            if digests[file.name] != file.sha256:
                _verify(found.paths[file.name], file, self._contents(found)[file.name])
                raise DataError(f"{found.paths[file.name]} changed while it was read: try again")

    def _other_owner(self, found: _Found) -> str | None:
        """Return the title of another data set whose file of the same name this is; MNIST's kin share their names."""
        first = self.files[0]
        rivals = {
            file.sha256: entry.title
            for entry in DATASETS.values()
            if issubclass(entry, Official)
            for file in entry.files
            if file.name == first.name and file.sha256 != first.sha256
        }
        if found.packed or not rivals:
            return None
        try:
            return rivals.get(self._digests(found, [first])[first.name])
        except DataError:
            return None  # a damaged file is reported by whoever verifies it


def sha256(content: bytes) -> str:
    """Return the SHA-256 (hex) of some bytes."""
    return hashlib.sha256(content).hexdigest()


def _read(path: Path, file: OfficialFile) -> bytes:
    """Read a file, uncompressed, at most one byte more than it should have."""
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as opened:
            return opened.read(file.size + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(
            f"{path} is damaged or cut short: {error}. Expected {file.size:,} bytes uncompressed with SHA-256 "
            f"{file.sha256}. Remove it, or fetch it again",
        ) from None


def _verify(path: Path, file: OfficialFile, content: bytes) -> None:
    """Compare content with what was published.

    Raises:
        DataError: it differs; the message says in what.
    """
    got = sha256(content)
    if got == file.sha256:
        return
    size = f"more than {file.size:,}" if len(content) > file.size else f"{len(content):,}"
    raise DataError(
        f"{path} is not the official {file.name}: got {size} bytes beginning with {content[:4].hex() or 'nothing'}, "
        f"SHA-256 {got}; expected {file.size:,} bytes, SHA-256 {file.sha256}. Remove it, or fetch it again",
    )
