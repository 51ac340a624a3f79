"""Two states of the code side by side: a commit, and the working tree as it is now."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from vae.errors import VaebenchError
from vae.scratch import abandoned, remove, scratch

__all__ = ["ROOT", "Revision", "Trees", "resolve", "side_by_side", "working"]

ROOT = Path(__file__).resolve().parents[2]
SCRATCH = "regress"


@dataclass(frozen=True)
class Revision:
    """A state of the code.

    Attributes:
        commit: its hash; of the working tree, the commit that it was made from.
        dirty: whether it differs from the commit.
    """

    commit: str
    dirty: bool = False

    def __str__(self) -> str:
        """Return the short hash, with a plus sign where there is more than the commit."""
        return self.commit[:10] + ("+" if self.dirty else "")


@dataclass(frozen=True)
class Trees:
    """Folders of one comparison; head's and base's paths have the same length, since even that can change a time.

    Attributes:
        head: the working tree, copied: editing it meanwhile disturbs nothing.
        base: the commit, checked out.
        code: holds the head's package `bench` alone, which times both.
        caches: for what the code under test keeps.
    """

    head: Path
    base: Path
    code: Path
    caches: Path


def _git(root: Path, *arguments: str) -> str:
    """Return what git prints.

    Raises:
        VaebenchError: git is missing or refuses; with its own words.
    """
    try:
        done = subprocess.run(  # noqa: S603 - fixed arguments, and a revision after --end-of-options
            ["git", "-C", str(root), *arguments],  # noqa: S607 - found on the PATH, as users run it
            check=False,
            capture_output=True,
            text=True,
        )
    except FileNotFoundError:
        raise VaebenchError("git is not installed, but revisions are compared by it: install it") from None
    if done.returncode:
        raise VaebenchError(f"git {arguments[0]}: {done.stderr.strip() or f'exit code {done.returncode}'}")
    return done.stdout


def resolve(root: Path, name: str) -> Revision:
    """Return the commit that a user names: a hash, a branch, a tag, HEAD~3.

    Raises:
        VaebenchError: there is none, or this is no clone.
    """
    try:
        found = _git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
    except VaebenchError:
        _git(root, "rev-parse", "--git-dir")  # says so where this is no clone
        raise VaebenchError(
            f"--base: got '{name}', which names no commit here. Expected a branch, a tag or a hash such as HEAD~1; "
            "a shallow clone gets older ones by `git fetch --unshallow`",
        ) from None
    return Revision(found.split()[-1])


def working(root: Path) -> Revision:
    """Return the working tree's state."""
    return Revision(resolve(root, "HEAD").commit, dirty=bool(_git(root, "status", "--porcelain").strip()))


@contextmanager
def side_by_side(root: Path, base: Revision, *, same: bool = False) -> Iterator[Trees]:
    """Give the working tree and a commit in folders of their own, removed afterwards, or by the next that asks for any.

    Args:
        root: the clone.
        base: the commit.
        same: the commit in both, timed by the working tree's benchmarks.

    Raises:
        VaebenchError: git refuses.
    """
    _sweep(root)
    try:
        with scratch(SCRATCH) as folder:
            trees = Trees(folder / "head", folder / "base", folder / "code", folder / "caches")
            _git(root, "worktree", "add", "--detach", "--quiet", str(trees.base), base.commit)
            source = trees.base if same else root
            _copy(source, trees.head)
            _copy(root, trees.code, "bench")
            yield trees
    finally:
        _git(root, "worktree", "prune")


def _sweep(root: Path) -> None:
    """Remove the folders of gates that were killed, and their entries in the clones that they were made from."""
    for folder in abandoned(SCRATCH):
        base, clone = folder / "base", root
        with suppress(VaebenchError):
            clone = Path(_git(base, "rev-parse", "--path-format=absolute", "--git-common-dir").strip())
        with suppress(VaebenchError):  # twice: one whose making was cut off is locked
            _git(clone, "worktree", "remove", "--force", "--force", str(base))
        remove(folder)
        with suppress(VaebenchError):
            _git(clone, "worktree", "prune")


def _copy(source: Path, to: Path, part: str = ".") -> None:
    """Copy what git knows, or would know, of a part of the working tree."""
    for name in _git(source, "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", part).split("\0"):
        file = source / name
        if name and file.is_file():  # not one that is deleted and not yet committed
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(file, to / name)
