"""What folders say of the images in them: which are for training, which for testing, and of which class each is."""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

from vae.datasets._trees import SPLITS
from vae.errors import DataError

__all__ = ["Layout", "layout_of", "trained_on_too"]

Side = Literal["train", "test", "val", "other"]
Parts = tuple[str, ...]  # a relative path: folders, then the file's name

_NAMED = 3  # files or folders that a message lists
_LISTED = 10  # classes that a message lists
_SIDES: Mapping[Side, str] = {"train": "training", "test": "test", "val": "validation"}

_WORDS: Mapping[str, Side] = {
    **dict.fromkeys(("train", "training", "trainval", "trn"), "train"),
    **dict.fromkeys(("test", "testing", "tst"), "test"),
    **dict.fromkeys(("val", "valid", "validation", "dev", "eval", "evaluation"), "val"),
    **dict.fromkeys(("pred", "prediction", "predictions", "unlabeled", "unlabelled", "extra", "holdout"), "other"),
}
# Of these no class is called; the rest, such as `valid`, are splits only beside the training images.
_UNMISTAKABLE = frozenset({"train", "training", "trainval", "test", "testing", "val", "validation"})

# Words beside the split's own that say nothing, and the letter of one of several domains: `seg_train`, `train2017`,
# `trainA`, `test_images`.
_FILLER = r"(?:(?i:sets?|seg|images?|imgs?|jpe?gs?|pngs?|photos?|pictures?|data|datasets?|splits?)|\d+)"
_SPLIT = re.compile(
    rf"(?:{_FILLER}[\W_]*)*(?P<word>(?i:{'|'.join(sorted(_WORDS, key=len, reverse=True))}))"
    rf"(?:[\W_]*{_FILLER})*(?:[A-D]|[\W_]+[A-Da-d])?"
)
_MEANINGLESS = re.compile(r"(?i:images?|imgs?|jpe?gs?|pngs?|data)(?:[\W_]*\d+)?")
# A split's word inside of a longer name, such as `digits_Final_Training_Images`.
_INSIDE = re.compile(r"(?<![a-z])(?:training|trainval|train|testing|test|validation|val)(?![a-z])")
_MASKS = frozenset(
    {"annotations", "ground_truth", "groundtruth", "gt", "labels", "masks", "segmentationclass", "trimaps"}
)


@dataclass(frozen=True)
class Layout:
    """How images are split and classified by the folders they lie in.

    Attributes:
        names: of the images taken; where there is a split, those for training come first.
        classes: the folder that is the class of each; empty where there are fewer than two.
        training: how many are for training; None where the folders name no split.
        settings: empty where the first rule reads the same: `train/` and `test/` at the top, the class the folder at
            the top of the rest. Else the rule's revision, for the checksum.
        notices: what was passed over or decided, a line an item.
    """

    names: tuple[str, ...]
    classes: tuple[str, ...]
    training: int | None
    settings: Mapping[str, object]
    notices: tuple[str, ...]


@dataclass(frozen=True)
class _Split:
    """A split that folders name: its images, each with its path without the split's own folder."""

    train: Mapping[str, Parts]
    test: Mapping[str, Parts]
    folders: tuple[str, str]
    first_rule: bool
    notices: tuple[str, ...]


def layout_of(where: Path, names: Sequence[str]) -> Layout:
    """Tell split and classes from the names of folders.

    The shallowest folders that name a training side and a test or validation side are the split. Validation images are
    the test where there is none, else left out. A class is the folder at the top of what is left of the path.

    Args:
        where: the folder or zip file, for messages.
        names: relative paths of the images, with forward slashes.

    Raises:
        DataError: they can be read in two ways.
    """
    paths: dict[str, Parts] = {name: tuple(name.split("/")) for name in names}
    split = _find_split(where, paths)
    if split is None:
        classes, notices = _classes(where, _below(paths, any_name=True))
        same = classes == _top_folders(list(paths.values()))
        return Layout(tuple(names), classes, None, _revision(same=same), notices)
    train, test = _below(split.train), _below(split.test)
    _check_sides(where, split.folders, (train, test))
    classes, notices = _classes(where, {**train, **test})
    chosen = (*train, *test)
    same = split.first_rule and classes == _top_folders([paths[name][1:] for name in chosen])
    notices = (*split.notices, *notices, *_untrained(split, classes))
    return Layout(chosen, classes, len(train), _revision(same=same), notices)


