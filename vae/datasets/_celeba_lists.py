"""CelebA's official lists: split and attributes, as text or CSV, wherever its copies keep them."""

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath

from vae.datasets._places import is_file
from vae.datasets._trees import Tree
from vae.errors import DataError

__all__ = ["ATTRIBUTES", "PARTITION", "FaceList", "find_list"]

ATTRIBUTES, PARTITION = "list_attr_celeba", "list_eval_partition"

_ENDINGS = (".txt", ".csv")
_SUBFOLDERS = ("", "Eval", "Anno")  # of the publisher
_FIRST_ROW = {ATTRIBUTES: 2, PARTITION: 0}  # in text; a table begins with one line of names


@dataclass(frozen=True)
class FaceList:
    """One list.

    Attributes:
        where: the file, for messages.
        content: of the file, for checksums.
        columns: their names, where it has them.
        rows: the cells of each image, by the stem of its name: PNG images go with lists that say `.jpg`.
    """

    where: str
    content: bytes
    columns: Sequence[str]
    rows: Mapping[str, Sequence[str]]

    def value(self, image: str, column: int, allowed: Sequence[str]) -> int:
        """Return a cell of an image's row.

        Raises:
            DataError: there is no such row, or it has another value.
        """
        name = PurePosixPath(image)
        cells = self.rows.get(name.stem)
        if cells is None:
            raise DataError(
                f"{self.where} has no row for {name.name}: it belongs to other images. "
                "Remove it, or give the official one"
            )
        if column >= len(cells) or cells[column] not in allowed:
            got = cells[column] if column < len(cells) else "nothing"
            raise DataError(
                f"{self.where}: {name.name} has '{got}' in column {column + 1}, expected one of {', '.join(allowed)}"
            )
        return int(cells[column])


def find_list(tree: Tree, stem: str) -> FaceList | None:
    """Return the list called `stem`, or None where it is nowhere near the images.

    Looked for beside the images' folder or zip file, inside of it at any depth, and up to two levels above, there in
    `Eval` and `Anno` too.

    Raises:
        DataError: it cannot be read.
    """
    for where, read in _candidates(tree, stem):
        try:
            content = read()
            columns, rows = _parsed(stem, content.decode("utf-8-sig"), table=where.endswith(_ENDINGS[1]))
        except (OSError, UnicodeDecodeError, csv.Error, DataError) as error:
            raise DataError(f"{where} cannot be read as text: {error}") from None
        return FaceList(where, content, columns, rows)
    return None


def _candidates(tree: Tree, stem: str) -> Iterator[tuple[str, Callable[[], bytes]]]:
    names = [stem + ending for ending in _ENDINGS]
    parent = tree.path.absolute().parent
    for path in [folder / name for name in names for folder in (tree.path, tree.path.parent)]:
        if is_file(path):
            yield str(path), path.read_bytes
    inside = [name for name in tree.others if PurePosixPath(name).name in names]
    for name in sorted(inside, key=lambda one: (one.count("/"), names.index(PurePosixPath(one).name), one)):
        yield str(tree.path / name), partial(tree.read_other, name)
    for path in _above(parent, names):
        if is_file(path):
            yield str(path), path.read_bytes


def _above(parent: Path, names: Sequence[str]) -> list[Path]:
    return [folder / below / name for folder in (parent, parent.parent) for below in _SUBFOLDERS for name in names]


def _parsed(stem: str, text: str, *, table: bool) -> tuple[list[str], dict[str, list[str]]]:
    """Return names of columns and rows; where the text is no such list, there are none."""
    if table:
        lines = [[cell.strip() for cell in cells] for cells in csv.reader(text.splitlines())]
        header, rows = (lines[0][1:] if lines else []), lines[1:]
    else:
        lines = [line.split() for line in text.splitlines()]
        first = _FIRST_ROW[stem]
        header, rows = (lines[first - 1] if 0 < first <= len(lines) else []), lines[first:]
    return header, {PurePosixPath(cells[0]).stem: cells[1:] for cells in rows if cells and cells[0]}
