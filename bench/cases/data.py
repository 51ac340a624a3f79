"""Images on their way to the model: from the cache of decoded ones, and from uint8 to a training batch."""

import numpy as np

from bench._case import Work, case

__all__: list[str] = []

IMAGES, BATCH = 60_000, 128


@case("data-load", "data")
def _load(small: bool) -> Work:  # noqa: ARG001 - one size
    from vae.datasets import DataSpec, load

    spec = DataSpec(name="digits", limit=1000)
    return Work(lambda: load(spec).train.images, {"images": 1000})


@case("data-batches", "data")
def _batches(small: bool) -> Work:
    from vae.datasets import as_float

    n = IMAGES // 20 if small else IMAGES
    images = np.random.default_rng(0).integers(0, 256, (n, 28, 28, 1), dtype=np.uint8)
    order = np.random.default_rng(1).permutation(n)

    def epoch() -> float:
        starts = range(0, n, BATCH)
        return float(sum(as_float(images[order[at : at + BATCH]], "unit")[0, 0, 0, 0] for at in starts))

    return Work(epoch, {"images": n})
