"""Study designs: one file an entry; each says which combinations of the axes' values are trials."""

from ablations.study.designs._base import DESIGNS, Design

__all__ = ["DESIGNS", "Design"]
