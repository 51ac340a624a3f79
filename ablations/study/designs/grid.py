"""The full factorial design."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from math import prod
from typing import Any, ClassVar, Literal

from ablations.study.designs._base import DESIGNS, Design

__all__ = ["Grid"]


@DESIGNS.register("grid")
class Grid(Design):
    """Every value of each axis with every value of all others: prod n_i rows; the last axis varies fastest.

    >>> [tuple(row.values()) for row in Grid().rows({"latent_dim": [2, 8], "kl_weight": [0, 1]})]
    [(2, 0), (2, 1), (8, 0), (8, 1)]
    """

    title: ClassVar[str] = "grid"
    takes_ranges: ClassVar[bool] = True

    kind: Literal["grid"] = "grid"

    def size(self, axes: Mapping[str, Sequence[Any]]) -> int:
        """Return the product of the numbers of values."""
        return prod(map(len, axes.values()))

    def rows(self, axes: Mapping[str, Sequence[Any]]) -> Iterator[dict[str, Any]]:
        """Yield the rows of the product."""
        return (dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values()))
