"""The study in a folder of results, opened without running code that the reader did not name."""

import os.path
from contextlib import suppress

from ablations.records import columns, rows
from ablations.records.shapes import DamagedError, shaped
from ablations.records.store import Store
from ablations.study.closed import ClosedStudy
from ablations.study.study import Study
from ablations.text.columns import Quantity, tell
from vae.errors import SpecError

__all__ = ["opened"]


def opened(store: Store) -> Study | ClosedStudy:
    """Return the folder's study; a closed one where it has plugins, whose rows stand beside the results.

    Raises:
        SpecError: there is none, or it can't be read.
        VaebenchError: what was written down of it is damaged.
    """
    file = store.study_file
    if not os.path.isfile(file):  # noqa: PTH113 - Path.is_file raises where the name is too long
        raise SpecError(
            f"{store.root} holds no results of a study (no {file.name}). Expected a folder such as results/quick"
        )
    for one in columns.read(store).values():
        with suppress(DamagedError):  # a label is lost, no number
            tell([shaped(Quantity, dict(one))])
    known = rows.read(store)
    return Study.load(file) if known is None else ClosedStudy.load(file, known.axes, known.fixed)
