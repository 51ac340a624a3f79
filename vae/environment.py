"""The machine, the library versions and the settings that a number was measured with, and the threads it may use."""

import contextlib
import os
import platform
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psutil
from threadpoolctl import threadpool_limits

from vae.errors import SpecError, unknown_name
from vae.gpus import visible

__all__ = [
    "ARITHMETIC",
    "BACKEND",
    "KERAS",
    "arithmetic",
    "backend",
    "configure",
    "describe",
    "keras_defaults",
    "peak_rss_mb",
    "reset_peak_rss",
]

PACKAGES = ("vaebench", "keras", "tensorflow", "jax", "torch", "numpy", "scikit-learn", "scikit-image")
BACKEND = "KERAS_BACKEND"
BACKENDS = ("tensorflow", "jax", "torch")  # those of Keras' that train
KERAS: Mapping[str, Any] = {
    "floatx": "float32",
    "epsilon": 1e-7,
    "image_data_format": "channels_last",
    "max_epochs": None,
    "max_steps_per_epoch": None,
    "dtype_policy": "float32",
}
"""Keras' settings of its own, as they are out of the box."""

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
ARITHMETIC = (
    "TF_ENABLE_ONEDNN_OPTS",
    "ONEDNN_MAX_CPU_ISA",
    "ONEDNN_CPU_ISA_HINTS",
    "ONEDNN_DEFAULT_FPMATH_MODE",
    "DNNL_MAX_CPU_ISA",
    "DNNL_DEFAULT_FPMATH_MODE",
    "TF_XLA_FLAGS",
    "XLA_FLAGS",
    "TF_DETERMINISTIC_OPS",
    "TF_CUDNN_DETERMINISTIC",
    "TF_CUDNN_USE_AUTOTUNE",
    "TF_DISABLE_MKL",
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
    "TF_OVERRIDE_GLOBAL_THREADPOOL",
    "NVIDIA_TF32_OVERRIDE",
    "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE",
    "CUBLAS_WORKSPACE_CONFIG",
    "JAX_DEFAULT_MATMUL_PRECISION",
    "JAX_ENABLE_X64",
    "JAX_DISABLE_JIT",
    "KERAS_NNX_ENABLED",
    "MKL_CBWR",
    "MKL_ENABLE_INSTRUCTIONS",
    "OPENBLAS_CORETYPE",
    "NPY_DISABLE_CPU_FEATURES",
)
"""Variables that choose among kernels, or how exactly they compute; `THREADS` are told apart."""


def configure(threads: int | None = None) -> None:
    """Quieten TensorFlow and set how many threads a step may use; call it before Keras is imported.

    The number of threads decides the order of some sums, so that only runs with equal numbers are equal to the bit.

    Raises:
        SpecError: threads are given, and Keras' backend can't train here.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # JAX would take most of a GPU at once
    os.environ.setdefault(BACKEND, _loaded_backend() or BACKENDS[0])  # else keras.json would have its say
    if threads is None:
        return
    for name in THREADS:
        os.environ[name] = str(threads)
    threadpool_limits(threads)  # of libraries that are loaded already, and have read the above
    chosen = backend()
    if chosen == "tensorflow":
        import tensorflow as tf

        # Raised where TensorFlow already computed something in this process: then it keeps what it has.
        with contextlib.suppress(RuntimeError):
            tf.config.threading.set_intra_op_parallelism_threads(threads)
            tf.config.threading.set_inter_op_parallelism_threads(1)
            for gpu in tf.config.list_physical_devices("GPU"):
                tf.config.experimental.set_memory_growth(gpu, True)  # noqa: FBT003 - else the first takes all of it
    elif chosen == "torch":
        import torch

        torch.set_num_threads(threads)


def backend() -> str:
    """Return Keras' backend: the one that it is loaded with, else the one that $KERAS_BACKEND names.

    Raises:
        SpecError: it is none that trains, or it is not installed.
    """
    chosen = _loaded_backend() or os.environ.get(BACKEND, BACKENDS[0])
    if chosen not in BACKENDS:
        raise SpecError(f"{BACKEND}={chosen}: {unknown_name('backend', chosen, BACKENDS)}")
    if find_spec(chosen) is None:
        raise SpecError(
            f"{BACKEND}={chosen}: No module named '{chosen}' in this Python. Install it (python -m pip install "
            f"'vaebench[{chosen}]'), or leave the variable out and train with TensorFlow"
        )
    return chosen


def _loaded_backend() -> str | None:
    keras = sys.modules.get("keras")
    return None if keras is None else keras.backend.backend()


@contextlib.contextmanager
def keras_defaults() -> Iterator[None]:
    """Have Keras compute as it does out of the box, and give the caller's settings back afterwards.

    What `keras.json`, the environment and the caller's own code set (the type of numbers, the order of axes, a limit
    to epochs) would change the numbers of a run and nothing of its digest.
    """
    from keras import config

    before = {name: getattr(config, name)() for name in KERAS}
    _set(KERAS)
    try:
        yield
    finally:
        _set(before)


def _set(settings: Mapping[str, Any]) -> None:
    from keras import config

    for name, value in settings.items():
        getattr(config, f"set_{name}")(value)


def arithmetic(threads: int | None = None) -> dict[str, str]:
    """Return what is set here that changes how numbers are computed: variables that are set, and their values.

    Args:
        threads: that the process computes with; variables that say the same are left out.

    Returns:
        name -> value; `matrix precision` among them, where it is not the backend's usual one, whoever set it.
    """
    found = {name: os.environ[name] for name in ARITHMETIC if name in os.environ}
    found |= {name: os.environ[name] for name in THREADS if os.environ.get(name, str(threads)) != str(threads)}
    precision = _matrix_precision()
    return found | ({"matrix precision": precision} if precision else {})


def _matrix_precision() -> str:
    """Return how exactly a device that offers less than float32 multiplies matrices; nothing for the backend's way."""
    chosen = backend()
    if chosen == "jax":
        import jax

        return str(jax.config.jax_default_matmul_precision or "")
    if chosen == "torch":
        import torch

        precision = str(torch.get_float32_matmul_precision())
        return "" if precision == "highest" else precision
    import tensorflow as tf

    return "" if tf.config.experimental.tensor_float_32_execution_enabled() else "float32"


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
        "backend": keras.config.backend(),
        "threads": threads or psutil.cpu_count() or 1,
        "arithmetic": arithmetic(threads),
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
