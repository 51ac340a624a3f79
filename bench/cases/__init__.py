"""What is timed: one file a part of the harness; the regression gate and `nox -s bench` run the same cases."""

from bench._case import CASES, Case, Work, case

__all__ = ["CASES", "Case", "Work", "case"]
