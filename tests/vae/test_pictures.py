"""The arrays that figures are drawn from, of models whose training does not matter here: there is none."""

from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
import pytest

from vae import pictures
from vae.cache import read_arrays, write_arrays
from vae.datasets import Data, Split, as_float, load
from vae.evaluation import evaluate
from vae.floor import floor
from vae.nearest import nearest_images
from vae.reuse import build
from vae.spec import RunSpec
from vae.training import Trained

MODELS = {
    "plane": {"name": "dense_vae", "latent_dim": 2, "hidden_units": [16]},
    "wide": {"name": "dense_vae", "latent_dim": 11, "hidden_units": [16]},
    "deterministic": {"name": "dense", "latent_dim": 2, "hidden_units": [16]},
}


def made(kind: str, **data: Any) -> tuple[Trained, Data]:
    settings = {"data": {"limit": 200, "test_limit": 100} | data, "model": MODELS[kind]}
    spec = RunSpec.parse(settings, "")
    loaded = load(spec.data)
    return Trained(spec, build(spec, loaded.shape), [], {}, {}), loaded


def without_labels(data: Data) -> Data:
    train, test = (Split(split.images, None) for split in (data.train, data.test))
    return replace(data, train=train, test=test, class_names=())


@pytest.fixture(scope="module")
def evaluated() -> dict[str, tuple[Trained, Data, dict[str, np.ndarray]]]:
    found = {}
    for kind in MODELS:
        trained, data = made(kind)
        found[kind] = (trained, data, evaluate(trained, data).arrays)
    return found


def decoded(trained: Trained, z: np.ndarray) -> np.ndarray:
    images = trained.model.decode(z.reshape(-1, z.shape[-1]).astype(np.float32))
    return 255 * images.reshape(*z.shape[:-1], *images.shape[1:])


def close(got: np.ndarray, expected: np.ndarray) -> bool:
    """Whether bytes are the numbers rounded, batches of another size rounding otherwise."""
    return got.shape == expected.shape and bool(np.abs(got - expected).max() <= 0.51)


@pytest.mark.parametrize("kind", ["plane", "deterministic"])
def test_the_plane_is_decoded_where_it_says(kind: str, evaluated: Any) -> None:
    trained, _, arrays = evaluated[kind]
    values = arrays["plane_values"]
    assert arrays["plane"].shape == (15, 15, 8, 8, 1)
    for i, j in [(0, 0), (2, 11), (14, 3)]:
        assert close(arrays["plane"][i, j], decoded(trained, np.array([values[j], values[i]])))
    if kind == "plane":
        np.testing.assert_allclose(values, np.linspace(-3, 3, 15), rtol=1e-6)


def test_a_plane_needs_two_dimensions(evaluated: Any) -> None:
    assert not {"plane", "plane_values"} & set(evaluated["wide"][2])


@pytest.mark.parametrize("kind", list(MODELS))
def test_traversals_change_one_dimension_of_the_first_example(kind: str, evaluated: Any) -> None:
    trained, _, arrays = evaluated[kind]
    size = trained.spec.model.latent_dim
    rows, values = arrays["traversed"], arrays["traversal_values"]
    assert rows.shape == (min(8, size),)
    assert values.shape == (9,)
    z = trained.model.encode(as_float(arrays["examples"][:1]))[0][0]
    for row, dimension in enumerate(rows):
        points = np.tile(z, (9, 1))
        points[:, dimension] = values
        assert close(arrays["traversals"][row], decoded(trained, points))


@pytest.mark.parametrize(("kind", "carried"), [("wide", "kl"), ("deterministic", "variance")])
def test_the_most_active_dimensions_come_first(kind: str, carried: str, evaluated: Any) -> None:
    _, _, arrays = evaluated[kind]
    whole = arrays[f"{carried}_per_dimension"]
    np.testing.assert_array_equal(arrays[f"traversal_{carried}"], np.sort(whole)[::-1][:8])
    np.testing.assert_array_equal(whole[arrays["traversed"]], arrays[f"traversal_{carried}"])


def test_a_deterministic_autoencoder_has_no_samples_and_goes_as_far_as_its_own_codes(evaluated: Any) -> None:
    _, _, arrays = evaluated["deterministic"]
    assert not {"samples", "nearest", "nearest_mse", "nearest_mse_test", "traversal_kl", "kl_per_dimension"} & set(
        arrays
    )
    scale = np.sqrt(np.square(arrays["z_mean"]).mean(axis=0)).max()
    np.testing.assert_allclose(arrays["traversal_values"][[0, -1]], [-3 * scale, 3 * scale], rtol=1e-5)


def test_class_walks_join_the_reconstructions_of_each_pair_of_classes(evaluated: Any) -> None:
    _, _, arrays = evaluated["wide"]
    pairs = list(combinations(range(10), 2))
    assert arrays["class_walk_labels"].tolist() == [list(pair) for pair in pairs]
    assert arrays["class_walks"].shape == (45, 9, 8, 8, 1)
    for walk, (start, end) in zip(arrays["class_walks"], pairs, strict=True):
        for place, label in ((0, start), (-1, end)):
            assert np.abs(walk[place].astype(int) - arrays["reconstructions"][label]).max() <= 1


