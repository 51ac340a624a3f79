import pytest

from vae.datasets import DATASETS
from vae.errors import SpecError
from vae.metrics import METRICS
from vae.networks import NETWORKS
from vae.registry import Registry
from vae.terms import TERMS


def test_the_folders_are_the_registries() -> None:
    assert {"digits", "mnist", "fashion_mnist", "cifar10", "cifar100", "celeba", "image_folder"} == set(DATASETS)
    assert {"dense", "dense_vae", "conv"} == set(NETWORKS)
    assert {"reconstruction", "kl", "ssim"} == set(TERMS)
    assert {"mse", "sse", "psnr", "ssim", "kl", "active_units", "knn_accuracy", "pca_mse", "sigma"} <= set(METRICS)


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
