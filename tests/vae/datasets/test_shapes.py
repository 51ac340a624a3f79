"""Shapes of known factors: each combination once, drawn as its factors say, and carried along."""

import numpy as np

from vae.datasets import load
from vae.datasets.shapes import FACTORS, SIDE
from vae.spec import DataSpec


def spec(**settings: object) -> DataSpec:
    return DataSpec(name="shapes", **settings)


def test_every_combination_is_there_once() -> None:
    data = load(spec())
    sides = [side.factors for side in (data.train, data.test)]
    factors = np.concatenate([side for side in sides if side is not None])
    assert len(factors) == np.prod(list(FACTORS.values())) == len(np.unique(factors, axis=0)) == 4608
    assert data.factor_names == tuple(FACTORS)
    assert data.train.factors is not None
    assert np.array_equal(data.train.factors[:, 0], data.train.labels), "the class is the shape"
    assert len({image.tobytes() for image in data.train.images}) > 0.97 * len(data.train.images), "nearly all differ"


def test_the_image_is_where_and_as_large_as_its_factors_say() -> None:
    data = load(spec())
    factors = np.asarray(data.train.factors)
    mass = data.train.images[..., 0].astype(float)
    total = mass.sum(axis=(1, 2))
    across = (mass.sum(axis=1) @ np.arange(SIDE)) / total
    down = (mass.sum(axis=2) @ np.arange(SIDE)) / total
    for place, found in ((3, across), (4, down)):
        means = [found[factors[:, place] == value].mean() for value in range(8)]
        assert np.allclose(np.diff(means), 1.0, atol=0.15), "a pixel a step"
    for kind in range(3):
        sizes = [total[(factors[:, 0] == kind) & (factors[:, 1] == value)].mean() for value in range(4)]
        assert (np.diff(sizes) > 0).all()
    alike = (factors[:, :3] == (0, 3, 3)).all(axis=1)  # large squares on their corner
    assert np.ptp(total[alike]) < 0.03 * total[alike].mean(), "nothing is cut off at the edge"


def test_factors_go_with_their_images_whatever_is_taken() -> None:
    whole = load(spec())
    known = dict(zip((one.tobytes() for one in whole.train.images), np.asarray(whole.train.factors), strict=True))
    part = load(spec(limit=300, test_limit=50, validation=0.2, binarize=None))
    assert part.validation is not None
    for side in (part.train, part.validation):
        factors = np.asarray(side.factors)
        same = [
            np.array_equal(known[image.tobytes()][3:], row[3:]) for image, row in zip(side.images, factors, strict=True)
        ]
        assert all(same)
    assert load(spec(limit=50, size=(20, 20), binarize=0.5)).train.factors is not None
