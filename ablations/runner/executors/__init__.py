"""Where trials run: one file an entry; each takes jobs and tells what happens to them."""

from ablations.runner.executors._base import EXECUTORS, Executor

__all__ = ["EXECUTORS", "Executor"]
