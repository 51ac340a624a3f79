"""The table of configurations: means and spreads over the seeds."""

import math
from collections.abc import Mapping, Sequence

from ablations.analysis.grid import Configuration, Grid
from ablations.records.record import measured
from ablations.records.status import Status
from ablations.report.tables.view import Cell, Column, TableView, axis_cell, axis_columns, sortable
from ablations.text.columns import ERROR, FLOOR, MAIN, in_tables, order, quantity
from ablations.text.numbers import ABSENT, clean, percent

__all__ = ["number_column", "summary_tables"]

_NOT_RANKED = {FLOOR, "sigma", "parameters", "flops_per_image"}


def summary_tables(grid: Grid) -> list[TableView]:
    """Return one table a data set: a row a configuration, means and standard deviations over the seeds."""
    return [_summary_table(grid, dataset, place) for place, dataset in enumerate(grid.datasets)]


def _summary_table(grid: Grid, dataset: str, place: int) -> TableView:
    rows = grid.within(dataset, done=False)
    present = {name for one in rows for trial in one.trials for name in measured(trial)}
    names = in_tables(order(present), grid.metrics)
    axes = list(grid.varying)
    ranks = _ranks(grid.metrics)
    columns = axis_columns(grid, rows)
    if "sigma" in names:
        after = axes.index("kl_weight") + 1 if "kl_weight" in axes else len(columns)
        columns.insert(after, number_column("sigma", ranks))
    for name in (name for name in names if name not in {"sigma", FLOOR}):
        columns.append(number_column(name, ranks))
        if name == ERROR and FLOOR in names:
            against = Column("against_floor", "MSE against PCA", rank=_rank("against_floor", ranks))
            columns += [number_column(FLOOR, ranks), against]
    columns += [Column("n", "seeds", rank=_rank("n", ranks)), Column("failed", "not done", rank=_rank("failed", ranks))]
    winners = {name: _winners(rows, name) for name in names}
    fixed = grid.fixed(dataset)
    stale = sum(one.stale for one in rows)
    note = "Mean ± standard deviation over the seeds; the best value of a column is bold."
    note += f" The same in every row: {'; '.join(fixed)}." if fixed else ""
    note += (
        " Rows marked † hold trials made by older code; they enter a mean only where there are no others."
        if stale
        else ""
    )
    return TableView(
        f"summary-{place + 1}",
        f"{clean(dataset)}: one row a configuration",
        tuple(columns),
        tuple(tuple(_summary_cell(grid, one, column, winners) for column in columns) for one in rows),
        note,
    )


def _summary_cell(grid: Grid, one: Configuration, column: Column, winners: Mapping[str, set[int]]) -> Cell:
    name = column.key
    if name == "n":
        return Cell(f"{len(one.trials)}{'†' if one.stale else ''}", str(len(one.trials)))
    if name == "failed":
        failed = any(record.status != Status.PRUNED for record in one.others)
        return Cell(str(len(one.others)), str(len(one.others)), status=Status.FAILED if failed else "")
    if name == "against_floor":
        text = percent(one.mean(ERROR), one.mean(FLOOR))
        share = one.mean(ERROR) / one.mean(FLOOR) if text else math.nan
        return Cell(text or ABSENT, sortable(share))
    if name in one.axes or name == "model":
        return axis_cell(one, name)
    found = one.spread(name)
    return Cell(grid.formats.spread(name, found), sortable(found.mean), best=id(one) in winners.get(name, set()))


def _winners(rows: Sequence[Configuration], name: str) -> set[int]:
    better = quantity(name).better
    known = [(one.mean(name), id(one)) for one in rows if math.isfinite(one.mean(name))]
    if better == "neither" or name in _NOT_RANKED or len(known) < 2:  # noqa: PLR2004 - one value is no contest
        return set()
    top = (max if better == "higher" else min)(value for value, _ in known)
    return {place for value, place in known if value == top}


def number_column(name: str, ranks: Sequence[str]) -> Column:
    """Return a column of numbers; `ranks` names those that stay on narrow paper, the most important first."""
    return Column(name, quantity(name).heading, rank=_rank(name, ranks))


def _rank(name: str, ranks: Sequence[str]) -> int:
    return 1 + ranks.index(name) if name in ranks else 50


def _ranks(metrics: Sequence[str]) -> list[str]:
    first = [*metrics[:1], "against_floor", *metrics[1:2], "kl", "train_seconds", "sigma", *metrics[2:]]
    return list(dict.fromkeys([*first, *MAIN, FLOOR, "parameters", "n", "failed"]))
