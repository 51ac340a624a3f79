"""Images decoded from the prior, beside real ones."""

from collections.abc import Iterator

from ablations.report.drawn import Drawn, LeftOut
from ablations.report.figures._base import Shown, figure
from ablations.report.figures._choice import best_by_model, best_mean, left_out, median_seed, of_models
from ablations.report.figures._mosaic import MOST_COLUMNS, Row, as_rgb, mosaic
from ablations.text.numbers import clean, count

__all__ = ["samples"]

_NONE = "no model that can be sampled from (one with a KL term) finished"


@figure("samples", order=150)
def samples(shown: Shown) -> Iterator[Drawn | LeftOut]:
    """Draw images decoded from z ~ N(0, I) below real ones."""
    grid, dataset, loaders = shown.grid, shown.dataset, shown.loaders
    title = f"Samples from the prior: {clean(dataset)}"
    rows: list[Row] = []
    said: list[str] = []
    best = best_by_model(grid, dataset, vae=True)
    for one in best:
        arrays = loaders.arrays(one.representative(grid.main))
        if "samples" not in arrays:
            continue
        if not rows and "examples" in arrays:
            rows.append(Row(as_rgb(arrays["examples"])[:MOST_COLUMNS], "real"))
        across = len(rows[0].images) if rows else 10
        drawn = as_rgb(arrays["samples"])
        for start in range(0, min(2 * across, len(drawn)), across):
            first = start == 0
            rows.append(Row(drawn[start : start + across], one.model if first else "", gap=first and bool(rows)))
        scale = one.spread("posterior_scale")
        said.append(
            f"{grid.label(one)} (posterior scale {grid.formats.spread('posterior_scale', scale)}; 1 fits the prior)"
            if scale.n
            else grid.label(one),
        )
    if not said:
        yield left_out(shown, title, _NONE)
        return
    chosen = "; ".join(said)
    yield Drawn(
        f"samples-{dataset}",
        title,
        "First row: test images. Below: images decoded from z drawn from the prior N(0, I), by each model's "
        f"configuration with the {best_mean(grid)}, {median_seed(grid)}, not selected by eye. {chosen}."
        f"{of_models(grid, dataset, best, vae=True)}",
        f"Test images of {clean(dataset)} over prior samples of {count(len(said), 'model')}: {chosen}.",
        mosaic(rows, []),
        pictures=True,
    )
