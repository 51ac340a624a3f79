"""A study whose plugins nobody wants to run: what its file says, without the parts that it speaks of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import PrivateAttr

from ablations.study.file import Said, StudyFile, read
from ablations.study.ranges import Range, split_ranges
from ablations.study.trial import Trial
from vae.spec import RunSpec, TrainSpec

__all__ = ["ClosedSpec", "ClosedStudy", "closed_trial"]


@dataclass(frozen=True)
class ClosedStudy(Said):
    """A study, for who reads its results.

    Attributes:
        file: what it says, its design left out.
        axes: axis -> values, `seed` last.
        fixed: dotted setting -> value.
        ranges: axes that are ranges.
        text: the study file.
        source: where it was read.
    """

    file: StudyFile
    axes: Mapping[str, Sequence[Any]]
    fixed: Mapping[str, Any]
    ranges: Mapping[str, Range]
    text: str
    source: str

    @classmethod
    def load(cls, path: Path, axes: Mapping[str, Sequence[Any]], fixed: Mapping[str, Any]) -> "ClosedStudy":
        """Read a study file, without running what it names.

        Args:
            path: of the file.
            axes: as the study had them when it was run.
            fixed: the same.

        Raises:
            SpecError: it says something that no study does.
        """
        text, table = read(path)
        file = StudyFile.parse({key: value for key, value in table.items() if key != "design"}, str(path))
        ranges = split_ranges(file.axes, str(path))[1]
        return cls(file, axes, fixed, ranges, text, str(path))


class ClosedSpec(RunSpec):
    """A run as plain values: what it trained for is known, its parts are not made."""

    _written: dict[str, Any] = PrivateAttr(default_factory=dict)

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> "ClosedSpec":
        """Return the run of a record's spec.

        Raises:
            SpecError: it does not say how it was trained.
        """
        made = cls.model_construct(train=TrainSpec.parse(settings.get("train", {}), "train"))
        made._written = dict(settings)  # noqa: SLF001 - our own
        return made

    def settings(self) -> dict[str, Any]:
        """Return the settings as they were written down."""
        return dict(self._written)


def closed_trial(name: str, digest: str, axes: Mapping[str, Any], settings: Mapping[str, Any]) -> Trial:
    """Return a trial as it was written down."""
    return Trial(axes, ClosedSpec.of(settings), recorded=digest, folder=name)
