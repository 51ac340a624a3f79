"""What a user should know of the images of a study before they are trained on."""

from collections.abc import Iterable

from rich.console import Console
from rich.markup import escape

from vae.datasets import Data, load
from vae.spec import DataSpec

__all__ = ["loaded"]


def loaded(specs: Iterable[DataSpec], console: Console) -> dict[DataSpec, Data]:
    """Load the data sets, each once, and print their notices, each once.

    Raises:
        DataError: one is missing or can't be read.
    """
    data = {spec: load(spec) for spec in dict.fromkeys(specs)}
    notices = dict.fromkeys((one.name, notice) for one in data.values() for notice in one.notices)
    for name, notice in notices:
        console.print(f"[yellow]{escape(name)}:[/] {escape(notice)}", soft_wrap=True)
    return data
