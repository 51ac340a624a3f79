"""Where the nats lie: the KL of each latent dimension."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from ablations.analysis.grid import Configuration, Grid
from ablations.report.drawn import Drawn, LeftOut
from ablations.report.figures._base import Shown, figure
from ablations.report.figures._choice import NO_VAE, best_by_latent, best_mean, left_out, median_seed
from ablations.report.style import PALETTE, drawable, new_figure, styled
from ablations.text.numbers import clean, count
from vae.outcome import ACTIVE_VARIANCE

__all__ = ["kl_by_dimension"]

_PANELS = 6
_THRESHOLD = 0.01  # nats: below, a dimension tells the decoder next to nothing
_LOWEST = 1e-3  # nats, where the axis begins
_SINGLE_BARS = 64  # dimensions up to which bars stand apart


@figure("kl_by_dimension", order=140)
def kl_by_dimension(shown: Shown) -> Iterator[Drawn | LeftOut]:
    """Draw the KL of each latent dimension, sorted, a panel a configuration."""
    grid, dataset, loaders = shown.grid, shown.dataset, shown.loaders
    title = f"KL by latent dimension: {clean(dataset)}"
    chosen = _selected(grid, dataset)
    if not chosen:
        yield left_out(shown, title, NO_VAE)
        return
    kept = [
        (one, arrays)
        for one in chosen
        if "kl_per_dimension" in (arrays := loaders.arrays(one.representative(grid.main)))
    ]
    if not kept:
        yield left_out(shown, title, "no finished trial kept the KL of its dimensions")
        return
    said: list[str] = []
    with styled():
        columns = 2 if len(kept) == 4 else 3  # noqa: PLR2004 - no panel alone in its line
        figure, panels = new_figure(len(kept), columns=columns, size=(2.8, 2.2), share=False)
        for axes, (one, arrays) in zip(panels, kept, strict=True):
            rates, active = _sorted_rates(arrays)
            _bars(axes, rates, active)
            axes.set_title(drawable(grid.label(one, {"model"}, short=True), 34))
            axes.set_xlabel(f"{count(len(rates), 'dimension')}, sorted")
            axes.set_ylabel("KL (nats)")
            above = int((rates > _THRESHOLD).sum())
            said.append(
                f"{grid.label(one)}: {above} of {count(len(rates), 'dimension')} above {_THRESHOLD} nats, largest "
                f"{grid.formats.number('kl', float(rates[0]))}, active units "
                f"{grid.formats.spread('active_units', one.spread('active_units'))}"
            )
        top = 2 * max(float(arrays["kl_per_dimension"].max()) for _, arrays in kept)
        for axes in panels:
            axes.set_ylim(_LOWEST, max(top, 2 * _THRESHOLD))
    listed = "; ".join(said)
    yield Drawn(
        f"kl-dimensions-{dataset}",
        title,
        f"KL of each dimension, mean over the test images, largest first, on a logarithmic scale from {_LOWEST:g} "
        f"nats; the line marks {_THRESHOLD} nats. Pale: dimensions that the metric active_units leaves out, whose "
        f"z_mean has a variance of {ACTIVE_VARIANCE} or less over the test images. Model "
        f"{clean(kept[0][0].model)}: at each latent size its configuration with the {best_mean(grid)}, and of the rest "
        f"the one with the smallest share of active units, if smaller than all of these; {median_seed(grid)}.",
        f"{listed}.",
        figure,
    )


def _selected(grid: Grid, dataset: str) -> list[Configuration]:
    """Return the best at each latent size, and the configuration of the same model that left most dimensions unused."""
    chosen = best_by_latent(grid, dataset, most=_PANELS - 1)
    if not chosen:
        return []

    def share(one: Configuration) -> float:
        return one.mean("active_units") / (one.latent_dim or 1)

    rest = [one for one in grid.within(dataset) if one.model == chosen[0].model and one.is_vae and one not in chosen]
    lowest = min(rest, key=share, default=None)
    if lowest is not None and share(lowest) < min(map(share, chosen)):
        return [*chosen, lowest]
    return chosen


def _sorted_rates(arrays: Mapping[str, NDArray[Any]]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    rates = np.asarray(arrays["kl_per_dimension"], dtype=np.float64)
    order = np.argsort(-rates, kind="stable")
    z_mean = arrays.get("z_mean")
    active = rates > _THRESHOLD if z_mean is None else z_mean.var(axis=0) > ACTIVE_VARIANCE
    return rates[order], active[order]


def _bars(axes: Axes, rates: NDArray[np.float64], active: NDArray[np.bool_]) -> None:
    places = np.arange(1, len(rates) + 1)
    width = 0.8 if len(rates) <= _SINGLE_BARS else 1.0
    for own, colour in ((active, PALETTE[0]), (~active, "#b9c3cf")):
        axes.bar(places[own], np.maximum(rates[own], _LOWEST), width=width, color=colour, linewidth=0)
    axes.set_yscale("log")
    axes.set_yticks([10.0**power for power in range(-3, 3)], ["0.001", "0.01", "0.1", "1", "10", "100"])
    axes.minorticks_off()
    axes.grid(visible=False, axis="x")
    axes.set_axisbelow(True)
    axes.axhline(_THRESHOLD, color=PALETTE[1], linewidth=1.1, linestyle=(0, (4, 2)))
    axes.set_xlim(0.4, len(rates) + 0.6)
    if len(rates) <= 12:  # noqa: PLR2004 - that fit as numbers
        axes.set_xticks(places)
