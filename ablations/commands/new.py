"""`vaebench new`: a working part of one's own, its test, and a study that uses it."""

import keyword
from argparse import Namespace
from importlib import resources
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from ablations.commands._shared import DONE
from vae.code import KINDS
from vae.errors import SpecError, VaebenchError

__all__ = ["TEMPLATES", "run"]

TEMPLATES = Path(str(resources.files("ablations") / "templates"))


def run(options: Namespace, console: Console) -> int:
    """Write NAME.py, test_NAME.py and NAME.toml."""
    name = options.name
    if not name.isidentifier() or keyword.iskeyword(name):
        raise SpecError(
            f"new: got the name '{name}', expected letters, digits and underscores, such as my_{options.kind}"
        )
    if name in KINDS[options.kind]:
        where = KINDS[options.kind].place(name)
        raise SpecError(f"new: {options.kind} '{name}' is there already, in {where}: choose another name")
    words = {"NAME": name, "CLASS": "".join(part.capitalize() for part in name.split("_")), "KIND": options.kind}
    made = {
        options.folder / f"{name}.py": f"{options.kind}.py.txt",
        options.folder / f"test_{name}.py": "test.py.txt",
        options.folder / f"{name}.toml": f"{options.kind}.toml.txt",
    }
    if there := [path for path in made if path.exists()]:
        raise SpecError(f"new: {there[0]} is there already: nothing was written. Choose another name or --folder")
    try:
        options.folder.mkdir(parents=True, exist_ok=True)
        for path, template in made.items():
            text = (TEMPLATES / template).read_text(encoding="utf-8")
            for word, value in words.items():
                text = text.replace(f"<{word}>", value)
            path.write_text(text, encoding="utf-8")
            console.print(f"  {escape(str(path))}", soft_wrap=True)
    except OSError as error:
        raise VaebenchError(f"new: {options.folder} can't be written: {error.strerror or error}") from None
    first, _, study = made
    console.print(f"next: vaebench check {escape(str(first))}, then vaebench run {escape(str(study))}", soft_wrap=True)
    return DONE
