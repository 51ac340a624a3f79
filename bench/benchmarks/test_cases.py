"""Every case at full size; what it returns is checked, so that a fast nothing is no benchmark."""

from collections.abc import Sized
from typing import Any

import numpy as np
import pytest

from bench.cases import CASES


def cases(group: str) -> pytest.MarkDecorator:
    """Return the mark that runs a test for each case of a group."""
    return pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.group == group])


def timed(benchmark: Any, name: str) -> Any:
    """Time the case, and return what its last call returned."""
    work = CASES[name].prepare(small=False)
    benchmark.extra_info.update(work.facts)
    work.call()  # traces, fills caches
    return benchmark(work.call)


@cases("training step")
def test_training_step(benchmark: Any, name: str) -> None:
    """Time a step; after some the loss has fallen, for the images are the same each time."""
    work = CASES[name].prepare(small=False)
    benchmark.extra_info.update(work.facts)
    losses: list[Any] = [work.call()]
    benchmark(lambda: losses.append(work.call()))
    assert losses[-1] < losses[0]


@cases("evaluation")
def test_evaluation(benchmark: Any, name: str) -> None:
    """Time the evaluation of a model."""
    assert timed(benchmark, name)["mse"] > 0


@cases("metric")
def test_metric(benchmark: Any, name: str) -> None:
    """Time a metric on a test split of 10,000 images."""
    assert np.isfinite(timed(benchmark, name)).all()


@cases("data")
def test_data(benchmark: Any, name: str) -> None:
    """Time images on their way to the model."""
    assert np.size(timed(benchmark, name)) > 0


@cases("study")
def test_study(benchmark: Any, name: str) -> None:
    """Time planning: as many trials as were asked for, each with a name of its own."""
    names = timed(benchmark, name)
    assert len(set(names)) == benchmark.extra_info["trials"]


@cases("store")
def test_store(benchmark: Any, name: str) -> None:
    """Time the store: writing gives it back with the record in it, reading gives the record and its arrays."""
    made = timed(benchmark, name)
    record, arrays = made if name == "store-read" else (made.read(*made.names()), {"z_mean": ()})
    assert record.status == "done"
    assert "z_mean" in arrays


@cases("report")
def test_report(benchmark: Any, name: str) -> None:
    """Time tables, words and the rendered report."""
    work = CASES[name].prepare(small=False)
    benchmark.extra_info.update(work.facts)
    made = benchmark.pedantic(work.call, rounds=3, warmup_rounds=1)  # seconds a call
    assert isinstance(made, Sized)
    assert len(made) > 0


def test_ssim_of_scikit_image(benchmark: Any) -> None:
    """Time scikit-image on a tenth of the images of `metric-ssim`, to compare."""
    from skimage.metrics import structural_similarity

    from vae.ssim import ssim

    x = np.random.default_rng(0).random((1000, 28, 28, 1), dtype=np.float32)
    y = np.clip(x + 0.1, 0, 1)
    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 1.0}
    values = benchmark(
        lambda: [structural_similarity(a[..., 0], b[..., 0], **options) for a, b in zip(x, y, strict=True)]
    )
    np.testing.assert_allclose(values, ssim(x, y, 1.0, np), atol=1e-4)
