"""On which images the best was chosen: those that are reported too, or others."""

from collections.abc import Iterator

from ablations.analysis.grid import chosen_by
from ablations.report.findings._base import Known, Statement, finding
from ablations.text.numbers import count

__all__ = ["choices"]


@finding("choices", order=20)
def choices(known: Known) -> Iterator[Statement]:
    """Say on which images configurations were chosen and held against one another, and what that means."""
    trials = [trial for one in known.configurations for trial in one.trials]
    name = known.grid.main
    if chosen_by(known.configurations, name) != name:
        counts = sorted({int(trial.data.get("validation_images", 0)) for trial in trials})
        held = count(counts[0], "validation image") if len(counts) == 1 else f"{counts[0]:,} or more validation images"
        text = (
            f"The best are chosen, and told from others, on {held} that no model was trained on; the numbers given are "
            "of the test images, which played no part in it."
        )
    else:
        text = (
            "The best are chosen on the test images, whose numbers are given: expect somewhat worse on others. "
            "data.validation = 0.1 keeps a tenth of the training images for the choice."
        )
    yield Statement("Choices", text)
