"""Each term of the loss over the epochs."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from ablations.analysis.grid import best
from ablations.report.drawn import Drawn, LeftOut
from ablations.report.figures._base import Shown, figure
from ablations.report.figures._choice import best_mean, left_out
from ablations.report.style import GREY, drawable, log_scale, models_of, new_figure, styled
from ablations.text.columns import quantity
from ablations.text.numbers import clean

__all__ = ["training_curves"]

_TERMS = {
    "loss": "weighted loss",
    "reconstruction": "squared error per image",
    "kl": "KL (nats)",
    "ssim": "SSIM term (1 − SSIM)",  # noqa: RUF001 - a minus sign
}
_BOOKKEEPING = {"epoch", "seconds"}
_LOG_RATIO = 20.0


@figure("training_curves", order=170)
def training_curves(shown: Shown) -> Iterator[Drawn | LeftOut]:
    """Draw each term over the epochs, training and validation, for each model's best configuration."""
    grid, dataset, loaders = shown.grid, shown.dataset, shown.loaders
    title = f"Training curves: {clean(dataset)}"
    curves: dict[str, pd.DataFrame] = {}
    said: list[str] = []
    for model in grid.models(dataset):
        one = best((item for item in grid.within(dataset) if item.model == model), grid.main)
        frames = [frame for record in (one.trials if one else ()) if len(frame := loaders.history(record))]
        if one is None or not frames:
            continue
        curves[model] = pd.concat(frames, ignore_index=True)
        said.append(grid.label(one))
    if not curves:
        yield left_out(shown, title, "no finished trial kept its history")
        return
    names = dict.fromkeys(name for frame in curves.values() for name in frame.columns)
    terms = [name for name in names if _is_term(name, curves.values())]
    if not terms:
        yield left_out(shown, title, "no term of the loss was recorded")
        return
    colours = models_of(grid)
    with styled():
        figure, panels = new_figure(len(terms), share=False, size=(3.1, 2.5))
        for axes, term in zip(panels, terms, strict=True):
            for model, frame in curves.items():
                _curve(axes, frame, term, colours[model])
            axes.set_title(drawable(_TERMS.get(term, quantity(term).heading)))
            axes.set_xlabel("epoch")
            _log_where_wide(axes)
        handles = [Line2D([], [], color=colours[model], label=drawable(model)) for model in curves]
        handles += [Line2D([], [], color=GREY, linestyle="-", label="training")]
        handles += [Line2D([], [], color=GREY, linestyle="--", label="validation")]
        figure.legend(handles=handles, loc="outside lower center", ncols=min(len(handles), 6))
    yield Drawn(
        f"curves-{dataset}",
        title,
        "Unweighted mean of each term after each epoch; lines are means over the seeds, bands reach from the lowest "
        "seed to the highest. Training values are taken while the weights still move, so that they can lie above "
        f"the validation's. Each model's configuration with the {best_mean(grid)}: {'; '.join(said)}.",
        "; ".join(_last_values(model, frame, terms) for model, frame in curves.items()) + ".",
        figure,
    )


def _is_term(name: str, frames: Iterable[pd.DataFrame]) -> bool:
    if name in _BOOKKEEPING or name == "loss" or name.startswith("val_") or name.endswith("_weight"):
        return False
    return any(name in frame and frame[name].notna().any() for frame in frames)


def _curve(axes: Axes, frame: pd.DataFrame, term: str, colour: str) -> None:
    for name, style in ((term, "-"), (f"val_{term}", "--")):
        if name not in frame or not frame[name].notna().any():
            continue
        steps = frame.groupby("epoch")[name]
        epochs = np.asarray(sorted(frame["epoch"].unique()), dtype=float)
        marker = "o" if len(epochs) == 1 else None
        axes.plot(epochs, steps.mean().to_numpy(), color=colour, linestyle=style, marker=marker, linewidth=1.5)
        axes.fill_between(epochs, steps.min().to_numpy(), steps.max().to_numpy(), color=colour, alpha=0.15, linewidth=0)


def _log_where_wide(axes: Axes) -> None:
    values = np.concatenate([np.asarray(line.get_ydata(), dtype=float) for line in axes.lines] or [np.ones(1)])
    values = values[np.isfinite(values)]
    if len(values) and values.min() > 0 and values.max() / values.min() > _LOG_RATIO:
        log_scale(axes.yaxis)


def _last_values(model: str, frame: pd.DataFrame, terms: Sequence[str]) -> str:
    last = frame[frame["epoch"] == frame["epoch"].max()]
    parts = [
        f"{_TERMS.get(term, quantity(term).heading)} {last[name].mean():.4g}"
        for term in terms
        if (name := f"val_{term}" if f"val_{term}" in last else term) in last and last[name].notna().any()
    ]
    return f"{clean(model)} after {int(frame['epoch'].max())} epochs, validation: {', '.join(parts)}"
