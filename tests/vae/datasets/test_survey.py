from collections.abc import Callable
from pathlib import Path
from typing import Any, Never

import pytest

from vae.datasets import DATASETS, check, fingerprint, survey
from vae.datasets import _official as official
from vae.errors import DataError, SpecError
from vae.spec import DataSpec


def test_on_an_empty_machine_only_what_needs_no_file_is_found() -> None:
    facts = {found.name: found for found in survey()}
    assert list(facts) == list(DATASETS)
    there = {name for name, found in facts.items() if found.found}
    assert {"digits", "shapes"} <= there
    assert not there & {"mnist", "fashion_mnist", "cifar10", "cifar100", "celeba", "image_folder", "arrays"}
    assert facts["image_folder"].where == "needs data.path"
    assert facts["mnist"].where == "MNIST was found nowhere"
    for found in facts.values():
        assert "\n" not in found.where
        assert found.found == (found.checksum is not None)


def test_what_is_there_is_told_with_its_place(
    install: Callable[..., Any],
    empty_machine: Path,
    images: Callable[..., Any],
    write: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    install("cifar10", empty_machine)
    install("mnist", empty_machine / "mnist")
    (empty_machine / "mnist" / "t10k-labels-idx1-ubyte").unlink()
    write(empty_machine / "celeba", images([f"{i}.png" for i in range(4)]))

    def refuse(module: str) -> Never:
        raise AssertionError(f"would fetch {module}")

    monkeypatch.setattr(official, "fetch", refuse)
    facts = {found.name: found for found in survey()}
    cifar = facts["cifar10"]
    assert (cifar.found, cifar.where) == (True, str(empty_machine))
    assert (cifar.train, cifar.test, cifar.shape) == (40, 20, (32, 32, 3))
    assert cifar.checksum == fingerprint(DataSpec(name="cifar10"))
    assert facts["mnist"].where.endswith("lacks t10k-labels-idx1-ubyte")
    assert (facts["celeba"].train, facts["celeba"].test, facts["celeba"].shape) == (2, 2, (64, 64, 3))


def test_check_knows_names_and_paths() -> None:
    with pytest.raises(SpecError, match="did you mean 'mnist'"):
        check("mnits")
    with pytest.raises(SpecError, match="takes no path"):
        check("mnist", "x")
    with pytest.raises(SpecError, match="needs the folder"):
        check("image_folder")
    with pytest.raises(DataError, match="found nowhere"):
        check("mnist")
