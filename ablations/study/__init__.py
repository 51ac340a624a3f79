"""Which runs a study asks for: its file, its axes and rules, its trials."""

from ablations.study.study import Study
from ablations.study.trial import Trial

__all__ = ["Study", "Trial"]
