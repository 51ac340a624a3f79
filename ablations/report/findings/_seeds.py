"""How far the number of seeds lets an answer be trusted."""

from ablations.analysis.grid import Grid
from ablations.text.columns import axis_label
from ablations.text.numbers import count

__all__ = ["seeds_note"]

_ROUGH, _FEW = 2, 5


def seeds_note(grid: Grid) -> str:
    """Say how much weight the number of seeds lets an interval bear; "" where there are enough."""
    numbers = sorted({len(one.trials) for one in grid.configurations if one.trials})
    if not numbers:
        return ""
    axis = axis_label("seed")
    if numbers[-1] == 1:
        return f"One {axis} each: no spread is known, and no difference can be told from chance."
    if numbers[0] == 1:
        return f"Some configurations have one finished {axis} only: no spread is known for them."
    if numbers[0] == _ROUGH:
        return (
            f"{count(numbers[0], axis)} at the fewest: spreads are rough, and intervals of single configurations wide."
        )
    if numbers[0] < _FEW:
        return f"{count(numbers[0], axis)} at the fewest: the spreads themselves are rough."
    return ""
