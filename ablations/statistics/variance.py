"""Where the variance of a study comes from: its axes, their interactions, or the seed. Arrays in, shares out."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import special

__all__ = ["Kind", "Share", "variance_shares"]

Kind = Literal["axis", "interaction", "higher", "seed", "shared"]

_MOST_COLUMNS = 400  # of the design: interactions of axes with very many levels would cost minutes
_RANK = 1e-9
_NOTHING = 1e-24  # a sum of squares that is this small beside the values' own is rounding

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Share:
    """What one source contributes to the variance over all trials.

    Attributes:
        names: the axis, or the two that interact; empty for the rest.
        kind: `axis`; `interaction` of two; `higher`, what only three or more settings together explain; `seed`, what
            differs between trials of one configuration; `shared`, what axes that vary together explain and none alone
            (0 in a balanced grid, negative where they mask one another).
        freedom: degrees of freedom.
        share: of the total sum of squares, eta squared; NaN where the grid cannot tell.
        p: of the F test against the seed, or against `higher` in a study of one seed; NaN where there is neither.
    """

    names: tuple[str, ...]
    kind: Kind
    freedom: int
    share: float
    p: float


def variance_shares(factors: Mapping[str, Sequence[str | None]], groups: Sequence[Sequence[float]]) -> list[Share]:
    """Return an analysis of variance with type II sums of squares (Yates, 1934; Langsrud, 2003).

    SS(A) = RSS(terms without A) - RSS(the same and A), where the terms are all axes, and all pairs that do not hold A;
    SS(AB) = RSS(all terms but AB) - RSS(all). In a balanced grid these are the classical sums, and add up; otherwise
    each counts only what no other term explains. Trials of one configuration give the error, so that a design of
    configurations, weighted by their trials, is all that is solved. The share is eta squared, which is never below
    zero, and so a little above the truth where seeds vary much.

    Args:
        factors: axis -> level of each configuration; None where the axis does not apply, which takes no part in it:
            among these the other axes differ, not this one.
        groups: each configuration's finite values, one a seed; an empty one is left out.

    Returns:
        Axes as given, interactions from the largest, then `higher`, `seed` and `shared`; nothing where all values are
        the same or there are fewer than two configurations.
    """
    kept = [place for place, group in enumerate(groups) if len(group)]
    values = [np.asarray(groups[place], float) for place in kept]
    if len(kept) < 2:  # noqa: PLR2004 - nothing varies
        return []
    n = np.array([len(group) for group in values], float)
    means = np.array([group.mean() for group in values])
    seed = math.fsum(float(((group - mean) ** 2).sum()) for group, mean in zip(values, means, strict=True))
    grand = float(n @ means / n.sum())
    total = seed + float(n @ (means - grand) ** 2)
    if total <= _NOTHING * float(n @ means**2):
        return []
    terms = _terms({axis: [levels[place] for place in kept] for axis, levels in factors.items()})
    return _Design(terms, np.sqrt(n), means - grand).shares(seed, int(n.sum()) - len(kept), total)


def _terms(factors: Mapping[str, Sequence[str | None]]) -> dict[tuple[str, ...], Array]:
    """Return each term's columns: axes with two levels or more, and pairs of them as far as there is room."""
    terms: dict[tuple[str, ...], Array] = {
        (axis,): coded for axis, levels in factors.items() if (coded := _coded(levels)).shape[1]
    }
    pairs: dict[tuple[str, ...], Array] = {}
    for (one, left), (other, right) in combinations(list(terms.items()), 2):
        product = (left[:, :, None] * right[:, None, :]).reshape(len(left), -1)
        pairs[one + other] = product[:, np.abs(product).sum(axis=0) > 0]
    columns = sum(coded.shape[1] for coded in terms.values())
    for names, coded in sorted(pairs.items(), key=lambda pair: pair[1].shape[1]):
        columns += coded.shape[1]
        if coded.shape[1] and columns <= _MOST_COLUMNS:
            terms[names] = coded
    return terms


