"""The three questions that a study of generative models answers, and which column answers each."""

from collections.abc import Sequence
from dataclasses import dataclass

from ablations.analysis.grid import Configuration, Grid, best
from ablations.text.columns import ERROR

__all__ = ["Question", "asked", "winners"]

OF_RECONSTRUCTION = (ERROR, "sse", "psnr", "ssim", "mse_sampled")
BOUND = "elbo"
DISTANCE = "frechet_"
NOT_OF_SAMPLES = ("_floor",)
USUAL = ("frechet_classifier", "frechet_pca", "frechet_random")


@dataclass(frozen=True)
class Question:
    """One question.

    Attributes:
        does: what the best does, as in "conv reconstructs best".
        metric: the column that answers.
    """

    does: str
    metric: str


def asked(grid: Grid, known: Sequence[Configuration]) -> list[Question]:
    """Return the questions that some configuration has a number for.

    Reconstruction is judged by the first of the study's metrics that is one of it, samples by the first Frechet
    distance among them, else by the first that was measured.
    """
    error = next((name for name in grid.metrics if name in OF_RECONSTRUCTION), None)
    named = [name for name in grid.metrics if name.startswith(DISTANCE) and not name.endswith(NOT_OF_SAMPLES)]
    distance = next((name for name in (*named, *USUAL) if best(known, name) is not None), None)
    found = [Question("reconstructs", error)] if error else []
    found += [Question("models the data", BOUND)]
    found += [Question("samples", distance)] if distance else []
    return [one for one in found if best(known, one.metric) is not None]


def winners(
    questions: Sequence[Question], known: Sequence[Configuration]
) -> list[tuple[Configuration, list[Question]]]:
    """Return the configurations that are best at something, with what they are best at."""
    found: list[tuple[Configuration, list[Question]]] = []
    for question in questions:
        first = best(known, question.metric)
        if first is None:
            continue
        mine = next((wins for one, wins in found if one is first), None)
        if mine is None:
            found.append((first, [question]))
        else:
            mine.append(question)
    return found
