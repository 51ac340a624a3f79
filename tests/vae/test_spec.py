import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from vae.errors import SpecError
from vae.spec import RunSpec


def parse(**settings: Any) -> RunSpec:
    return RunSpec.parse(settings, "")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"data": {"name": "digist"}}, "unknown data set 'digist': did you mean 'digits'"),
        ({"model": {"name": "cnov"}}, "unknown model 'cnov': did you mean 'conv'"),
        ({"model": {"name": "conv", "latent_dim": 0}}, "model.latent_dim: got 0, .* greater than or equal to 1"),
        ({"model": {"name": "conv", "laten_dim": 2}}, "unknown setting 'laten_dim': did you mean 'latent_dim'"),
        ({"model": {"latent_dim": 2}}, "model.name: got None, expected one of conv, dense, dense_vae"),
        ({"loss": {"kl": {"weight": -1}}}, "loss.kl.weight: got -1, .* greater than or equal to 0"),
        ({"loss": {"kll": {"weight": 1}}}, "unknown term 'kll': did you mean 'kl'"),
        ({"loss": {"kl": {"weight": float("nan")}}}, "loss.kl.weight: got nan"),
        ({"train": {"epochs": 0}}, "train.epochs: got 0"),
        ({"train": {"epoch": 3}}, "unknown setting 'epoch': did you mean 'epochs'"),
        ({"train": {"learning_rate": "fast"}}, "train.learning_rate: got 'fast'"),
        ({"data": {"size": [4, 4]}}, "at least 8 pixels"),
        ({"model": {"name": "conv", "blocks": 2, "filters": [8]}}, "2 blocks and 1 filters"),
    ],
)
def test_a_bad_setting_is_one_clear_error(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        parse(**settings)


def test_a_spec_is_frozen() -> None:
    with pytest.raises(ValidationError):
        parse().train.epochs = 3  # type: ignore[misc]


def test_settings_round_trip() -> None:
    spec = parse(
        model={"name": "conv", "decoder": "paper"}, loss={"kl": {"schedule": "cyclical"}}, data={"size": [16, 24]}
    )
    again = RunSpec.parse(json.loads(json.dumps(spec.settings())), "")
    assert again == spec
    assert again.digest() == spec.digest()


@given(
    epochs=st.integers(1, 1000),
    weight=st.floats(0, 10),
    latent_dim=st.integers(1, 512),
    checksum=st.text(max_size=8),
)
def test_the_digest_is_a_function_of_the_settings_alone(
    epochs: int, weight: float, latent_dim: int, checksum: str
) -> None:
    one = parse(
        train={"epochs": epochs}, loss={"kl": {"weight": weight}}, model={"name": "conv", "latent_dim": latent_dim}
    )
    # The same settings in another order, after a round trip through JSON.
    other = RunSpec.parse(dict(reversed(json.loads(json.dumps(one.settings())).items())), "")
    assert one.digest(checksum) == other.digest(checksum)
    changed = parse(
        train={"epochs": epochs + 1}, loss={"kl": {"weight": weight}}, model={"name": "conv", "latent_dim": latent_dim}
    )
    assert changed.digest(checksum) != one.digest(checksum)
    assert one.digest(checksum) != one.digest(checksum + "x")


def test_a_deterministic_network_has_no_kl_term_so_its_weight_cannot_matter() -> None:
    one = parse(model={"name": "dense"}, loss={"kl": {"weight": 1e-4}})
    other = parse(model={"name": "dense"}, loss={"kl": {"weight": 1e-2}})
    assert "kl" not in one.loss
    assert one.digest() == other.digest()


def test_batch_normalisation_comes_with_the_papers_decoder() -> None:
    assert parse(model={"name": "conv"}).settings()["model"]["normalization"] == "none"
    assert parse(model={"name": "conv", "decoder": "paper"}).settings()["model"]["normalization"] == "batch"
    explicit = parse(model={"name": "conv", "decoder": "paper", "normalization": "none"})
    assert explicit.settings()["model"]["normalization"] == "none"


@pytest.mark.parametrize(
    ("data_range", "output", "likelihood", "fine"),
    [
        ("unit", "sigmoid", "squared_error", True),
        ("unit", "linear", "squared_error", True),
        ("symmetric", "tanh", "squared_error", True),
        ("unit", "sigmoid", "bernoulli", True),
        ("symmetric", "sigmoid", "squared_error", False),  # the paper's CelebA: half of the pixels out of reach
        ("unit", "tanh", "squared_error", False),
        ("symmetric", "tanh", "bernoulli", False),
        ("unit", "linear", "bernoulli", False),
    ],
)
def test_range_activation_and_likelihood_must_agree(data_range: str, output: str, likelihood: str, fine: bool) -> None:
    settings: dict[str, Any] = {
        "data": {"range": data_range},
        "model": {"name": "conv", "output": output},
        "loss": {"reconstruction": {"likelihood": likelihood}},
    }
    if fine:
        assert parse(**settings).model.output == output
    else:
        with pytest.raises(SpecError, match=r"data\.range"):
            parse(**settings)