def _coded(levels: Sequence[str | None]) -> Array:
    """Return contrasts of levels that sum to zero, (rows, levels - 1), with zeros where the axis does not apply."""
    known = list(dict.fromkeys(level for level in levels if level is not None))
    places = {level: place for place, level in enumerate(known)}
    coded = np.zeros((len(levels), max(len(known) - 1, 0)))
    for row, level in enumerate(levels):
        if level is None or len(known) < 2:  # noqa: PLR2004 - one level is no contrast
            continue
        if places[level] == len(known) - 1:
            coded[row] = -1.0
        else:
            coded[row, places[level]] = 1.0
    return coded


class _Design:
    """Weighted least squares of the configurations' means on subsets of the terms."""

    def __init__(self, terms: Mapping[tuple[str, ...], Array], weights: Array, means: Array) -> None:
        self.terms = terms
        parts = [np.ones((len(weights), 1)), *terms.values()]
        ends = np.cumsum([part.shape[1] for part in parts]).tolist()
        self._places = {name: range(*ends[place : place + 2]) for place, name in enumerate(terms)}
        columns, target = np.hstack(parts) * weights[:, None], weights * means
        # Every model is solved from these products: many configurations cost no more than few.
        self._products, self._aim, self._squares = columns.T @ columns, columns.T @ target, float(target @ target)
        self._rows = len(weights)

    def residual(self, names: Sequence[tuple[str, ...]]) -> tuple[float, int]:
        """Return the residual sum of squares and the rank of a model with an intercept and these terms."""
        chosen = [0, *(place for name in names for place in self._places[name])]
        sizes, vectors = np.linalg.eigh(self._products[np.ix_(chosen, chosen)])
        kept = sizes > _RANK * sizes[-1]
        explained = float(((vectors.T @ self._aim[chosen])[kept] ** 2 / sizes[kept]).sum())
        left = self._squares - explained
        return (left if left > _RANK**1.5 * self._squares else 0.0), int(kept.sum())

    def shares(self, seed: float, seed_freedom: int, total: float) -> list[Share]:
        """Return every source's share; `seed` and `total` are sums of squares."""
        full, rank = self.residual(list(self.terms))
        higher_freedom = self._rows - rank
        error = (seed, seed_freedom) if seed_freedom else (full, higher_freedom)
        found = {names: self._added(names, full, rank) for names in self.terms}
        axes: list[Share] = []
        pairs: list[Share] = []
        for names, (squares, freedom) in found.items():
            share = squares / total if freedom else math.nan
            kind: Kind = "axis" if len(names) == 1 else "interaction"
            if kind == "interaction" and not freedom:
                continue  # of a setting that applies to one level only, or of axes that vary together
            (axes if kind == "axis" else pairs).append(
                Share(names, kind, freedom, share, _p((squares, freedom), error))
            )
        pairs.sort(key=lambda one: -one.share)
        rest = total - seed - full - math.fsum(squares for squares, _ in found.values())
        return [
            *axes,
            *pairs,
            Share((), "higher", higher_freedom, full / total, _p((full, higher_freedom), error)),
            Share((), "seed", seed_freedom, seed / total if seed_freedom else math.nan, math.nan),
            Share((), "shared", 0, rest / total if abs(rest) > _RANK * total else 0.0, math.nan),
        ]

    def _added(self, names: tuple[str, ...], full: float, rank: int) -> tuple[float, int]:
        """Return the type II sum of squares of a term and its degrees of freedom."""
        if len(names) > 1:
            without, fewer = self.residual([other for other in self.terms if other != names])
            return max(without - full, 0.0), rank - fewer
        free = [other for other in self.terms if names[0] not in other]
        without, fewer = self.residual(free)
        within, more = self.residual([*free, names])
        return max(without - within, 0.0), more - fewer


def _p(term: tuple[float, int], error: tuple[float, int]) -> float:
    """Return the p-value of an F test of sums of squares with their degrees of freedom; NaN where there is none."""
    (squares, freedom), (residual, rest) = term, error
    if term == error or not freedom or not rest:
        return math.nan
    if residual / rest <= 0:  # nothing is left, or too little for a number
        return 0.0 if squares > 0 else math.nan
    return float(special.fdtrc(freedom, rest, squares / freedom / (residual / rest)))
