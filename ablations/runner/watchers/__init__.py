"""Who looks on while a study runs: one file an entry, whose packages are imported only where it is asked for."""

from ablations.runner.watchers._base import WATCHERS, Subject, Watcher
from ablations.runner.watchers._several import Watchers
from ablations.runner.watchers._terminal import Bars

__all__ = ["WATCHERS", "Bars", "Subject", "Watcher", "Watchers"]
