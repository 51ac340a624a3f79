"""The tables of a study's analysis: effects, shares of variance, fronts, and how firmly the order stands."""

from collections.abc import Mapping, Sequence

import numpy as np

from ablations.analysis.grid import Configuration, Grid, ranked
from ablations.analysis.pairs import by_seed, contrasts, counterpart, is_baseline, levels, paired
from ablations.report.tables.standings import MOST, front_table, measured_names, rank_table, title_of
from ablations.report.tables.view import Cell, Column, TableView, axis_cells, axis_columns, sortable
from ablations.statistics.intervals import Effect, corrected, paired_effect
from ablations.statistics.variance import Share, variance_shares
from ablations.text.columns import ERROR, axis_label, quantity
from ablations.text.numbers import ABSENT, clean, count, probability, share_text, value_text

__all__ = ["analysis_tables"]

_MOST_LEVELS = 8  # of an axis
_ERRORS = (ERROR, "sse")  # which settings multiply
_METHOD = (
    "In brackets the 95 % interval of the change, by itself; p and the verdict are corrected for all comparisons of "
    "this table (Holm)."
)


def analysis_tables(grid: Grid, baseline: Mapping[str, object]) -> list[TableView]:
    """Return the tables of each data set with two finished configurations or more.

    Args:
        grid: the configurations.
        baseline: settings of those that others are held against; may be empty.
    """
    tables: list[TableView | None] = []
    for place, dataset in enumerate(grid.datasets, start=1):
        known = grid.within(dataset)
        if len(known) < 2:  # noqa: PLR2004 - nothing to compare
            continue
        tables += [
            _against_baseline(grid, known, baseline, place),
            _one_setting(grid, known, baseline, place),
            _variance(grid, known, place),
            front_table(grid, known, place),
            rank_table(grid, known, place),
        ]
    return [table for table in tables if table is not None]


def _effect_columns(names: Sequence[str]) -> list[Column]:
    columns = []
    for place, name in enumerate(names):
        columns.append(Column(f"{name}_change", f"{quantity(name).label}, change", rank=2 + 2 * place))
        columns.append(Column(f"{name}_verdict", "verdict (p)", numeric=False, rank=1 + 2 * place))
    return columns


def _effect_cells(grid: Grid, effects: Mapping[str, Effect]) -> list[Cell]:
    cells = []
    for name, effect in effects.items():
        shown = grid.formats.interval(name, effect.change, sign=True) if effect.pairs else ABSENT
        cells += [
            Cell(shown, sortable(effect.change.estimate)),
            Cell(_verdict(effect, name), sortable(effect.adjusted)),
        ]
    return cells


def _verdict(effect: Effect, name: str) -> str:
    if not effect.pairs:
        return ABSENT
    if not effect.change.known:
        return "one pair: no interval"
    word = effect.direction(quantity(name).better) if effect.resolved else "not resolved"
    word = "resolved" if word == "neither" else word
    return f"{word} ({probability(effect.adjusted)})"


def _correct(rows: Sequence[Mapping[str, Effect]]) -> list[dict[str, Effect]]:
    """Correct all effects of a table together: any of them may be read as a claim."""
    adjusted = iter(corrected([effect for row in rows for effect in row.values()]))
    return [{name: next(adjusted) for name in row} for row in rows]


def _against_baseline(
    grid: Grid, known: Sequence[Configuration], baseline: Mapping[str, object], place: int
) -> TableView | None:
    if not baseline:
        return None
    own = [one for one in known if is_baseline(one, baseline)]
    others = [one for one in known if not is_baseline(one, baseline)]
    found = [(one, other) for one in others if (other := counterpart(own, one, baseline, name=grid.main, strict=True))]
    names = measured_names(others, grid.metrics)
    if not found or not names:
        return None
    effects = _correct([{name: paired_effect([paired(other, one, name)]) for name in names} for one, other in found])
    tested = {id(one): effect for (one, _), effect in zip(found, effects, strict=True)}
    shown = [one for one, _ in found]
    note = f"Each against the baseline ({clean(_settings(baseline))}) with all else equal, paired by seed. {_METHOD}"
    if len(shown) > MOST:
        shown, main = ranked(shown, grid.main)[:MOST], quantity(grid.main)
        note += (
            f" The {MOST} of {main.best} {main.word} of {count(len(found), 'configuration')}; p is corrected for all."
        )
    if missing := len(others) - len(found):
        note += f" {count(missing, 'configuration')} without such a counterpart left out."
    columns = [*axis_columns(grid, shown), Column("pairs", "pairs", rank=60), *_effect_columns(names)]
    rows = []
    for one in shown:
        pairs = max(effect.pairs for effect in tested[id(one)].values())
        rows.append((*axis_cells(grid, one), Cell(str(pairs), str(pairs)), *_effect_cells(grid, tested[id(one)])))
    return TableView(
        f"baseline-{place}", title_of(known, "effects against the baseline"), tuple(columns), tuple(rows), note
    )


