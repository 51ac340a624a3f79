"""The contracts of parts as tests that anybody can run on theirs: the package's own parts pass the same ones.

>>> from vae.testing import conforms
>>> conforms("prior", "standard")

A plugin's parts are checked by `vaebench check my_net.py`, which says in words what breaks.
"""

import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vae.code import KINDS
from vae.datasets import DATASETS, Data, DataSpec, Split, as_float, load
from vae.environment import keras_defaults
from vae.errors import SpecError, VaebenchError, unknown_name
from vae.features import FEATURES
from vae.metrics import METRICS, Outcome
from vae.networks import NETWORKS
from vae.posteriors import POSTERIORS
from vae.priors import PRIORS
from vae.spec import RunSpec

__all__ = ["Check", "ContractError", "checks", "conforms"]

SHAPES = ((16, 16, 1), (12, 9, 3))  # of images that a network is tried on: square and grey, and neither
IMAGES = 24
LATENT = 3
DRAWS = 200_000  # of an estimated divergence
TOLERANCE = 0.05  # nats, or a share
REACH, STEPS = 40.0, 20_001  # of the line over which a density is summed
BATCH = 8


class ContractError(VaebenchError):
    """A part breaks its contract; the text says how, and what was expected."""


@dataclass(frozen=True)
class Check:
    """One thing that a part promises.

    Attributes:
        title: it, in words.
        run: raises where it is not so.
    """

    title: str
    run: Callable[[], None]


def conforms(kind: str, name: str) -> None:
    """Run every check of a part.

    Args:
        kind: of `vae.code.KINDS`.
        name: in its registry.

    Raises:
        ContractError: it breaks its contract.
    """
    for check in checks(kind, name):
        try:
            with keras_defaults():
                check.run()
        except VaebenchError as error:
            raise ContractError(f"{kind} '{name}': {check.title}: {error}") from error


def checks(kind: str, name: str) -> list[Check]:
    """Return what a part of this kind promises.

    Raises:
        SpecError: there is no such kind, or no such part.
    """
    if kind not in KINDS:
        raise SpecError(unknown_name("kind of part", kind, KINDS))
    _ = KINDS[kind][name]
    return [Check(title, partial(run, name)) for title, run in _CHECKS[kind]]


def _expect(holds: object, message: str) -> None:
    if not holds:
        raise ContractError(message)


def _images(shape: tuple[int, int, int] = SHAPES[0], n: int = IMAGES) -> NDArray[np.uint8]:
    """Return bars of all brightnesses, which any network can learn something of."""
    rng = np.random.default_rng(0)
    bars = rng.integers(0, 256, (n, 1, shape[1], 1)) * np.ones((n, *shape))
    return np.asarray(bars, dtype=np.uint8)


def _data(shape: tuple[int, int, int] = SHAPES[0]) -> Data:
    images, labels = _images(shape), np.arange(IMAGES) % 2
    half = IMAGES // 2
    train, test = Split(images[:half], labels[:half]), Split(images[half:], labels[half:])
    return Data("bars", train, test, ("even", "odd"), f"bars {shape}", "", "")


def _spec(**settings: Any) -> RunSpec:
    base = {"model": {"name": "dense_vae", "latent_dim": LATENT}, "train": {"epochs": 1, "batch_size": BATCH}}
    return RunSpec.parse(base | settings, "check")


def _named(name: str) -> dict[str, Any]:
    return {"name": name, "latent_dim": LATENT}


def _specs(kind: str, name: str) -> RunSpec:
    """Return a run that has the part."""
    chosen: Mapping[str, dict[str, Any]] = {
        "network": {"model": _named(name)},
        "posterior": {"posterior": {"name": name}},
        "prior": {"prior": {"name": name}},
        "term": {"loss": {name: {"weight": 1.0}}},
    }
    return _spec(**chosen[kind])


def _trained(spec: RunSpec, data: Data) -> Any:
    from vae.training import train

    return train(spec, data).model


@cache
def _usual() -> tuple[Any, RunSpec, Data]:
    """Return a trained model, which all metrics look at, with its run and its data."""
    spec, data = _spec(), _data()
    return _trained(spec, data), spec, data


