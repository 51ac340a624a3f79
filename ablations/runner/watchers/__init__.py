"""Who else looks on while a study runs: each kind of watcher is one module, imported only when asked for."""

from ablations.runner.watchers._base import Subject, Watcher, Watchers, open_watchers

__all__ = ["Subject", "Watcher", "Watchers", "open_watchers"]
