"""One change at a time, from a centre."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal

from ablations.study.designs._base import DESIGNS, Design

__all__ = ["OneAtATime"]


@DESIGNS.register("one_at_a_time")
class OneAtATime(Design):
    """The first value of every axis is the centre; each other value stands alone, with all else at the centre.

    1 + sum (n_i - 1) rows in place of the grid's prod n_i: the design of most ablation tables. It says what each value
    does beside the centre, and nothing of how two of them act together (Saltelli and Annoni, 2010).

    >>> [tuple(row.values()) for row in OneAtATime().rows({"latent_dim": [2, 8], "kl_weight": [0, 1]})]
    [(2, 0), (8, 0), (2, 1)]
    """

    title: ClassVar[str] = "one-at-a-time design"

    kind: Literal["one_at_a_time"] = "one_at_a_time"

    def size(self, axes: Mapping[str, Sequence[Any]]) -> int:
        """Return 1 + sum (n_i - 1)."""
        return 1 + sum(len(values) - 1 for values in axes.values())

    def rows(self, axes: Mapping[str, Sequence[Any]]) -> Iterator[dict[str, Any]]:
        """Yield the centre, then the other values of each axis in turn."""
        centre = {axis: values[0] for axis, values in axes.items()}
        yield centre
        for axis, values in axes.items():
            for value in values[1:]:
                yield centre | {axis: value}