def trained_on_too(hashes: Mapping[str, str], train: Iterable[str], test: Sequence[str]) -> list[str]:
    """Say how many test images are in files equal to a training image's, in one line or none.

    Args:
        hashes: of each image's file.
        train: the names of the training images.
        test: the names of the test images.
    """
    known = {hashes[name]: name for name in train}
    twice = [name for name in test if hashes[name] in known]
    if not twice:
        return []
    count = f"{len(twice)} of {len(test)} test images {'are' if len(twice) > 1 else 'is'}"
    return [f"{count} trained on too, byte for byte: {twice[0]} is {known[hashes[twice[0]]]}"]


def _revision(*, same: bool) -> dict[str, object]:
    return {} if same else {"layout": 2}


@lru_cache(maxsize=4096)
def _word(folder: str) -> str:
    found = _SPLIT.fullmatch(unicodedata.normalize("NFKC", folder).strip())
    return found["word"].lower() if found else ""


def _side(folder: str) -> Side | None:
    return _WORDS.get(_word(folder))


def _find_split(where: Path, paths: Mapping[str, Parts]) -> _Split | None:
    for depth in range(max(map(len, paths.values())) - 1):
        sides: dict[Side | None, dict[str, Parts]] = {}
        for name, parts in paths.items():
            side = _side(parts[depth]) if depth < len(parts) - 1 else None
            sides.setdefault(side, {})[name] = parts
        if "train" in sides and ("test" in sides or "val" in sides):
            return _split_at(where, depth, sides)
    return None


def _split_at(where: Path, depth: int, sides: Mapping[Side | None, Mapping[str, Parts]]) -> _Split:
    held_out: Side = "test" if "test" in sides else "val"
    train, test = _folder(where, depth, "train", sides), _folder(where, depth, held_out, sides)
    if stray := list(sides.get(None, ())):
        raise DataError(
            f"{where} has {train}/ and {test}/, but images beside them too, such as {', '.join(stray[:_NAMED])}. "
            "Move them into one of the two, or out of the folder",
        )
    notices = [f"{test}/ is taken as the test: there is no other"] if held_out == "val" else []
    if left := [parts for side, paths in sides.items() if side not in {"train", held_out} for parts in paths.values()]:
        folders = ", ".join(sorted({f"{parts[depth]}/" for parts in left}))
        notices.append(f"images left out, neither trained on nor tested: {len(left):,} in {folders}")
    above = [{parts[:depth] for parts in sides[side].values()} for side in ("train", held_out)]
    # Where all of a side lies in one folder, the same or another as the other side, that is an archive's and no class.
    top = depth if len(above[0]) == len(above[1]) == 1 else 0
    return _Split(
        _without(depth, top, sides["train"]),
        _without(depth, top, sides[held_out]),
        (train, test),
        first_rule=(depth, train, test) == (0, *SPLITS),
        notices=tuple(notices),
    )


def _folder(where: Path, depth: int, side: Side, sides: Mapping[Side | None, Mapping[str, Parts]]) -> str:
    """Return what the folder of one side is called; below each parent there may be but one."""
    found: dict[Parts, set[str]] = {}
    for parts in sides[side].values():
        found.setdefault(parts[:depth], set()).add(parts[depth])
    for parent, folders in found.items():
        if len(folders) > 1:
            one, other = ("/".join((*parent, folder)) for folder in sorted(folders)[:2])
            raise DataError(
                f"{where}: {one}/ and {other}/ both look like the {_SIDES[side]} images, and it is not clear which are "
                "meant. Keep one of them in the folder, or put the images of both into one",
            )
    return "/".join((*(["*"] * depth), min(min(folders) for folders in found.values())))


def _without(depth: int, top: int, paths: Mapping[str, Parts]) -> dict[str, Parts]:
    """Leave out the split's own folder at `depth`, the same again where archives repeat it, and what is above `top`."""
    shorter: dict[str, Parts] = {}
    for name, parts in paths.items():
        again = depth + 2 < len(parts) and _side(parts[depth + 1]) == _side(parts[depth])
        shorter[name] = (*parts[top:depth], *parts[depth + 1 + again :])
    return shorter


