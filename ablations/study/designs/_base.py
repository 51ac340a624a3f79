"""The contract of a study design."""

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from vae.parts import Part
from vae.registry import Registry

__all__ = ["DESIGNS", "Design"]

DESIGNS: Registry[type["Design"]] = Registry("design", "ablations.study.designs")


class Design(Part):
    """Which combinations of the axes' values are trials, before rules take rows out or add some.

    Seeds are no part of it: every row is run with each of them. Nor is the design part of a trial: two studies of
    different designs that have a configuration in common have its trials in common.

    Attributes:
        title: as messages call it.
        takes_ranges: whether an axis may be a range, of which a search proposes values.
        kind: its entry in `DESIGNS`.
    """

    title: ClassVar[str]
    takes_ranges: ClassVar[bool] = False

    kind: str

    @abstractmethod
    def size(self, axes: Mapping[str, Sequence[Any]]) -> int:
        """Return how many rows there will be, without making them."""

    @abstractmethod
    def rows(self, axes: Mapping[str, Sequence[Any]]) -> Iterator[dict[str, Any]]:
        """Yield rows, axis -> value, in an order that the axes alone decide.

        Args:
            axes: axis -> values, each at least one; without `seed`.
        """
