from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from vae.datasets import DATASETS
from vae.errors import SpecError
from vae.metrics import METRICS
from vae.networks import NETWORKS
from vae.registry import Registry
from vae.terms import TERMS


@pytest.mark.parametrize("registry", [DATASETS, NETWORKS, TERMS, METRICS], ids=lambda one: one.kind)
def test_the_folder_is_the_registry(registry: Registry[Any]) -> None:
    modules = {getattr(entry, "compute", entry).__module__ for entry in registry.values()}
    folder = Path(str(import_module(next(iter(modules)).rpartition(".")[0]).__file__)).parent
    assert {module.rpartition(".")[2] for module in modules} == {
        path.stem for path in folder.glob("*.py") if not path.name.startswith("_")
    }


def test_a_duplicate_raises() -> None:
    registry: Registry[int] = Registry("thing", "vae.terms")
    registry.register("one")(1)
    with pytest.raises(SpecError, match="'one' is registered twice"):
        registry.register("one")(2)


def test_an_unknown_name_comes_with_the_nearest() -> None:
    with pytest.raises(SpecError, match=r"unknown model 'cnov': did you mean 'conv'\? Known: conv, dense, dense_vae"):
        NETWORKS["cnov"]


def test_every_entry_is_documented() -> None:
    for registry in (NETWORKS, TERMS):
        for name, entry in registry.items():
            assert entry.__doc__, name
    for name, entry in METRICS.items():
        assert entry.compute.__doc__, name
        assert entry.label, name