def test_of_large_images_fewer_classes_are_walked_between(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "WALK_BYTES", 6 * 9 * 64)
    trained, data = made("plane")
    arrays = evaluate(trained, data).arrays
    assert arrays["class_walk_labels"].tolist() == [[0, 1], [0, 2], [0, 3], [1, 2], [1, 3], [2, 3]]


def test_without_labels_the_first_images_stand_for_classes() -> None:
    trained, data = made("plane")
    arrays = evaluate(trained, without_labels(data)).arrays
    assert not {name for name in arrays if name.endswith("labels")} - {"class_walk_labels"}
    assert arrays["class_walk_labels"].tolist() == [list(pair) for pair in combinations(range(6), 2)]
    for walk, (start, _) in zip(arrays["class_walks"], arrays["class_walk_labels"], strict=True):
        assert np.abs(walk[0].astype(int) - arrays["reconstructions"][start]).max() <= 1


@pytest.mark.parametrize("images", [1, 3])
def test_very_few_test_images_leave_rows_short(images: int) -> None:
    trained, data = made("plane")
    labels = None if data.test.labels is None else data.test.labels[:images]
    few = replace(data, test=Split(data.test.images[:images], labels), checksum=f"{images} of {data.checksum}")
    arrays = evaluate(trained, few).arrays
    assert arrays["extreme_sse"].shape == (2, images)
    assert arrays["class_walks"].shape[2:] == arrays["interpolations"].shape[2:] == (8, 8, 1)


def test_extremes_are_the_largest_and_the_smallest_errors(evaluated: Any) -> None:
    _, data, arrays = evaluated["wide"]
    errors, worst_best = arrays["sse_per_image"], arrays["extreme_sse"]
    np.testing.assert_array_equal(worst_best[0], np.sort(errors)[::-1][:8])
    np.testing.assert_array_equal(worst_best[1], np.sort(errors)[:8])
    whole = [image.tobytes() for image in data.test.images]
    for row in range(2):
        for place in range(8):
            at = whole.index(arrays["extreme_examples"][row, place].tobytes())
            assert errors[at] == worst_best[row, place]
            assert arrays["extreme_labels"][row, place] == arrays["labels"][at]
    shown = (arrays["extreme_examples"].astype(float) - arrays["extreme_reconstructions"]) / 255
    np.testing.assert_allclose(np.square(shown).sum(axis=(2, 3, 4)), worst_best, rtol=0.02)


def test_nearest_images_are_of_the_whole_training_split_in_mse_per_pixel(evaluated: Any) -> None:
    _, data, arrays = evaluated["plane"]
    places, _ = nearest_images(arrays["samples"], data.train.images)
    np.testing.assert_array_equal(arrays["nearest"], data.train.images[places])
    apart = (arrays["samples"].astype(float) - arrays["nearest"]) / 255
    np.testing.assert_allclose(arrays["nearest_mse"], np.square(apart).mean(axis=(1, 2, 3)), rtol=1e-5)
    assert arrays["nearest_mse_test"].shape == (100,)
    every = as_float(data.test.images[:1]) - as_float(data.train.images)
    expected = np.square(every).mean(axis=(1, 2, 3)).min()
    assert arrays["nearest_mse_test"][0] == pytest.approx(expected, rel=1e-4)


def test_the_distances_of_test_images_are_found_once_for_a_data_set(
    evaluated: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained, data, arrays = evaluated["plane"]
    asked: list[int] = []

    def counted(queries: np.ndarray, reference: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        asked.append(len(queries))
        return nearest_images(queries, reference)

    monkeypatch.setattr(pictures, "nearest_images", counted)
    again = evaluate(trained, data).arrays
    assert asked == [32], "samples alone"
    np.testing.assert_array_equal(again["nearest_mse_test"], arrays["nearest_mse_test"])


def test_cached_numbers_of_another_shape_are_found_anew() -> None:
    _, data = made("plane")
    right = pictures._test_distances(data), floor(data, 2)
    for key, name in ((f"nearest-{data.checksum[:32]}-200", "squared"), (f"floor-{data.checksum[:32]}-64", "curve")):
        assert read_arrays(key) is not None
        write_arrays(key, {name: np.zeros(1)}, {})
    np.testing.assert_array_equal(pictures._test_distances(data), right[0])
    assert floor(data, 2) == right[1]


def test_pictures_of_a_model_of_another_range_are_bytes_of_the_same() -> None:
    data = {"limit": 200, "test_limit": 100, "range": "symmetric"}
    spec = RunSpec.parse({"data": data, "model": {**MODELS["plane"], "output": "tanh"}}, "")
    loaded = load(spec.data)
    trained = Trained(spec, build(spec, loaded.shape), [], {}, {})
    arrays = evaluate(trained, loaded).arrays
    values = arrays["plane_values"]
    assert close(arrays["plane"][7, 3], (decoded(trained, np.array([values[3], values[7]])) + 255) / 2)
