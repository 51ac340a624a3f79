"""What each KL weight draws: samples from the prior, weight by weight and size by size."""

from collections.abc import Iterator

from ablations.analysis.grid import best
from ablations.report.drawn import Drawn, LeftOut
from ablations.report.figures._base import Shown, figure
from ablations.report.figures._choice import best_by_latent, best_mean, few, median_seed, named_levels
from ablations.report.figures._mosaic import Row, as_rgb, mosaic
from ablations.report.findings._questions import asked
from ablations.text.columns import quantity
from ablations.text.numbers import clean, setting

__all__ = ["samples_by_weight"]

_AXIS = "kl_weight"
_SIZES, _WEIGHTS, _ACROSS = 3, 6, 10


@figure("samples_by_weight", order=155)
def samples_by_weight(shown: Shown) -> Iterator[Drawn | LeftOut]:
    """Draw samples from the prior, a row a KL weight, the rows of a latent size together."""
    grid, dataset = shown.grid, shown.dataset
    title = f"Samples by KL weight: {clean(dataset)}"
    chosen = best_by_latent(grid, dataset, _SIZES)
    if not chosen:
        yield LeftOut(title, "no model that can be sampled from (one with a KL term) finished")
        return
    model = chosen[0].model
    own = [one for one in grid.within(dataset) if one.model == model and one.is_vae]
    weights = few(list(named_levels(own, _AXIS).values()), _WEIGHTS)
    if len(weights) < 2:  # noqa: PLR2004 - nothing to compare
        yield LeftOut(title, "one KL weight only: there is nothing to compare")
        return
    distance = next((one.metric for one in asked(grid, own) if one.does == "samples"), None)
    rows: list[Row] = []
    told: list[str] = []
    for place, size in enumerate(one.latent_dim for one in chosen):
        for weight in weights:
            one = best((each for each in own if (each.latent_dim, each.axes.get(_AXIS)) == (size, weight)), grid.main)
            arrays = {} if one is None else shown.loaders.arrays(one.representative(grid.main))
            if one is None or "samples" not in arrays:
                continue
            words = [setting("latent_dim", size, short=True)] if len(chosen) > 1 else []
            words.append(setting(_AXIS, weight, short=True))
            number = "" if distance is None else grid.formats.number(distance, one.mean(distance))
            first = bool(rows) and place > 0 and weight == weights[0]
            rows.append(Row(as_rgb(arrays["samples"])[:_ACROSS], clean(", ".join(words)), number, gap=first))
            told.append(clean(f"{', '.join(words)}{f': {number}' if number else ''}"))
    if not rows:
        yield LeftOut(title, "no finished trial kept samples")
        return
    right = f" At the right the mean {quantity(distance).word}, lower is better." if distance else ""
    yield Drawn(
        f"samples-by-weight-{dataset}",
        title,
        f"Images decoded from z drawn from the prior by {clean(model)}, a row a KL weight, of the settings with the "
        f"{best_mean(grid)} each, {median_seed(grid)}; the draws of z are the same in all rows of a size.{right}",
        f"Prior samples of {clean(model)}: {'; '.join(told)}.",
        mosaic(rows),
        pictures=True,
    )
