"""What each latent size reaches at its best."""

from collections.abc import Iterator

from ablations.analysis.grid import Configuration, best
from ablations.report.findings._base import Known, Statement, finding
from ablations.report.findings._phrases import difference
from ablations.text.columns import ERROR, FLOOR, quantity
from ablations.text.numbers import percent

__all__ = ["latent_size"]


@finding("latent_size", order=20)
def latent_size(known: Known) -> Iterator[Statement]:
    """Say what the best configuration of each size reaches, and whether the largest size is the best."""
    main = quantity(known.grid.main)
    sizes = sorted({one.latent_dim for one in known.configurations if one.latent_dim is not None})
    tops = ((size, best((one for one in known.configurations if one.latent_dim == size), main.name)) for size in sizes)
    found = [(size, top) for size, top in tops if top is not None]
    if len(found) < 2:  # noqa: PLR2004 - nothing to compare
        return
    parts = [f"{size}: {_reached(known, top)}" for size, top in found]
    text = f"The {main.best} mean {main.word} at latent size {'; '.join(parts)}."
    last, before = found[-1], found[-2]
    text += f" From {before[0]} to {last[0]}: {difference(known.grid, main.name, last[1], before[1])}."
    top_size = best((one for _, one in found), main.name)
    if top_size is not None and top_size.latent_dim == sizes[-1]:
        text += " The best is the largest size tried; a larger one may do better still."
    yield Statement("Latent size", text)


def _reached(known: Known, top: Configuration) -> str:
    name = known.grid.main
    against = percent(top.mean(ERROR), top.mean(FLOOR)) if name == ERROR else ""
    value = known.grid.formats.spread(name, top.spread(name))
    return f"{value} ({against} against PCA)" if against else value
