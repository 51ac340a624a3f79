from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from ablations.runner.executors import _seats
from ablations.runner.executors._seats import seats
from vae import environment, gpus
from vae.errors import SpecError

LISTING = """\
0, GPU-aaaa, NVIDIA A100-SXM4-80GB, 81920
1, GPU-bbbb, NVIDIA A100-SXM4-80GB, 81920
2, GPU-cccc, NVIDIA T4, [N/A]
No devices were found
"""


@pytest.fixture(autouse=True)
def two(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine with two GPUs that say how large they are."""
    listing = SimpleNamespace(stdout=LISTING)
    monkeypatch.setattr(gpus.subprocess, "run", lambda *_, **__: listing)
    monkeypatch.delenv(gpus.VISIBLE, raising=False)
    gpus._listed.cache_clear()
    yield
    gpus._listed.cache_clear()


@pytest.mark.parametrize(
    ("chosen", "seen"),
    [
        (None, ["GPU-aaaa", "GPU-bbbb"]),
        ("1", ["GPU-bbbb"]),
        ("1,0", ["GPU-bbbb", "GPU-aaaa"]),
        ("GPU-b", ["GPU-bbbb"]),
        ("0,9,1", ["GPU-aaaa"]),  # as CUDA has it: an unknown one hides those after it
        ("", []),
        ("-1", []),
    ],
)
def test_visible_gpus_are_those_that_cuda_would_see(
    monkeypatch: pytest.MonkeyPatch, chosen: str | None, seen: list[str]
) -> None:
    if chosen is not None:
        monkeypatch.setenv(gpus.VISIBLE, chosen)
    assert [gpu.uuid for gpu in gpus.visible()] == seen


def test_a_machine_without_a_driver_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: object, **__: object) -> None:
        raise FileNotFoundError("nvidia-smi")

    monkeypatch.setattr(gpus.subprocess, "run", missing)
    gpus._listed.cache_clear()
    assert gpus.visible() == ()
    assert seats(3, None) == [None, None, None]
    with pytest.raises(SpecError, match=r"--gpus-per-trial 0\.25: this machine shows no NVIDIA GPU"):
        seats(3, 0.25)


def test_workers_get_gpus_in_turn_and_no_more_than_fit() -> None:
    assert seats(3, None) == ["GPU-aaaa", "GPU-bbbb", "GPU-aaaa"]
    assert seats(8, 1) == ["GPU-aaaa", "GPU-bbbb"]
    assert seats(9, 0.25) == ["GPU-aaaa", "GPU-bbbb"] * 4
    assert seats(9, 0.3) == ["GPU-aaaa", "GPU-bbbb"] * 3
    assert seats(2, 0) == [_seats.HIDDEN] * 2


def test_a_record_names_the_gpu_that_trained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "_device", lambda: "gpu:0")
    found = environment.describe()
    assert (found["gpu"], found["gpu_memory_gib"]) == ("NVIDIA A100-SXM4-80GB", 80.0)
    monkeypatch.setattr(environment, "_device", lambda: "cpu")  # a TensorFlow without CUDA, on a machine with GPUs
    assert environment.describe()["gpu"] is None


def test_no_trial_takes_the_whole_memory_of_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    import tensorflow as tf

    grown: list[str] = []
    monkeypatch.delenv("XLA_PYTHON_CLIENT_PREALLOCATE", raising=False)
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [f"{kind}:0", f"{kind}:1"])
    monkeypatch.setattr(tf.config.experimental, "set_memory_growth", lambda gpu, on: grown.append(gpu) if on else None)
    # As in a process that has computed nothing yet.
    for name in ("set_intra_op_parallelism_threads", "set_inter_op_parallelism_threads"):
        monkeypatch.setattr(tf.config.threading, name, lambda _: None)
    environment.configure(1)
    assert grown == ["GPU:0", "GPU:1"]
    assert environment.os.environ["XLA_PYTHON_CLIENT_PREALLOCATE"] == "false"
