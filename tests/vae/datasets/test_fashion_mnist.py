"""The real files of the operating system's package: the published checksums are right, and so is the search."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vae.datasets import _places as places
from vae.datasets import check, fingerprint, load, survey
from vae.spec import DataSpec

SYSTEM = Path("/usr/share/datasets")


@pytest.fixture
def _installed(require_data: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    require_data(SYSTEM / "fashion-mnist" / "train-images-idx3-ubyte.gz")
    monkeypatch.setattr(places, "_SYSTEM", SYSTEM)


@pytest.mark.usefixtures("_installed")
def test_the_packaged_files_are_the_published_ones() -> None:
    data = load(DataSpec(name="fashion_mnist"))
    assert (data.train.images.shape, data.test.images.shape) == ((60_000, 28, 28, 1), (10_000, 28, 28, 1))
    assert np.bincount(data.train.labels).tolist() == [6000] * 10
    assert np.bincount(data.test.labels).tolist() == [1000] * 10
    assert data.class_names[data.train.labels[0]] == "Ankle boot"
    limited = load(DataSpec(name="fashion_mnist", limit=1000))
    assert np.bincount(limited.train.labels).tolist() == [100] * 10
    assert fingerprint(DataSpec(name="fashion_mnist")) == data.checksum
    facts = {found.name: found for found in survey()}["fashion_mnist"]
    assert (facts.found, facts.where, facts.checksum) == (True, str(SYSTEM / "fashion-mnist"), data.checksum)


@pytest.mark.usefixtures("_installed")
def test_check_verifies_the_packaged_files() -> None:
    assert len(check("fashion_mnist")) == 6
