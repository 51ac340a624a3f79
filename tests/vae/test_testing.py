"""The contract tests: ours pass them, so do those of other people's style, and what breaks one is told in words."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops
from numpy.typing import NDArray

from vae.code import KINDS
from vae.datasets import Data
from vae.errors import SpecError
from vae.features import FEATURES, Extract, FeatureSpace
from vae.metrics import METRICS, Metric
from vae.networks import NETWORKS, network
from vae.plugins import load_plugin
from vae.priors import PRIORS
from vae.priors.standard import Standard
from vae.terms import TERMS, Outputs, Term
from vae.testing import ContractError, checks, conforms

PLUGINS = Path(__file__).parents[1] / "plugins"
OTHERS = {
    "resnet.py": ("network", "resnet"),
    "subclassed.py": ("network", "subclassed"),
    "attention.py": ("network", "attention"),
    "critic.py": ("term", "critic"),
    "mixture.py": ("prior", "own_mixture"),
    "frechet.py": ("metric", "own_frechet"),
}
NO_FILES = {"mnist", "cifar10", "cifar100", "celeba"}  # data sets that are downloaded


@pytest.mark.parametrize(
    ("kind", "name"),
    [(kind, name) for kind, parts in KINDS.items() for name in parts if name not in NO_FILES | {"fashion_mnist"}],
)
def test_our_own_parts_keep_the_contract_of_their_kind(kind: str, name: str) -> None:
    assert checks(kind, name)
    conforms(kind, name)


@pytest.mark.parametrize("file", OTHERS)
def test_other_peoples_parts_do_too(file: str) -> None:
    kind, name = OTHERS[file]
    load_plugin(PLUGINS / file)
    conforms(kind, name)


def test_a_kind_or_a_name_that_is_not_known() -> None:
    with pytest.raises(SpecError, match="unknown kind of part 'netwrok': did you mean 'network'"):
        checks("netwrok", "conv")
    with pytest.raises(SpecError, match="unknown model 'cnov': did you mean 'conv'"):
        checks("network", "cnov")


class Unscaled(Standard):
    """A density whose constant was forgotten."""

    name: str = "unscaled"  # type: ignore[assignment]

    def log_prob(self, z: Any, own: Any) -> Any:
        return -0.5 * ops.sum(ops.square(z), axis=-1)


class Moody(Standard):
    """Draws that no generator makes."""

    name: str = "moody"  # type: ignore[assignment]

    def sample(self, rng: np.random.Generator, n: int, latent_dim: int, own: Any) -> NDArray[np.float32]:
        return np.random.default_rng().standard_normal((n, latent_dim), dtype=np.float32)


class Summed(Term):
    """One value for the whole batch."""

    def __call__(self, outputs: Outputs) -> Any:
        return ops.mean(outputs.reconstruction)


class Crowded(FeatureSpace):
    """Features that hang on the images beside them."""

    name: str = "crowded"

    def fit(self, data: Data) -> Extract:
        return lambda images: images.mean(axis=(2, 3)) - images.mean()


class Peeking(FeatureSpace):
    """Features that are fitted to the test images."""

    name: str = "peeking"

    def fit(self, data: Data) -> Extract:
        return lambda images: images.mean(axis=(2, 3)) - np.float32(data.test.images.mean() / 255)


@pytest.fixture
def broken() -> Iterator[None]:
    def wide(shape: Any, latent_dim: int) -> Any:
        image, z = keras.Input(shape), keras.Input((latent_dim,))
        y = keras.layers.Reshape(shape)(keras.layers.Dense(int(np.prod(shape)))(z))
        return keras.Model(image, keras.layers.Flatten()(image)), keras.Model(z, y)

    def wrong(outcome: Any) -> Any:
        return -np.square(outcome.images - outcome.reconstructions).mean(axis=(1, 2, 3))

    def spoiling(outcome: Any) -> float:
        outcome.images[:] = 0
        return 1.0

    network("test_wide")(wide)
    with (
        PRIORS.temporarily("unscaled", Unscaled),
        PRIORS.temporarily("moody", Moody),
        TERMS.temporarily("summed", Summed),
        FEATURES.temporarily("crowded", Crowded),
        FEATURES.temporarily("peeking", Peeking),
        METRICS.temporarily("wrong", Metric("wrong", "wrong", wrong, better="lower")),
        METRICS.temporarily("spoiling", Metric("spoiling", "spoiling", spoiling)),
    ):
        yield
    NETWORKS.forget(__name__)


@pytest.mark.usefixtures("broken")
@pytest.mark.parametrize(
    ("kind", "name", "message"),
    [
        ("prior", "unscaled", r"its density sums to 1: its density sums to 2\.507 over a line, expected 1"),
        ("prior", "moody", "the same generator gives other draws"),
        ("term", "summed", r"it gives shape \(\) for 24 images, expected \(24,\)"),
        ("metric", "wrong", "better = 'lower', but exact reconstructions get -?0 and noisy ones -0"),
        ("features", "crowded", "the features of an image hang on those beside it"),
        ("features", "peeking", "its features change with the test images"),
        ("metric", "spoiling", "it changes the outcome's arrays"),
    ],
)
def test_what_breaks_a_contract_is_told_in_words(kind: str, name: str, message: str) -> None:
    with pytest.raises(ContractError, match=message):
        conforms(kind, name)


@pytest.mark.usefixtures("broken")
def test_pixels_beyond_the_output_are_told() -> None:
    with pytest.raises(ContractError, match=r"output = 'sigmoid' says \[0, 1\]: end with that activation"):
        conforms("network", "test_wide")
