"""Image data sets: one file an entry; uint8 images, official splits, labels where they exist, a checksum, a licence."""

from vae.datasets._arrays import RANGES, SMALLEST_SIDE, Data, Decoded, Opened, Split, as_float
from vae.datasets._base import DATASETS, NOTICE, Dataset, DataSpec
from vae.datasets._binarize import drawn
from vae.datasets._load import fingerprint, held_out, in_black_and_white, load
from vae.datasets._select import split_indices, spread_over, subset_indices
from vae.datasets._survey import Facts, check, survey

__all__ = [
    "DATASETS",
    "NOTICE",
    "RANGES",
    "SMALLEST_SIDE",
    "Data",
    "DataSpec",
    "Dataset",
    "Decoded",
    "Facts",
    "Opened",
    "Split",
    "as_float",
    "check",
    "drawn",
    "fingerprint",
    "held_out",
    "in_black_and_white",
    "load",
    "split_indices",
    "spread_over",
    "subset_indices",
    "survey",
]
