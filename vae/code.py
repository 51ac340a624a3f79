"""The code that a number was made by: the core that every run goes through, and the parts that this run used.

Each has a hash of its own, so that a new file beside them changes neither, and what was made before stays fresh.
"""

import ast
import hashlib
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from vae.datasets import DATASETS
from vae.features import FEATURES
from vae.metrics import METRICS
from vae.networks import NETWORKS
from vae.posteriors import POSTERIORS
from vae.priors import PRIORS
from vae.registry import Registry
from vae.spec import RunSpec
from vae.terms import TERMS

__all__ = ["KINDS", "code_of", "core_hash", "git_commit", "is_current", "part_hash", "summed"]

ROOT = Path(__file__).parent
PARSED, PAUSE = 20, 0.05  # tries of a file's syntax, and seconds between them
ROOTS = ("vae.training", "vae.evaluation")  # what a trial calls; all that they import is the core
KINDS: Mapping[str, Registry[Any]] = {
    "dataset": DATASETS,
    "network": NETWORKS,
    "posterior": POSTERIORS,
    "prior": PRIORS,
    "term": TERMS,
    "metric": METRICS,
    "features": FEATURES,
}
"""Kind of part -> its registry."""


def code_of(spec: RunSpec, metrics: Iterable[str] = METRICS) -> dict[str, Any]:
    """Return what a run is made by, as its record holds it.

    Args:
        spec: the run.
        metrics: names of what is measured; a training alone has none.

    Returns:
        `vae`, one hash of all the following; `core`, the hash of what every run goes through; `parts`, "kind name" ->
        the hash of a part that this one uses.
    """
    used = [(kind, name) for kind, name, _ in spec.parts()] + [("metric", name) for name in metrics]
    parts = {f"{kind} {name}": part_hash(kind, name) or "" for kind, name in used}
    return {"vae": summed(core_hash(), parts), "core": core_hash(), "parts": parts}


def is_current(code: Mapping[str, Any], *, closed: bool = False) -> bool:
    """Tell whether what `code_of` gave is the code that is here now; False where it was given by an older version.

    Args:
        code: it.
        closed: of parts that are not known here, as those of plugins that nobody named, think that they are the same.
            Of a metric that is always thought: nothing here would measure it anew, and no training hangs on it.
    """
    parts = code.get("parts")
    if not isinstance(parts, Mapping) or code.get("core") != core_hash():
        return False
    return all(_is_same(name, known, closed=closed) for name, known in parts.items())


def _is_same(part: str, known: str, *, closed: bool) -> bool:
    kind, _, name = part.partition(" ")
    here = part_hash(kind, name)
    return here == known or (here is None and (closed or kind == "metric"))


def summed(core: str, parts: Mapping[str, str]) -> str:
    """Return one SHA-256 (hex) of the core's and the parts'."""
    return hashlib.sha256("\n".join([core, *(f"{name} {parts[name]}" for name in sorted(parts))]).encode()).hexdigest()


@cache
def core_hash() -> str:
    """Return the SHA-256 (hex) of the source that every run goes through, whatever its parts."""
    return _hash(_core())


def part_hash(kind: str, name: str) -> str | None:
    """Return the SHA-256 (hex) of a part's source and of what it imports beyond the core; None where there is none.

    Args:
        kind: of `KINDS`.
        name: of the part.
    """
    registry = KINDS.get(kind)
    if registry is None or name not in registry:
        return None
    if origin := registry.origin(name):
        return origin.rpartition(" ")[2]
    return _own_hash(registry.source(name))


@cache
def _own_hash(file: Path) -> str:
    module = ".".join(file.relative_to(ROOT.parent).with_suffix("").parts)
    return _hash({module: file} | _reached([module], set(_core())))


@cache
def _core() -> dict[str, Path]:
    return _reached(ROOTS, set())


def _reached(modules: Iterable[str], known: set[str]) -> dict[str, Path]:
    """Return module -> file of all in this package that the modules import, by any way, save what is known."""
    found: dict[str, Path] = {}
    waiting = list(modules)
    while waiting:
        module = waiting.pop()
        if module in found or module in known:
            continue
        found[module] = _file(module)
        waiting += _imported(found[module])
    return found


def _file(module: str) -> Path:
    path = ROOT.parent.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


@cache
def _imported(path: Path) -> tuple[str, ...]:
    """Return the modules of this package that a file imports, and the packages that they lie in."""
    tree = _parsed(path.read_bytes())
    return tuple(dict.fromkeys(name for node in _run(tree) for one in _named(node) for name in _with_packages(one)))


def _parsed(source: bytes) -> ast.AST:
    """Return the syntax tree, whatever other threads parse.

    CPython 3.11 counts the depth of all threads' trees together, and gives a SystemError where two are built at once
    (gh-106905), as while a watcher's thread imports its library; the next try finds its own count again.
    """
    for _ in range(PARSED):
        try:
            return ast.parse(source)
        except SystemError:
            time.sleep(PAUSE)
    return ast.parse(source)


def _run(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes that can be run: what stands there for type checkers alone cannot."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            waiting += node.orelse
        else:
            waiting += ast.iter_child_nodes(node)


def _named(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module:
        yield node.module
        yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _with_packages(module: str) -> Iterator[str]:
    parts = module.split(".")
    if parts[0] == "vae":
        names = [".".join(parts[: place + 1]) for place in range(len(parts))]
        yield from (name for name in names if _file(name).is_file())


def _hash(files: Mapping[str, Path]) -> str:
    digest = hashlib.sha256()
    for module in sorted(files):
        digest.update(module.encode() + b"\0" + files[module].read_bytes() + b"\0")
    return digest.hexdigest()


def git_commit() -> str | None:
    """Return the commit of the code, with a plus sign where files were changed since; None outside of git."""
    folder = ROOT.parent
    if not (folder / ".git").exists():
        return None

    def git(*words: str) -> str:
        command = ["git", "-C", str(folder), *words]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=20).stdout.strip()  # noqa: S603

    try:
        changed = git("status", "--porcelain", "--untracked-files=no")
        return git("rev-parse", "HEAD") + ("+" if changed else "")
    except (OSError, subprocess.SubprocessError):
        return None
