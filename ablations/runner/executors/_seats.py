"""Which GPU each worker process of this machine gets."""

from collections.abc import Sequence

from vae.errors import SpecError
from vae.gpus import Gpu, visible

__all__ = ["seats"]

HIDDEN = "-1"  # a device that CUDA does not have


def seats(workers: int, share: float | None, gpus: Sequence[Gpu] | None = None) -> list[str | None]:
    """Return `CUDA_VISIBLE_DEVICES` of each worker, dealt out in turn; None for one that sees what this process sees.

    >>> two = [Gpu("0", "GPU-a", "L4", 22.5), Gpu("1", "GPU-b", "L4", 22.5)]
    >>> seats(4, 0.5, two), seats(9, 1, two), seats(1, 0, two)
    (['GPU-a', 'GPU-b', 'GPU-a', 'GPU-b'], ['GPU-a', 'GPU-b'], ['-1'])

    Args:
        workers: that are wanted; fewer come back where the GPUs hold no more.
        share: of a GPU that each needs; 0 hides all GPUs, None deals out what there is without a limit.
        gpus: those of this machine, without it.

    Raises:
        SpecError: a share is asked for where there is no GPU.
    """
    if share == 0:
        return [HIDDEN] * workers
    found = visible() if gpus is None else gpus
    if share is not None and not found:
        raise SpecError(
            f"--gpus-per-trial {share:g}: this machine shows no NVIDIA GPU (nvidia-smi lists none, or "
            "CUDA_VISIBLE_DEVICES hides them). Leave the option out to train on the processor",
        )
    if not found:
        return [None] * workers
    if share is not None:
        workers = min(workers, len(found) * int(1 / share + 1e-9))
    return [found[number % len(found)].uuid for number in range(workers)]