def _settings(settings: Mapping[str, object]) -> str:
    return ", ".join(f"{axis_label(axis)} {value_text(value)}" for axis, value in settings.items())


def _one_setting(
    grid: Grid, known: Sequence[Configuration], baseline: Mapping[str, object], place: int
) -> TableView | None:
    names = measured_names(known, grid.metrics)
    steps = []
    for axis in grid.varying:
        found = levels(known, axis)
        first = next((level for level in found if value_text(level) == value_text(baseline.get(axis))), None)
        first = found[0] if first is None and found else first
        rest = [level for level in found if value_text(level) != value_text(first)]
        steps += [(axis, first, level) for level in rest[:_MOST_LEVELS]]
    steps = steps[:MOST]
    measured = [contrasts(known, axis, low, high, names) for axis, low, high in steps]
    kept = [place for place, row in enumerate(measured) if any(effect.pairs for effect in row.values())]
    if not kept:
        return None
    effects = _correct([measured[place] for place in kept])
    columns = [Column("setting", "setting", numeric=False), Column("from", "from", numeric=False)]
    columns += [Column("to", "to", numeric=False), Column("pairs", "pairs", rank=60), *_effect_columns(names)]
    rows = []
    for (axis, low, high), row in zip([steps[place] for place in kept], effects, strict=True):
        pairs = max(effect.pairs for effect in row.values())
        texts = [clean(text) for text in (axis_label(axis), value_text(low), value_text(high))]
        rows.append((*(Cell(text, text) for text in texts), Cell(str(pairs), str(pairs)), *_effect_cells(grid, row)))
    note = (
        "Mean over the configurations that have both levels, all else equal and paired by seed (over the seeds "
        f"where it is one configuration). {_METHOD}"
    )
    return TableView(f"settings-{place}", title_of(known, "one setting at a time"), tuple(columns), tuple(rows), note)


def _variance(grid: Grid, known: Sequence[Configuration], place: int) -> TableView | None:
    found: dict[str, dict[tuple[str, ...], Share]] = {}
    logarithm = ""
    for name in measured_names(known, grid.metrics):
        groups = [list(by_seed(one, name).values()) for one in known]
        positive = name in _ERRORS and all(value > 0 for group in groups for value in group)
        shares = variance_shares(
            _factors(grid, known), [np.log(group).tolist() for group in groups] if positive else groups
        )
        if shares:
            label = f"log {quantity(name).label}" if positive else quantity(name).label
            logarithm = "The error is taken as a logarithm, since settings multiply it; " if positive else logarithm
            found[label] = {one.names or (one.kind,): one for one in shares}
    if not found:
        return None
    sources = list(dict.fromkeys(key for shares in found.values() for key in shares))
    main = next(iter(found.values()))
    kinds = {key: one.kind for shares in found.values() for key, one in shares.items()}
    order = ("axis", "interaction", "higher", "seed", "shared")
    sources.sort(key=lambda key: order.index(kinds[key]))
    one_seed = not any(shares[("seed",)].freedom for shares in found.values())
    columns = [Column("source", "source", numeric=False), Column("freedom", "degrees of freedom", rank=40)]
    columns += [Column(f"share_{index}", f"{label}, share", rank=1 + index) for index, label in enumerate(found)]
    columns += [Column(f"p_{index}", f"{label}, p", rank=10 + index) for index, label in enumerate(found)]
    rows = []
    for key in sources[:MOST]:
        each = [shares.get(key) for shares in found.values()]
        freedom = main[key].freedom if key in main else 0
        cells = [Cell(_source(key, kinds[key], one_seed=one_seed), "", status="")]
        cells.append(Cell(str(freedom) if freedom else ABSENT, str(freedom)))
        cells += [Cell(share_text(one.share) if one else ABSENT, sortable(one.share if one else None)) for one in each]
        cells += [Cell(probability(one.p) if one else ABSENT, sortable(one.p if one else None)) for one in each]
        rows.append(tuple(cells))
    note = (
        "Analysis of variance, type II: what each source explains beyond all others, as a share of the variance "
        f"over all trials. {logarithm}{'p' if logarithm else 'P'} is of the F test against the seeds, not corrected."
    )
    note += " With one seed each, p is against what only several settings explain together." if one_seed else ""
    return TableView(
        f"variance-{place}", title_of(known, "where the variance comes from"), tuple(columns), tuple(rows), note
    )


def _factors(grid: Grid, known: Sequence[Configuration]) -> dict[str, list[str | None]]:
    return {
        axis: [None if (text := value_text(one.axes.get(axis))) == ABSENT else text for one in known]
        for axis in grid.varying
    }


def _source(key: tuple[str, ...], kind: str, *, one_seed: bool) -> str:
    if kind == "higher":
        return "three or more together" if not one_seed else "three or more, and seed"
    if kind == "seed":
        return "seed"
    if kind == "shared":
        return "varying together"
    return clean(" × ".join(axis_label(axis) for axis in key))  # noqa: RUF001 - the sign of an interaction
