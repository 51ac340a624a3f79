"""The machine and the library versions that a number was measured with, and the threads it may use."""

import contextlib
import os
import platform
import sys
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil
from threadpoolctl import threadpool_limits

from vae.gpus import visible

__all__ = ["configure", "describe", "peak_rss_mb", "reset_peak_rss"]

PACKAGES = ("vaebench", "keras", "tensorflow", "jax", "torch", "numpy", "scikit-learn", "scikit-image")


def configure(threads: int | None = None) -> None:
    """Quieten TensorFlow and set how many threads a step may use; call it before Keras is imported.

    The number of threads decides the order of some sums, so that only runs with equal numbers are equal to the bit.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # JAX would take most of a GPU at once
    if threads is None:
        return
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(threads)
    threadpool_limits(threads)  # of libraries that are loaded already, and have read the above
    if os.environ.get("KERAS_BACKEND", "tensorflow") == "tensorflow":
        import tensorflow as tf

        # Raised where TensorFlow already computed something in this process: then it keeps what it has.
        with contextlib.suppress(RuntimeError):
            tf.config.threading.set_intra_op_parallelism_threads(threads)
            tf.config.threading.set_inter_op_parallelism_threads(1)
            for gpu in tf.config.list_physical_devices("GPU"):
                tf.config.experimental.set_memory_growth(gpu, True)  # noqa: FBT003 - else the first takes all of it
    elif os.environ["KERAS_BACKEND"] == "torch":
        import torch

        torch.set_num_threads(threads)


def describe(threads: int | None = None) -> dict[str, Any]:
    """Return what is needed to judge a time and repeat a number."""
    import keras

    gpu = None if _device() == "cpu" else next(iter(visible()), None)
    return {
        "host": platform.node(),
        "system": platform.platform(),
        "processor": _processor(),
        "cores": psutil.cpu_count() or 1,
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "device": _device(),
        "gpu": None if gpu is None else gpu.name,
        "gpu_memory_gib": None if gpu is None else gpu.memory_gib,
        "backend": keras.backend.backend(),
        "threads": threads or psutil.cpu_count() or 1,
        "python": platform.python_version(),
        "packages": _versions(),
    }


@cache
def _versions() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


@cache
def _processor() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


@cache
def _device() -> str:
    import keras

    if keras.backend.backend() == "torch":  # where Keras knows of no devices
        import torch

        return "cuda:0" if torch.cuda.is_available() else "cpu"
    # Without a kind, since JAX raises where one is asked for that it doesn't have.
    best = str(keras.distribution.list_devices()[0])
    return "cpu" if best.startswith("cpu") else best


def reset_peak_rss() -> None:
    """Start a new measurement of the peak memory, where the system can (Linux)."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def peak_rss_mb() -> float:
    """Return the peak resident memory in MB since the last reset, or since the process began where none can be made."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM"):
                return float(line.split()[1]) * 1024 / 1e6
    if sys.platform == "win32":
        return float(psutil.Process().memory_info().peak_wset) / 1e6
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6
