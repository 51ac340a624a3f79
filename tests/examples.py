"""The examples of CONTRIBUTING.md, dropped into a copy of the project: `python tests/examples.py FOLDER` makes one.

`nox -s examples` runs the whole suite in it: a new part is one new file and its test, and breaks nothing.
"""

import re
import shutil
import sys
from pathlib import Path

__all__ = ["ROOT", "copied", "examples"]

ROOT = Path(__file__).parents[1]
FILE = re.compile(r"^```python\n# (\S+\.py)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LEFT_OUT = shutil.ignore_patterns(
    ".git", ".nox", ".venv*", "__pycache__", ".*_cache", ".hypothesis", ".benchmarks", "dist", "build"
)


def examples() -> dict[str, str]:
    """Return path -> source, as CONTRIBUTING.md has them."""
    return dict(FILE.findall((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")))


def copied(folder: Path) -> Path:
    """Copy the project, results of one's own left out, and write the examples where they say."""
    shutil.copytree(ROOT, folder, ignore=LEFT_OUT)
    for path in (folder / "results").iterdir():
        if path.name not in {"README.md", "reference"}:
            shutil.rmtree(path)
    for path, source in examples().items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(source, encoding="utf-8")
    return folder


if __name__ == "__main__":
    copied(Path(sys.argv[1]))
