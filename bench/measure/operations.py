"""Where a training step spends its time, operation by operation: `python -m bench.measure.operations`.

One thread computes, so that times add up. What the step takes beside its operations (the scheduler, Python, the way in
and out) is the row `between`.
"""

import argparse
import re
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from bench.cases.training import BATCH, SHAPES, batch, build_model, operations
from vae.environment import configure

__all__ = ["as_markdown", "main", "measure"]

BETWEEN = "between"
OPERATION = re.compile(r"[^:\s]+:(?:_MklNative|_Mkl|_)?([A-Za-z]\w*)")  # kernels of one operation count as one
MOST_ROWS = 12


def measure(kind: str, shape: tuple[int, int, int], steps: int) -> dict[str, float]:
    """Return operation -> seconds a step, with `between` for the rest of it.

    Args:
        kind: of `bench.cases.training.NETWORKS_TIMED`.
        shape: (height, width, channels) of an image.
        steps: over which the mean is taken.
    """
    import tensorflow as tf

    model, images = build_model(kind, shape), batch(BATCH, shape)
    for _ in range(3):  # traced, and its memory allocated
        model.train_on_batch(images)
    with tempfile.TemporaryDirectory() as folder:
        tf.profiler.experimental.start(folder)
        began = time.perf_counter()
        for _ in range(steps):
            model.train_on_batch(images)
        whole = time.perf_counter() - began
        tf.profiler.experimental.stop()
        found = _read(Path(folder))
    found[BETWEEN] = max(whole - sum(found.values()), 0.0)
    return {name: seconds / steps for name, seconds in found.items()}


def _read(folder: Path) -> dict[str, float]:
    """Return operation -> seconds of a profile."""
    from tensorflow.tsl.profiler.protobuf import xplane_pb2  # TensorFlow's format, which nothing public reads

    (path,) = folder.rglob("*.xplane.pb")
    space = xplane_pb2.XSpace.FromString(path.read_bytes())
    found: dict[str, float] = {}
    for plane in space.planes:
        for event in (event for line in plane.lines for event in line.events):
            kind = _kind(plane.event_metadata[event.metadata_id].name)
            if kind:
                found[kind] = found.get(kind, 0.0) + event.duration_ps / 1e12
    return found


def _kind(event: str) -> str:
    """Return the operation of an event such as `decoder/dense:_MklMatMul`; nothing for what is none.

    >>> _kind("decoder/dense:_MklMatMul"), _kind("ExecutorState::Process")
    ('MatMul', '')
    """
    matched = OPERATION.fullmatch(event)
    return matched[1] if matched else ""


def as_markdown(seconds: Mapping[str, float], flops: float) -> str:
    """Return a table of the operations by their share, and a line that puts the convolutions against their arithmetic.

    Args:
        seconds: as `measure` gives it.
        flops: of a step.
    """
    whole = sum(seconds.values())
    ranked = sorted(seconds.items(), key=lambda item: -item[1])
    rest = sum(value for _, value in ranked[MOST_ROWS:])
    rows = ranked[:MOST_ROWS] + ([("all others", rest)] if rest else [])
    lines = ["| operation | ms a step | share |", "|---|---|---|"]
    lines += [f"| {name} | {1e3 * value:.2f} | {value / whole:.0%} |" for name, value in rows]
    products = sum(value for name, value in seconds.items() if "Conv" in name or "MatMul" in name)
    told = f"Convolutions and matrix products take {products / whole:.0%} of the step"
    return "\n".join([*lines, "", f"{told}: {flops / 1e9:.1f} GFLOP at {flops / products / 1e9:.0f} GFLOP/s.", ""])


def main(arguments: list[str] | None = None) -> int:
    """Measure, print a table in Markdown for each network, and return 0."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.measure.operations", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--shape", choices=SHAPES, default="fashion_mnist")
    parser.add_argument("--steps", type=int, default=30)
    options = parser.parse_args(arguments)
    configure(1)
    shape = SHAPES[options.shape]
    for kind in ("conv", "conv-paper"):
        flops = 3 * BATCH * operations(kind, shape)
        sys.stdout.write(f"## {kind}\n\n{as_markdown(measure(kind, shape, options.steps), flops)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
