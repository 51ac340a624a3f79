"""Test images over what each model makes of them."""

from collections.abc import Iterator
from typing import Any

from numpy.typing import NDArray

from ablations.records.record import Record
from ablations.report.drawn import Drawn, LeftOut
from ablations.report.figures._base import Shown, figure
from ablations.report.figures._choice import best_by_model, best_mean, left_out, median_seed, of_models, reached
from ablations.report.figures._mosaic import MOST_COLUMNS, Row, as_rgb, mosaic
from ablations.report.loaders import class_name
from ablations.text.numbers import clean, count

__all__ = ["reconstructions"]


@figure("reconstructions", order=70)
def reconstructions(shown: Shown) -> Iterator[Drawn | LeftOut]:
    """Draw test images over what each model's best configuration makes of them."""
    grid, dataset, loaders = shown.grid, shown.dataset, shown.loaders
    title = f"Reconstructions: {clean(dataset)}"
    rows: list[Row] = []
    heads: list[str] = []
    said: list[str] = []
    best = best_by_model(grid, dataset)
    for one in best:
        arrays = loaders.arrays(one.representative(grid.main))
        if "examples" not in arrays or "reconstructions" not in arrays:
            continue
        if not rows:
            originals = as_rgb(arrays["examples"])[:MOST_COLUMNS]
            rows.append(Row(originals, "original"))
            heads = _names(one.representative(grid.main), arrays.get("example_labels"), len(originals))
        rows.append(Row(as_rgb(arrays["reconstructions"])[:MOST_COLUMNS], one.model, gap=len(rows) == 1))
        said.append(f"{grid.label(one)} ({reached(grid, one)})")
    if not rows:
        yield left_out(shown, title, "no finished trial kept its example images")
        return
    chosen = "; ".join(said)
    yield Drawn(
        f"reconstructions-{dataset}",
        title,
        f"First row: test images. Below: what each model's configuration with the {best_mean(grid)} makes of them, "
        f"decoded from z_mean, by the {median_seed(grid)}. {chosen}.{of_models(grid, dataset, best)}",
        f"{count(len(rows[0].images), 'test image')} of {clean(dataset)} over {count(len(rows) - 1, 'row')} of "
        f"reconstructions: {chosen}.",
        mosaic(rows, heads),
        pictures=True,
    )


def _names(record: Record, labels: NDArray[Any] | None, number: int) -> list[str]:
    return [] if labels is None else [class_name(record, int(label)) for label in labels[:number]]
