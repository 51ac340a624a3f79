"""The latent explorer: decoded points of the latent space, computed beforehand, that sliders of the page walk over."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ablations.analysis.grid import Configuration, Grid, best, ranked
from ablations.records.record import Record
from ablations.report.loaders import Loaders, class_name
from ablations.report.sprites import Sprite, sprite
from ablations.text.columns import quantity
from ablations.text.numbers import clean, shorten

__all__ = ["Explored", "Sheet", "explore"]

Arrays = Mapping[str, NDArray[Any]]

_MOST = 8  # configurations to choose from
_PIXELS = 12_000_000  # values of all sheets together: what a page of a few megabytes can hold
_PLANE = 2
_NAME = 40  # letters of a class' name


@dataclass(frozen=True)
class Sheet:
    """One sheet of decoded points: a row and a column are two settings, or a path and the place on it.

    Attributes:
        kind: `plane`, `walk` or `dimension`.
        title: what it is, in a few words.
        alt: what it shows, with numbers.
        sprite: the pictures.
        columns: what each column is at, as text.
        rows: what each row is at; of a walk, the places of its ends in `names`.
        names: of a walk's ends.
        start: row and column that are shown first.
    """

    kind: str
    title: str
    alt: str
    sprite: Sprite
    columns: tuple[str, ...]
    rows: tuple[str, ...] | tuple[tuple[int, int], ...]
    names: tuple[str, ...] = ()
    start: tuple[int, int] = (0, 0)

    @property
    def facts(self) -> dict[str, object]:
        """What the page's script needs to know of the sheet."""
        return {"columns": self.columns, "rows": self.rows, "names": self.names, "start": self.start}


@dataclass(frozen=True)
class Explored:
    """A configuration's sheets.

    Attributes:
        label: the configuration in words, with its metric.
        sheets: at least one.
    """

    label: str
    sheets: tuple[Sheet, ...]


def explore(grid: Grid, loaders: Loaders) -> list[Explored]:
    """Return the sheets of the best configuration for each model and latent size: eight at most, as the page can hold.

    Each is the trial with the median of the main metric over the seeds. Records made by older code hold no decoded
    points; where all are, nothing is returned.
    """
    found: list[Explored] = []
    left = _PIXELS
    for one in _chosen(grid):
        record = one.representative(grid.main)
        arrays = loaders.arrays(record)
        cost = sum(arrays[name].size for name in ("plane", "class_walks", "traversals") if name in arrays)
        if not cost or (found and cost > left):
            continue
        left -= cost
        found.append(Explored(_label(grid, one), tuple(_sheets(record, arrays))))
        if len(found) == _MOST:
            break
    return found


def _label(grid: Grid, one: Configuration) -> str:
    head = f"{clean(one.dataset)}: " if len(grid.datasets) > 1 else ""
    value = grid.formats.spread(grid.main, one.spread(grid.main))
    return f"{head}{grid.label(one)} ({quantity(grid.main).label} {value})"


def _chosen(grid: Grid) -> Iterator[Configuration]:
    """Yield the configurations in the order of their claim, the data sets in turn."""
    turns = zip_longest(*(_claims(grid.within(dataset), grid.main) for dataset in grid.datasets))
    return (one for turn in turns for one in turn if one is not None)


def _claims(known: Sequence[Configuration], main: str) -> list[Configuration]:
    """Return the best of each model and latent size, best first; the best with a plane to walk over comes second."""
    kinds = dict.fromkeys((one.model, one.latent_dim) for one in known)
    tops = [best((one for one in known if (one.model, one.latent_dim) == kind), main) for kind in kinds]
    order = ranked((top for top in tops if top is not None), main)
    plane = next((top for top in order[2:] if top.latent_dim == _PLANE), None)
    if plane is not None and not any(top.latent_dim == _PLANE for top in order[:2]):
        order.remove(plane)
        order.insert(1, plane)
    return order


def _sheets(record: Record, arrays: Arrays) -> Iterable[Sheet]:
    makers: tuple[Callable[[Record, Arrays], Sheet | None], ...] = (_plane, _walks, _traversals)
    return (made for maker in makers if (made := maker(record, arrays)) is not None)


def _plane(record: Record, arrays: Arrays) -> Sheet | None:  # noqa: ARG001 - all makers take the same
    pictures, values = arrays.get("plane"), arrays.get("plane_values")
    if pictures is None or values is None:
        return None
    places = tuple(_number(value) for value in values)
    middle = len(places) // 2
    return Sheet(
        "plane",
        "The plane",
        f"{len(places)} by {len(places)} pictures decoded over the latent plane: z1 from {places[0]} at the left to "
        f"{places[-1]} at the right, z2 from {places[0]} at the bottom to {places[-1]} at the top.",
        sprite(np.asarray(pictures)[::-1]),  # z2 grows upwards, as in every plot
        places,
        places[::-1],
        start=(len(places) - 1 - middle, middle),
    )


def _walks(record: Record, arrays: Arrays) -> Sheet | None:
    pictures, ends = arrays.get("class_walks"), arrays.get("class_walk_labels")
    if pictures is None or ends is None or not len(pictures):
        return None
    labels = sorted({int(label) for label in ends.flat})
    named = "labels" in arrays or "example_labels" in arrays
    names = tuple(shorten(class_name(record, label), _NAME) if named else f"example {label + 1}" for label in labels)
    steps = pictures.shape[1]
    return Sheet(
        "walk",
        "Between two classes" if named else "Between two examples",
        f"{len(pictures)} rows of {steps} decoded pictures, each row on the straight line between two examples"
        + (f" of different classes: {', '.join(names)}." if named else "."),
        sprite(pictures),
        tuple(f"{100 * step / max(steps - 1, 1):.0f} %" for step in range(steps)),
        tuple((labels.index(int(first)), labels.index(int(last))) for first, last in ends),
        names,
    )


def _traversals(record: Record, arrays: Arrays) -> Sheet | None:  # noqa: ARG001 - all makers take the same
    pictures, values, places = (arrays.get(name) for name in ("traversals", "traversal_values", "traversed"))
    if pictures is None or values is None or places is None or not len(pictures):
        return None
    nats = arrays.get("traversal_kl")
    steps = tuple(_number(value) for value in values)
    rows = tuple(
        f"z{int(place) + 1}" + (f" ({float(nats[row]):.2f} nats)" if nats is not None else "")
        for row, place in enumerate(places)
    )
    return Sheet(
        "dimension",
        "Along one dimension",
        f"{len(rows)} rows of {len(steps)} decoded pictures: the first test image's code with one dimension set from "
        f"{steps[0]} to {steps[-1]}, the dimension with the most KL at the top: {', '.join(rows)}.",
        sprite(pictures),
        steps,
        rows,
        start=(0, len(steps) // 2),
    )


def _number(value: float) -> str:
    text = f"{float(value):.2f}"
    return "0.00" if text == "-0.00" else text.replace("-", "\N{MINUS SIGN}")
