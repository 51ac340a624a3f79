"""Images in black and white: what is drawn, when anew, and that a Bernoulli is then a likelihood."""

import numpy as np
import pytest

from vae.batches import Batches
from vae.datasets import fingerprint, load
from vae.errors import SpecError
from vae.evaluation import evaluate
from vae.on_arrays import as_data
from vae.spec import DataSpec, RunSpec
from vae.training import train


def run(how: str | float | None, **settings: object) -> RunSpec:
    data = {"limit": 300, "test_limit": 60} | ({} if how is None else {"binarize": how})
    loss = {"reconstruction": {"likelihood": "bernoulli"}, "kl": {"weight": 1.0}}
    return RunSpec.parse(
        {
            "data": data,
            "model": {"name": "dense_vae", "latent_dim": 4},
            "loss": loss,
            "train": {"epochs": 2, "batch_size": 64},
        }
        | settings,
        "",
    )


def test_a_threshold_makes_white_what_is_above_it() -> None:
    grey, parted = load(DataSpec(limit=100)), load(DataSpec(limit=100, binarize=0.5))
    assert np.array_equal(parted.train.images, np.where(grey.train.images / 255 > 0.5, 255, 0))
    assert np.array_equal(parted.test.images, np.where(grey.test.images / 255 > 0.5, 255, 0))
    assert parted.intensities is None


def test_a_draw_is_white_as_often_as_a_pixel_is_bright_and_always_the_same() -> None:
    images = np.full((4000, 8, 8, 1), 51, np.uint8)
    spec = RunSpec.parse({"data": {"binarize": "static", "validation": 0.1}}, "")
    one, again = as_data(images, spec), as_data(images, spec)
    assert one.validation is not None
    for side in (one.train, one.validation, one.test):
        assert set(np.unique(side.images)) == {0, 255}
        assert side.images.mean() / 255 == pytest.approx(0.2, abs=4 * np.sqrt(0.16 / side.images.size))
    assert np.array_equal(one.train.images, again.train.images)
    shared = min(len(one.train.images), len(one.test.images))
    assert not np.array_equal(one.train.images[:shared], one.test.images[:shared]), "draws of their own"


def test_static_and_dynamic_have_the_same_test_images_and_other_identities() -> None:
    kinds: tuple[str | float | None, ...] = (None, 0.5, 0.25, "static", "dynamic")
    assert len({fingerprint(run(how).data) for how in kinds}) == len(kinds)
    static, dynamic = (load(run(how).data) for how in ("static", "dynamic"))
    assert np.array_equal(static.test.images, dynamic.test.images)
    assert np.array_equal(static.train.images, dynamic.train.images)
    assert dynamic.intensities is not None
    assert np.array_equal(dynamic.intensities, load(run(None).data).train.images)


def test_dynamic_ones_are_drawn_anew_in_each_epoch_and_the_same_after_a_stop() -> None:
    spec = run("dynamic")
    data = load(spec.data)
    assert data.intensities is not None
    batches = Batches(data.intensities, spec, redrawn=True)

    def epoch(number: int, skip: int = 0) -> list[np.ndarray]:
        batches.start(number, skip)
        return [batches[index][0] for index in range(len(batches))]

    first, second = epoch(0), epoch(1)
    assert all(set(np.unique(batch)) == {0.0, 1.0} for batch in first)
    for one, again in zip(first[2:], epoch(0, skip=2), strict=True):
        assert np.array_equal(one, again)
    order = [np.random.default_rng([0, number]).permutation(300) for number in (0, 1)]
    images = [np.concatenate(one)[np.argsort(way)] for one, way in zip((first, second), order, strict=True)]
    assert not np.array_equal(*images)
    share = np.mean([np.concatenate(epoch(number))[np.argsort(_order(number))] for number in range(40)], axis=0)
    expected = data.intensities / 255
    assert np.abs(share - expected).max() < 5 * np.sqrt(0.25 / 40)
    assert (share[expected == 0] == 0).all()
    assert (share[expected == 1] == 1).all()


def _order(epoch: int) -> np.ndarray:
    return np.random.default_rng([0, epoch]).permutation(300)


@pytest.mark.parametrize("how", [0.5, "dynamic"])
def test_the_bound_is_that_of_the_bernoulli(how: str | float) -> None:
    spec = run(how)
    trained = train(spec)
    found = evaluate(trained).metrics
    # Loss and bound are of one kind: nats, one by the mean of a batch of draws, one by a fixed draw of test images.
    assert found["elbo"] == pytest.approx(-trained.history[-1]["val_loss"], rel=0.05)
    assert found["bits_per_dim"] == pytest.approx(-float(found["elbo"] or 0) / 64 / np.log(2))
    assert found["noise_scale"] is None


def test_of_grey_images_a_bernoulli_is_no_likelihood() -> None:
    found = evaluate(train(run(None))).metrics
    assert found["noise_scale"] is not None, "the Gaussian that is refitted takes its place"


@pytest.mark.parametrize("how", [0.0, 1.0, "dynamics", -2.0])
def test_what_binarizes_nothing_is_an_error(how: str | float) -> None:
    with pytest.raises(SpecError, match=r"data\.binarize"):
        run(how)
