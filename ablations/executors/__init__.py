"""Where trials run: one file an entry; each takes jobs and tells what happens to them."""

from ablations.executors._base import EXECUTORS, Event, Executor, Job, Resources, repeat

__all__ = ["EXECUTORS", "Event", "Executor", "Job", "Resources", "repeat"]
