"""How a study's configurations stand against one another: fronts, and how firmly the order of the best is known."""

import math
from collections.abc import Iterable, Sequence

import numpy as np

from ablations.analysis.grid import Configuration, Grid, chosen_by, ranked
from ablations.analysis.pairs import by_seed, paired, seed_matrix
from ablations.report.tables.view import Cell, Column, TableView, axis_cells, axis_columns, sortable
from ablations.statistics.intervals import Effect, mean_interval, paired_effect, pareto_front
from ablations.statistics.ranking import rank_stability, seeds_needed
from ablations.text.columns import directed, quantity
from ablations.text.numbers import ABSENT, clean, probability, share_text

__all__ = ["MOST", "front_table", "measured_names", "rank_table", "title_of"]

MOST = 60
"""Rows of a table of the analysis."""


def _fronts(main: str) -> list[tuple[str, str, str]]:
    word = quantity(main).word
    costs = ((f"{word} and training time", "train_seconds"), (f"{word} and parameters", "parameters"))
    return [("rate-distortion", "kl", "sse"), *((title, cost, main) for title, cost in costs if cost != main)]


def measured_names(known: Iterable[Configuration], names: Iterable[str]) -> list[str]:
    """Return those of the metrics that some configuration has."""
    rows = list(known)
    return [name for name in names if any(by_seed(one, name) for one in rows)]


def title_of(known: Sequence[Configuration], text: str) -> str:
    """Return a caption that begins with the data set."""
    return f"{clean(known[0].dataset)}: {text}"


def front_table(grid: Grid, known: Sequence[Configuration], place: int) -> TableView | None:
    """Return the configurations on a Pareto front; None where no two have both quantities of any."""
    on: dict[str, set[int]] = {}
    fronts = _fronts(grid.main)
    for title, *pair in fronts:
        points = np.array([[directed(name) * one.mean(name) for name in pair] for one in known])
        both = np.isfinite(points).all(axis=1)
        if both.sum() > 1:
            on[title] = {id(one) for one, kept in zip(known, pareto_front(points), strict=True) if kept}
    shown = [one for one in ranked(known, grid.main) if any(id(one) in front for front in on.values())]
    if not shown:
        return None
    names = measured_names(known, dict.fromkeys(name for _, *pair in fronts for name in pair))
    columns = axis_columns(grid, shown)
    columns += [Column(name, quantity(name).heading, rank=10 + index) for index, name in enumerate(names)]
    columns += [Column(f"front_{index}", title, numeric=False, rank=1 + index) for index, title in enumerate(on)]
    rows = []
    for one in shown[:MOST]:
        cells = [Cell(grid.formats.spread(name, one.spread(name)), sortable(one.mean(name))) for name in names]
        marks = [Cell("yes" if id(one) in front else ABSENT, "0" if id(one) in front else "1") for front in on.values()]
        rows.append((*axis_cells(grid, one), *cells, *marks))
    note = (
        "Configurations that no other beats in both quantities of a pair, by their means; neighbours on a front may "
        "differ by less than their seeds do. Rate-distortion: KL in nats against squared error per image."
    )
    if len(shown) > MOST:
        main = quantity(grid.main)
        note += f" The {MOST} of {main.best} {main.word} of {len(shown)}."
    return TableView(f"fronts-{place}", title_of(known, "Pareto fronts"), tuple(columns), tuple(rows), note)


def rank_table(grid: Grid, known: Sequence[Configuration], place: int) -> TableView | None:
    """Return for each metric the best configuration, and what would name another; None where there is no contest."""
    rows = [row for name in measured_names(known, grid.metrics) if (row := _rank_row(grid, known, name))]
    if not rows:
        return None
    columns = [
        Column("metric", "metric", numeric=False),
        Column("best", "best", numeric=False),
        Column("mean", "mean", rank=3),
        Column("second", "runner-up", numeric=False),
        Column("difference", "difference", rank=2),
        Column("p", "p", rank=1),
        Column("stays", "same best with other seeds", rank=1),
        Column("rival", "most likely instead", numeric=False, rank=9),
        Column("seeds", "shared seeds", rank=4),
        Column("more", "seeds still needed", rank=1),
    ]
    note = (
        "Same best: how often another set of as many seeds would name it too (bootstrap over seeds, both sets' chance "
        "counted), among configurations with two seeds or more. Seeds still needed: to settle best against runner-up "
        "with 80 % power by a paired t test at 5 %, if the difference is what it seems; the best of many seems better "
        "than it is, so that this is an order of magnitude. p is of that one test, not corrected."
    )
    return TableView(f"ranks-{place}", title_of(known, "how firmly the best stands"), tuple(columns), tuple(rows), note)


def _rank_row(grid: Grid, known: Sequence[Configuration], name: str) -> tuple[Cell, ...] | None:
    order = ranked(known, name)
    if len(order) < 2:  # noqa: PLR2004 - no contest
        return None
    by = chosen_by(order, name)
    first, second = order[:2]
    pairs = paired(second, first, by)
    effect = paired_effect([pairs])
    judged = [one for one in order if len(by_seed(one, by)) > 1]
    stays = rival = ABSENT
    share = math.nan
    if judged and judged[0] is first:
        matrix = seed_matrix(judged, by)
        stability = rank_stability(matrix, maximize=quantity(name).better == "higher")
        share = stability.stays
        stays = share_text(share)
        chances = np.delete(stability.chances, stability.winner)
        if chances.size and chances.max() > 0:
            likely = [one for index, one in enumerate(judged) if index != stability.winner][int(chances.argmax())]
            rival = f"{grid.label(likely, short=True)} ({share_text(float(chances.max()))})"
    texts = [quantity(name).label, grid.label(first, short=True), grid.label(second, short=True)]
    label, best_text, second_text = (Cell(text, text) for text in texts)
    interval = mean_interval(first.values(name))
    return (
        label,
        best_text,
        Cell(grid.formats.interval(name, interval), sortable(interval.estimate)),
        second_text,
        Cell(grid.formats.interval(name, effect.change, sign=True), sortable(effect.change.estimate)),
        Cell(probability(effect.p), sortable(effect.p)),
        Cell(stays, sortable(share)),
        Cell(rival, rival),
        Cell(str(effect.pairs), str(effect.pairs)),
        _more(effect, pairs),
    )


def _more(effect: Effect, pairs: np.ndarray) -> Cell:
    if not effect.change.known:
        return Cell(ABSENT)
    if effect.resolved:
        return Cell("settled", "0")
    total = seeds_needed(pairs[:, 1] - pairs[:, 0])
    if total is None:
        return Cell("> 10,000", "10000")
    more = max(total - effect.pairs, 1)
    return Cell(f"{more:,}", str(more))