def _trains(kind: str, name: str) -> None:
    import keras

    for shape in SHAPES if kind == "network" else SHAPES[:1]:
        model = _trained(_specs(kind, name), _data(shape))
        for variable in model.variables:
            values = keras.ops.convert_to_numpy(variable)
            if values.dtype.kind == "f":
                _expect(np.isfinite(values).all(), f"{variable.path} is not finite after three steps on {shape}")


def _repeats(kind: str, name: str) -> None:
    one, two = (_trained(_specs(kind, name), _data()) for _ in range(2))
    _expect(
        all(np.array_equal(a, b) for a, b in zip(one.get_weights(), two.get_weights(), strict=True)),
        "two trainings from one seed end with other weights: draw random numbers with keras.random and a seed that "
        "keras.utils.set_random_seed sets, or from an argument",
    )


def _saves(kind: str, name: str) -> None:
    from vae.saved import load_model

    model = _trained(_specs(kind, name), _data())
    images = _images()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        model.save(path)
        again = load_model(path)
    labels = np.zeros(len(images), np.int64)
    pairs = [
        (model.encode(images, labels)[0], again.encode(images, labels)[0]),
        (model.reconstruct(images, labels), again.reconstruct(images, labels)),
    ]
    pairs += list(zip(model.get_weights(), again.get_weights(), strict=True))
    _expect(
        all(np.array_equal(a, b, equal_nan=True) for a, b in pairs),
        "the model that was saved comes back with other numbers: make all that trains a layer, or a weight of one",
    )


def _keeps_shape(name: str) -> None:
    from vae.model import VAE

    for shape in SHAPES:
        model = VAE(NETWORKS[name](name=name, latent_dim=LATENT), {}, shape)
        mean = model.encode(_images(shape))[0]
        _expect(mean.shape == (IMAGES, LATENT), f"the code of {IMAGES} images has shape {mean.shape}")
        made = model.decode(mean)
        _expect(made.shape == (IMAGES, *shape), f"decoded images have shape {made.shape}, expected {(IMAGES, *shape)}")


def _reaches(name: str) -> None:
    from vae.model import VAE

    network = NETWORKS[name](name=name, latent_dim=LATENT)
    made = VAE(network, {}, SHAPES[0]).decode(np.random.default_rng(0).normal(0, 3, (IMAGES, LATENT)))
    low, high = {"sigmoid": (0, 1), "tanh": (-1, 1)}.get(network.output, (-np.inf, np.inf))
    _expect(
        low <= made.min() and made.max() <= high,
        f"pixels from {made.min():g} to {made.max():g}, but output = '{network.output}' says [{low}, {high}]: end with "
        "that activation, or say another output",
    )


def _is_counted(name: str) -> None:
    from vae.cost import cost

    found = cost(NETWORKS[name](name=name, latent_dim=LATENT), SHAPES[0])
    _expect(found.parameters > 0, "it has nothing to train")
    _expect(not found.uncounted, f"these operations can't be counted: {', '.join(found.uncounted)}")


def _diverges_as_it_says(name: str) -> None:
    """Compare the formula of the divergence with the mean of log q - log p over draws."""
    import keras

    from vae.posteriors import Given, divergence
    from vae.priors import Bound

    part = POSTERIORS[name](name=name)
    if part.deterministic:
        return
    rng = np.random.default_rng(0)
    heads = {one: rng.normal(0, 0.5, (1, width)).astype(np.float32) for one, width in part.heads(LATENT).items()}
    tensors = {one: keras.ops.convert_to_tensor(np.repeat(value, DRAWS, axis=0)) for one, value in heads.items()}
    given = Given(part, part.parameters(tensors), part.build(LATENT))
    prior = Bound(PRIORS["standard"](name="standard"), LATENT)
    z = given.sample(keras.ops.convert_to_tensor(rng.standard_normal((DRAWS, LATENT), dtype=np.float32)))
    _expect(tuple(z.shape) == (DRAWS, LATENT), f"draws have shape {tuple(z.shape)}, expected {(DRAWS, LATENT)}")
    ratio = np.asarray(keras.ops.convert_to_numpy(given.log_prob(z) - prior.log_prob(z)), dtype=np.float64)
    _expect(ratio.shape == (DRAWS,), f"log_prob gives shape {ratio.shape}, expected {(DRAWS,)}")
    known = float(np.mean(keras.ops.convert_to_numpy(divergence(given, prior, z)), dtype=np.float64))
    _expect(
        abs(ratio.mean() - known) < TOLERANCE * max(1, abs(known)),
        f"the formula's divergence from N(0, I) is {known:.3f} nats, that of {DRAWS:,} draws {ratio.mean():.3f}",
    )


