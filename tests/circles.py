"""How many circles of imports there are: `python tests/circles.py` prints their number, and each one's modules.

A circle is a set of modules each of which imports all others by some way (a strongly connected component). Imports
inside functions and those for type checkers count: who reads one file of a circle has to read them all.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

__all__ = ["circles", "graph"]

PACKAGES = ("vae", "ablations", "bench", "vaebench")


def graph(root: Path) -> dict[str, set[str]]:
    """Return module -> the modules of the project that it names in an import."""
    paths = {name: path for package in PACKAGES for name, path in _modules(root, package)}
    return {name: set(_imported(name, path, paths)) for name, path in paths.items()}


def circles(root: Path) -> list[list[str]]:
    """Return the modules of each circle, sorted."""
    found = graph(root)
    names = sorted(found)
    place = {name: number for number, name in enumerate(names)}
    pairs = np.array([(place[one], place[other]) for one in names for other in found[one]], dtype=int).reshape(-1, 2)
    ones = np.ones(len(pairs), dtype=bool)
    _, of = connected_components(coo_array((ones, pairs.T), shape=(len(names),) * 2), connection="strong")
    groups = [[name for name in names if of[place[name]] == number] for number in sorted(set(of.tolist()))]
    return [group for group in groups if len(group) > 1]


def _modules(root: Path, package: str) -> Iterator[tuple[str, Path]]:
    for path in sorted((root / package).rglob("*.py")):
        yield ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__"), path


def _imported(name: str, path: Path, known: dict[str, Path]) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            inner = [f"{node.module}.{alias.name}" for alias in node.names]
            names = [one if one in known else node.module for one in inner]
        yield from (one for one in names if one in known and one != name)


if __name__ == "__main__":
    every = circles(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[1])
    sys.stdout.write(f"{len(every)} circles\n" + "".join(f"  {' <-> '.join(one)}\n" for one in every))
