import hashlib
import json
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from vae.errors import SpecError
from vae.networks import NETWORKS
from vae.parts import Added, Part
from vae.registry import Registry
from vae.spec import DataSpec, RunSpec
from vae.terms import TERMS


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


@pytest.mark.parametrize("settings", [{"model": {}}, {"loss": []}])
def test_an_error_that_lists_names_tells_of_files_that_could_not_be_imported(
    settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Registry, "failures", lambda registry: f"\na {registry.kind} is broken")
    with pytest.raises(SpecError, match=r"expected .*, .*\na (model|term) is broken$"):
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


def plain(spec: RunSpec, checksum: str) -> str:
    """The digest as it is defined: of the whole canonical JSON, written at once."""
    settings = spec.model_dump(mode="json", serialize_as_any=True)
    del settings["data"]["path"]
    # What came later, left at what was done before, is no part of it.
    del settings["model"]["conditional"], settings["train"]["samples"], settings["posterior"], settings["prior"]
    del settings["data"]["validation"], settings["data"]["binarize"]
    settings["loss"] = {name: term for name, term in settings["loss"].items() if term["weight"] > 0}
    whole = {"spec": settings, "data": checksum}
    text = json.dumps(whole, sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize("name", list(NETWORKS))
@given(
    data=st.fixed_dictionaries({}, optional={"path": st.text(max_size=5), "size": st.just([16, 9])}),
    latent_dim=st.integers(1, 9) | st.just(3.0),
    loss=st.dictionaries(
        st.sampled_from(list(TERMS)), st.fixed_dictionaries({"weight": st.floats(0, 1) | st.just(-0.0) | st.just(1)})
    ),
    train=st.fixed_dictionaries({}, optional={"seed": st.integers(0, 3), "clip_norm": st.none() | st.just(1)}),
    checksum=st.text(max_size=4),
)
def test_a_digest_made_of_parts_is_that_of_the_whole(name: str, checksum: str, **settings: Any) -> None:
    model = {"name": name, "latent_dim": settings.pop("latent_dim")}
    for _ in range(2):  # the second time of parts that are known
        spec = parse(model=model, **settings)
        assert spec.digest(checksum) == plain(spec, checksum)


def test_equal_parts_are_one_object_and_only_equal_ones() -> None:
    one, other = (parse(loss={"kl": {"weight": weight}}, train={"seed": 3}) for weight in (0.0, -0.0))
    assert one.train is other.train
    assert one.data is other.data
    assert one.loss["kl"] is not other.loss["kl"]
    assert one.digest() == other.digest() == plain(other, ""), "a term without a weight plays no part"
    assert type(parse(train={"seed": True}).train.seed) is type(parse(train={"seed": 1}).train.seed) is int
    for _ in range(2):  # what is refused once is refused again
        with pytest.raises(SpecError, match=r"data.limit: got 1, .*\ntrain.epochs: got 0, "):
            parse(data={"limit": 1}, train={"epochs": 0})


def test_a_changed_copy_has_its_own_digest() -> None:
    data = parse(data={"limit": 7}).data
    assert '"limit":7' in data.identity
    copied = data.model_copy(update={"limit": 8})
    assert '"limit":8' in copied.identity
    assert copied == DataSpec(limit=8)
    assert hash(copied) == hash(DataSpec(limit=8))


def test_objects_that_json_does_not_know_are_taken_as_they_are() -> None:
    built = NETWORKS["conv"].parse({"latent_dim": 3}, "model")
    assert parse(model=built).digest() == parse(model={"name": "conv", "latent_dim": 3}).digest()
    with pytest.raises(SpecError, match=r"train.epochs: got \{1, 2\}"):
        parse(train={"epochs": {1, 2}})


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


class Aged(Part):
    size: int = 3
    speed: Annotated[float | None, Added(before=None)] = None


def test_a_setting_that_came_later_is_no_part_of_what_was_before() -> None:
    assert Aged().identity == Aged(speed=None).identity == '{"size":3}'
    assert Aged(speed=1).identity == '{"size":3,"speed":1.0}'
    assert Aged().settings() == {"size": 3, "speed": None}


def test_only_the_two_terms_that_every_model_has_begin_with_a_weight() -> None:
    weighted = {name for name, term in TERMS.items() if term().weight > 0}
    assert weighted == {"reconstruction", "kl"}, "one that comes later begins with weight 0: else all is trained anew"


def test_terms_without_a_weight_are_no_part_of_a_run() -> None:
    plain_one, named = parse(), parse(loss={"ssim": {"weight": 0.0}, "kl": {"weight": 0.0, "schedule": "warmup"}})
    assert set(named.terms) == {"reconstruction"}
    assert parse(loss={"kl": {"weight": 0.0}}).digest() == named.digest() != plain_one.digest()
    assert named.settings()["loss"]["ssim"] == {"weight": 0.0}, "the record tells them all the same"
