"""Where the encoder puts the test images: latent maps coloured by class."""

import hashlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib.patheffects as effects
import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from ablations.records.record import Record
from ablations.report.drawn import Drawn, LeftOut
from ablations.report.figures._base import Shown, figure
from ablations.report.figures._choice import NO_VAE, best_by_latent, best_mean, left_out
from ablations.report.loaders import class_name
from ablations.report.style import GREY, MARKERS, PALETTE, drawable, new_figure, styled
from ablations.text.numbers import clean, count
from vae.files import write_atomically
from vae.latent import Embedding, embed

__all__ = ["embedded", "latent_maps"]


_LETTER, _LINE = 0.038, 0.055  # a name's letter and line, as shares of a panel
_PLANE = 2
_PANELS = 4  # latent sizes: t-SNE of each takes seconds
_FEWEST = 5  # points that t-SNE can place
_NAMED = 20  # classes; more than that cannot be told apart by name or colour
_METHODS = {"tsne": "t-SNE", "pca": "PCA"}


@figure("latent_maps", order=130)
def latent_maps(shown: Shown) -> Iterator[Drawn | LeftOut]:
    """Draw z_mean of test images in two dimensions, a panel a latent size (two sizes are drawn as they are)."""
    grid, dataset, loaders = shown.grid, shown.dataset, shown.loaders
    title = f"Latent maps: {clean(dataset)}"
    found = best_by_latent(grid, dataset, most=_PANELS)
    if not found:
        yield left_out(shown, title, NO_VAE)
        return
    points = [(one, loaders.arrays(one.representative(grid.main))) for one in found]
    kept = [(one, arrays) for one, arrays in points if "z_mean" in arrays and _mappable(arrays["z_mean"])]
    if not kept:
        yield left_out(
            shown, title, f"no finished trial kept {_FEWEST} or more positions in two or more latent dimensions"
        )
        return
    method = _METHODS.get(shown.embedding, shown.embedding)
    with styled():
        figure, panels = new_figure(len(kept), columns=2 if len(kept) == _PANELS else 3, size=(3.0, 2.9), share=False)
        for axes, (one, arrays) in zip(panels, kept, strict=True):
            raw = arrays["z_mean"].shape[1] == _PLANE
            plane = embedded(arrays["z_mean"], "raw" if raw else shown.embedding, loaders.cache)
            _panel(axes, one.representative(grid.main), plane, arrays.get("z_labels"))
            axes.set_title(f"latent size {one.latent_dim}" + ("" if raw else f" ({method})"))
            if raw:
                axes.set_xlabel("z₁")
                axes.set_ylabel("z₂")
            else:
                axes.set_xticks([])
                axes.set_yticks([])
    number = len(kept[0][1]["z_mean"])
    sizes = ", ".join(str(one.latent_dim) for one, _ in kept)
    accuracy = [
        f"latent size {one.latent_dim}: kNN accuracy {grid.formats.spread('knn_accuracy', one.spread('knn_accuracy'))}"
        for one, _ in kept
        if one.spread("knn_accuracy").n
    ]
    yield Drawn(
        f"latent-{dataset}",
        title,
        f"z_mean of {count(number, 'test image')}, coloured by class; model {clean(kept[0][0].model)}, at each latent "
        f"size shown its configuration with the {best_mean(grid)}. Two dimensions are drawn as they are, more by "
        f"{method} (fixed seed), whose axes have no unit; distances between t-SNE's clusters mean little.",
        f"{count(len(kept), 'scatter plot')} of {count(number, 'test image')} for latent size {sizes}"
        + (f"; {'; '.join(accuracy)}." if accuracy else "."),
        figure,
        pictures=True,
    )


def _mappable(z_mean: NDArray[Any]) -> bool:
    return z_mean.shape[1] >= _PLANE and len(z_mean) >= _FEWEST and bool(np.isfinite(z_mean).all())


def embedded(z_mean: NDArray[Any], method: Embedding, cache: Path | None) -> NDArray[np.float64]:
    """Return (n, 2) positions of (n, L) points; an earlier result for the same points is read from `cache`."""
    points = np.ascontiguousarray(z_mean, dtype=np.float32)
    name = hashlib.sha256(f"{method} {points.shape} ".encode() + points.tobytes()).hexdigest()
    file = cache / f"{name}.npy" if cache else None
    if file is not None and file.is_file():
        try:
            stored: NDArray[np.float64] = np.load(file, allow_pickle=False)
        except (ValueError, EOFError, OSError):
            stored = np.empty(0)
        if stored.shape == (len(points), 2) and stored.dtype == np.float64 and np.isfinite(stored).all():
            return stored
        file.unlink(missing_ok=True)  # damaged: made again below
    plane = np.asarray(embed(points, method=method, seed=0), dtype=np.float64)
    if file is not None:
        buffer = io.BytesIO()
        np.save(buffer, plane, allow_pickle=False)
        write_atomically(file, buffer.getvalue())
    return plane


def _panel(axes: Axes, record: Record, plane: NDArray[Any], labels: NDArray[Any] | None) -> None:
    axes.grid(visible=False)
    classes = [] if labels is None else sorted({int(label) for label in labels})
    if labels is None or len(classes) > _NAMED:
        look: dict[str, Any] = {"color": GREY} if labels is None else {"c": labels, "cmap": "viridis"}
        axes.scatter(plane[:, 0], plane[:, 1], s=5, linewidths=0, rasterized=True, **look)
        return
    names = _Names(axes, record)
    for place, label in enumerate(classes):
        own = plane[np.asarray(labels) == label]
        marker = MARKERS[place // len(PALETTE)]
        colour = PALETTE[place % len(PALETTE)]
        axes.scatter(own[:, 0], own[:, 1], s=7, color=colour, marker=marker, linewidths=0, alpha=0.75, rasterized=True)
        names.put(label, own)


class _Names:
    """Class names at their clusters' medians, moved apart where they would overlap."""

    def __init__(self, axes: Axes, record: Record) -> None:
        self._axes = axes
        self._record = record
        self._taken: list[tuple[NDArray[np.float64], int]] = []

    def put(self, label: int, own: NDArray[np.float64]) -> None:
        low, high = (np.asarray(end) for end in (self._axes.dataLim.min, self._axes.dataLim.max))
        extent = np.maximum(high - low, 1e-9)
        name = drawable(class_name(self._record, label), 14)
        place = np.asarray(np.median(own, axis=0), dtype=np.float64)
        for _ in range(20):
            apart = [
                abs(place[0] - other[0]) > _LETTER * extent[0] * (len(name) + letters) / 2
                or abs(place[1] - other[1]) > _LINE * extent[1]
                for other, letters in self._taken
            ]
            if all(apart):
                break
            place += np.array([0.0, 0.06 * extent[1]])
        self._taken.append((place, len(name)))
        outline = [effects.withStroke(linewidth=2.4, foreground="white")]
        self._axes.annotate(
            name,
            (place[0], place[1]),
            ha="center",
            va="center",
            fontsize=9,
            weight="bold",
            color="#1d2026",
            path_effects=outline,
        )
