"""What a user should know of a study's images before they are trained on, or chosen by."""

from collections.abc import Iterable

from rich.console import Console
from rich.markup import escape

from ablations.study.study import Study
from vae.datasets import Data, load
from vae.spec import DataSpec

__all__ = ["chosen_on_test", "loaded"]


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


def chosen_on_test(study: Study, way: str, console: Console) -> None:
    """Say so where configurations are to be chosen on the test images that are reported.

    Args:
        study: the study.
        way: what chooses, as the study file has it: `[stop]`, `[tune]`.
        console: where it is said.
    """
    if any(not trial.spec.data.validation for trial in study.trials()):
        console.print(
            f"[yellow]{escape(way)}[/] chooses on the test images, whose numbers are reported: expect somewhat worse "
            "on others. data.validation = 0.1 keeps a tenth of the training images for it",
            soft_wrap=True,
        )