def _below(paths: Mapping[str, Parts], *, any_name: bool = False) -> dict[str, Parts]:
    """Leave out the leading folders that all share: those that say nothing, such as `images`, or any."""
    depth = 0
    for level in zip(*(parts[:-1] for parts in paths.values()), strict=False):  # as deep as the shallowest
        if len(set(level)) > 1 or not (any_name or _MEANINGLESS.fullmatch(level[0])):
            break
        depth += 1
    return {name: parts[depth:] for name, parts in paths.items()}


def _top_folders(paths: Iterable[Parts]) -> tuple[str, ...]:
    """Return the folder at the top of each path, or nothing where they are fewer than two."""
    folders = tuple(parts[0] if len(parts) > 1 else "" for parts in paths)
    return folders if len(set(folders)) > 1 else ()


def _check_sides(where: Path, folders: tuple[str, str], sides: tuple[Mapping[str, Parts], Mapping[str, Parts]]) -> None:
    """Refuse a split of which one side has classes and the other has none, or one folder that is none of them."""
    names = [{parts[0] if len(parts) > 1 else "" for parts in side.values()} for side in sides]
    for one, other in ((0, 1), (1, 0)):
        if len(names[one]) == 1 and len(names[other] - {""}) > 1 and not names[one] & names[other]:
            listed = ", ".join(sorted(names[other])[:_LISTED]) + (", ..." if len(names[other]) > _LISTED else "")
            raise DataError(
                f"{where}: {folders[one]}/ has no class folders ({next(iter(sides[one]))}), but {folders[other]}/ has: "
                f"{listed}. Sort the images of {folders[one]}/ into folders of the same names, or move {folders[one]}/ "
                "elsewhere",
            )


def _classes(where: Path, paths: Mapping[str, Parts]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the class of each image, nothing for fewer than two, and what is to be said of them."""
    folders = _top_folders(paths.values())
    if "" in folders:
        loose = [name for name, folder in zip(paths, folders, strict=True) if not folder]
        raise DataError(
            f"{where}: {len(loose)} images lie beside the class folders, such as {', '.join(loose[:_NAMED])}. "
            "Put every image into a class folder, or none",
        )
    if splits := sorted(folder for folder in set(folders) if _word(folder) in _UNMISTAKABLE):
        raise DataError(
            f"{where}: {splits[0]}/ is called like one side of a split, but nothing beside it is the other. Name both, "
            f"such as train/ and test/; or, if it is a class, rename it, such as to 'class {splits[0]}'; or give it as "
            "data.path by itself",
        )
    if sides := _sides_of_one(set(folders)):
        raise DataError(
            f"{where}: {sides[0]}/ and {sides[1]}/ are called like the two sides of a split, and would be two classes. "
            "Put the images into train/ and test/, by class, or rename the folders",
        )
    spellings: dict[str, set[str]] = {}
    for folder in set(folders):
        spellings.setdefault(unicodedata.normalize("NFC", folder), set()).add(folder)
    twice = {name: spelt for name, spelt in spellings.items() if len(spelt) > 1}
    joined = {folder: name for name, spelt in twice.items() for folder in spelt}
    folders = tuple(joined.get(folder, folder) for folder in folders)
    notices = [f"folders called {name}, spelt in two ways of Unicode, are one class" for name in sorted(twice)]
    if masks := sorted(folder for folder in set(folders) if folder.lower() in _MASKS):
        notices.append(f"{masks[0]}/ is taken for a class like the others: move it elsewhere if it holds masks")
    return folders if len(set(folders)) > 1 else (), tuple(notices)


def _sides_of_one(folders: Iterable[str]) -> tuple[str, str] | None:
    """Return two folders whose names differ in the word for their side of a split alone."""
    found: dict[str, dict[Side, str]] = {}
    for folder in sorted(folders):
        spaced = re.sub(r"([a-z])([A-Z])", r"\1 \2", folder).lower()
        if inside := _INSIDE.search(spaced):
            sides = found.setdefault(_INSIDE.sub("", spaced), {})
            sides[_WORDS[inside[0]]] = folder
            if len(sides) > 1 and "train" in sides:
                return sides.pop("train"), next(iter(sides.values()))
    return None


def _untrained(split: _Split, classes: Sequence[str]) -> list[str]:
    """Say how many classes of the test have no training image, in one line or none."""
    trained, tested = set(classes[: len(split.train)]), set(classes[len(split.train) :])
    if not (strange := sorted(tested - trained)):
        return []
    return [f"{len(strange)} of {len(tested)} classes of {split.folders[1]}/ have no training image: {strange[0]}"]