def _has_no_negative_divergence(name: str) -> None:
    spec = _specs("posterior", name)
    if spec.posterior is None or spec.posterior.deterministic:
        return
    rate = Outcome(_trained(spec, _data()), _data(), spec).rate
    _expect(rate is not None and rate.shape == (IMAGES // 2,), "the divergence is no number for each image")
    _expect(rate is not None and rate.mean() > -TOLERANCE, "the mean divergence from the prior is negative")


def _draws(name: str) -> None:
    spec = _specs("prior", name)
    prior = _trained(spec, _data()).bound_prior
    one, two = (prior.sample(np.random.default_rng(1), IMAGES) for _ in range(2))
    _expect(one.shape == (IMAGES, LATENT), f"{IMAGES} draws have shape {one.shape}, expected {(IMAGES, LATENT)}")
    _expect(np.isfinite(one).all(), "draws are not finite")
    _expect(np.array_equal(one, two), "the same generator gives other draws: use no other source of random numbers")


def _is_a_density(name: str) -> None:
    """Sum exp(log p) over a line: in one dimension it is 1."""
    import keras

    model = _trained(_spec(prior={"name": name}, model={"name": "dense_vae", "latent_dim": 1}), _data())
    line = np.linspace(-REACH, REACH, STEPS, dtype=np.float32)[:, np.newaxis]
    density = keras.ops.convert_to_numpy(model.bound_prior.log_prob(keras.ops.convert_to_tensor(line)))
    _expect(density.shape == (STEPS,), f"log_prob gives shape {density.shape}, expected {(STEPS,)}")
    total = float(np.exp(density.astype(np.float64)).sum() * 2 * REACH / (STEPS - 1))
    _expect(abs(total - 1) < TOLERANCE, f"its density sums to {total:.3f} over a line, expected 1: log_prob is in nats")


def _gives_one_value_an_image(name: str) -> None:
    import keras

    spec, data = _specs("term", name), _data()
    model = _trained(spec, data)
    images, labels = _images(), np.arange(IMAGES, dtype=np.int32) % 2
    batch = (images.astype(np.float32) / 255, labels)
    values = model._term_values(batch, model(batch, training=False), training=False)[name]  # noqa: SLF001 - our own
    values = keras.ops.convert_to_numpy(values)
    _expect(values.shape == (IMAGES,), f"it gives shape {values.shape} for {IMAGES} images, expected ({IMAGES},)")
    _expect(np.isfinite(values).all(), "its values are not finite")


def _measures(name: str) -> None:
    one, two = _outcome(0.1), _outcome(0.1)
    first, second = METRICS[name].measure(one), METRICS[name].measure(two)
    _expect(first == second or (first != first and second != second), f"it gives {first} and {second} for one outcome")  # noqa: PLR0124 - NaN
    _expect(first is None or np.isfinite(first), f"it gives {first} for images that differ a little")
    values = METRICS[name].compute(one)
    if values is not None and np.ndim(values):
        _expect(np.shape(values) == (IMAGES // 2,), f"it gives shape {np.shape(values)}, expected one value an image")


def _leaves_alone(name: str) -> None:
    outcome = _outcome(0.1)
    before = [outcome.images.copy(), outcome.reconstructions.copy(), outcome.z_mean.copy()]
    METRICS[name].measure(outcome)
    after = [outcome.images, outcome.reconstructions, outcome.z_mean]
    unchanged = all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))
    _expect(unchanged, "it changes the outcome's arrays, which other metrics look at: work on a copy")


def _points_the_right_way(name: str) -> None:
    metric = METRICS[name]
    values = [metric.measure(_outcome(noise)) for noise in (0.0, 0.3)]
    if metric.better == "neither" or None in values:
        return
    good, bad = (float(value or 0.0) for value in values)
    worse = good > bad if metric.better == "lower" else good < bad
    _expect(
        not worse,
        f"better = '{metric.better}', but exact reconstructions get {good:g} and noisy ones {bad:g}: turn it round, or "
        "say better = 'neither'",
    )


def _space(name: str, data: Data) -> Any:
    return FEATURES[name].parse({"name": name}, f"features.{name}").fit(data)


def _gives_rows(name: str) -> None:
    data = _data()
    images, before = as_float(data.test.images, "unit"), as_float(data.test.images, "unit")
    extract = _space(name, data)
    found = np.asarray(extract(images))
    _expect(found.ndim == 2 and len(found) == len(images), f"it gives shape {found.shape} for {len(images)} images")  # noqa: PLR2004
    _expect(np.isfinite(found).all(), "it gives numbers that are not finite")
    _expect(np.array_equal(images, before), "it changes the images, which others look at: work on a copy")
    _expect(np.array_equal(found, extract(images)), "it gives other features for the same images")


def _knows_by_itself(name: str) -> None:
    data = _data()
    images = as_float(data.test.images, "unit")
    extract = _space(name, data)
    whole, part = extract(images), extract(images[:5])
    _expect(np.allclose(whole[:5], part, rtol=1e-3, atol=1e-4), "the features of an image hang on those beside it")


def _learns_of_training(name: str) -> None:
    data = _data()
    images = as_float(data.test.images, "unit")
    other = replace(data, test=Split(data.test.images[::-1] // 2, data.test.labels))
    same = np.array_equal(_space(name, data)(images), _space(name, other)(images))
    _expect(same, "its features change with the test images it is fitted beside, or from one fit to the next")


def _outcome(noise: float) -> Outcome:
    """Return an outcome of a trained model, whose reconstructions are the images and so much noise."""
    model, spec, data = _usual()
    outcome = Outcome(model, data, spec)
    shift = noise * np.random.default_rng(0).standard_normal(outcome.images.shape).astype(np.float32)
    made = np.clip(outcome.images + shift, 0, 1)
    vars(outcome).update(reconstructions=made, drawn=made)
    return outcome


def _loads(name: str) -> None:
    if DATASETS[name]().takes_path == "required":
        return  # there is nothing to load without the user's files
    one, two = (load(DataSpec(name=name)) for _ in range(2))
    for split in (one.train, one.test):
        _expect(split.images.dtype == np.uint8, f"images are {split.images.dtype}, expected uint8")
        labelled = split.labels is None or (
            len(split.labels) == len(split.images) and split.labels.max() < len(one.class_names)
        )
        _expect(labelled, "labels are not one for each image, or name no class")
    same = one.checksum == two.checksum and np.array_equal(one.train.images, two.train.images)
    _expect(same, "loaded twice, it is not the same: its content must be a function of its settings")


def _everywhere(kind: str) -> Iterator[tuple[str, Callable[[str], None]]]:
    yield "three steps of training leave all numbers finite", partial(_trains, kind)
    yield "two trainings from one seed end with the same bits", partial(_repeats, kind)
    yield "a saved model comes back the same", partial(_saves, kind)


_CHECKS: Mapping[str, list[tuple[str, Callable[[str], None]]]] = {
    "network": [
        ("codes and images keep their shape", _keeps_shape),
        ("pixels are in the range of the output", _reaches),
        ("its cost can be counted", _is_counted),
        *_everywhere("network"),
    ],
    "posterior": [
        ("its divergence is that of its draws", _diverges_as_it_says),
        ("it gives a divergence for each image", _has_no_negative_divergence),
        *_everywhere("posterior"),
    ],
    "prior": [
        ("its draws are a function of the generator", _draws),
        ("its density sums to 1", _is_a_density),
        *_everywhere("prior"),
    ],
    "term": [("it gives one finite value an image", _gives_one_value_an_image), *_everywhere("term")],
    "metric": [
        ("it gives a number, or one an image", _measures),
        ("it leaves the outcome alone", _leaves_alone),
        ("it is better where it says so", _points_the_right_way),
    ],
    "features": [
        ("it gives finite numbers, one row an image", _gives_rows),
        ("it knows an image by itself", _knows_by_itself),
        ("it learns of training images alone", _learns_of_training),
    ],
    "dataset": [("it loads, and twice the same", _loads)],
}
