from pathlib import Path
from typing import Any, ClassVar, Literal

import pytest
from pydantic import Field, SerializeAsAny, field_validator

from ablations.study import study as studies
from ablations.study.settings import Settings, value_at
from ablations.study.study import Study
from vae.errors import SpecError
from vae.networks import NETWORKS
from vae.networks.dense import DenseVAE
from vae.parts import Frozen, Part
from vae.registry import Registry
from vae.spec import RunSpec
from vae.terms import TERMS
from vae.terms.kl import KL

SAMPLERS: Registry[type["Sampler"]] = Registry("sampler", "vae.terms")  # where there is none


class Sampler(Part):
    """A kind of part that runs don't have yet."""

    registry: ClassVar[Registry[Any] | None] = SAMPLERS

    name: str


@SAMPLERS.register("normal")
class Normal(Sampler):
    name: Literal["normal"] = "normal"


@SAMPLERS.register("mixture")
class Mixture(Sampler):
    name: Literal["mixture"] = "mixture"
    components: int = Field(3, ge=1)


class Clock(Frozen):
    """A group of settings that runs don't have yet."""

    ticks: int = Field(1, ge=1)


class Wider(RunSpec):
    sampler: SerializeAsAny[Sampler] | None = Normal()
    clock: Clock = Clock()
    revision: int = 0

    @field_validator("sampler", mode="before")
    @classmethod
    def _build(cls, settings: Any) -> Any:
        return SAMPLERS[settings["name"]].parse(settings, "sampler") if isinstance(settings, dict) else settings


@pytest.fixture
def wider(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(studies, "RunSpec", Wider)


@pytest.mark.usefixtures("wider")
def test_a_section_that_is_added_to_a_run_is_found_by_itself() -> None:
    places = Settings(Wider).places
    assert places.items() > Settings(RunSpec).places.items()
    new = {name: place for name, place in places.items() if name not in Settings(RunSpec).places}
    assert new == {
        "sampler": "sampler.name",
        "sampler.name": "sampler.name",
        "sampler.components": "sampler.components",
        "components": "sampler.components",
        "clock.ticks": "clock.ticks",
        "ticks": "clock.ticks",
        "revision": "revision",
    }


@pytest.mark.usefixtures("wider")
def test_what_a_chosen_part_of_any_section_lacks_is_left_out() -> None:
    study = Study.from_dict(
        {
            "name": "x",
            "fixed": {"ticks": 4, "revision": 2},
            "axes": {"sampler": ["normal", "mixture"], "components": [5]},
        }
    )
    normal, mixture = (study.trial({"sampler": name, "components": 5, "seed": 0}) for name in ("normal", "mixture"))
    assert (normal.spec.sampler, mixture.spec.sampler) == (Normal(), Mixture(components=5))  # type: ignore[attr-defined]
    assert dict(normal.axes) == {"sampler": "normal", "components": None, "seed": 0}
    assert value_at(mixture.spec, "clock.ticks") == 4
    assert value_at(mixture.spec, "revision") == 2
    assert next(Study.from_dict({"name": "x"}).trials()).spec.sampler == Normal()  # type: ignore[attr-defined]


@pytest.mark.usefixtures("wider")
@pytest.mark.parametrize(
    ("table", "message"),
    [
        (
            {"axes": {"sampler": ["normall"]}},
            r"axes.sampler = 'normall': unknown sampler 'normall': did you mean 'normal'",
        ),
        ({"fixed": {"componets": 3}}, "fixed: unknown setting 'componets': did you mean 'components'"),
        ({"fixed": {"ticks": 0}}, "clock.ticks: got 0"),
        (
            {"axes": {"components": [3, 4]}},
            r"axes.components: none of the study's samplers \(normal\) has this setting; mixture has",
        ),
    ],
)
def test_errors_speak_of_any_section(table: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        Study.from_dict({"name": "x"} | table)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (
            {"axes": {"model": ["conv", "dense"]}, "include": [{"model": "dense", "filters": [8]}]},
            r"include 1: filters: none of the study's models \(dense\) has this setting; conv has",
        ),
        (
            {
                "axes": {"model": ["conv", "dense"]},
                "override": [{"when": {"model": "dense"}, "set": {"decoder": "paper"}}],
            },
            r"override 1: set.decoder: none of the study's models \(dense\) has this setting; conv has",
        ),
        (
            {"axes": {"model.name": ["dense"], "decoder": ["paper"]}},
            r"axes.decoder: none of the study's models \(dense\) has this setting; conv has",
        ),
    ],
)
def test_a_setting_that_would_be_dropped_from_all_its_trials_is_refused(table: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        Study.from_dict({"name": "x"} | table)


def test_a_row_that_is_added_may_bring_the_part_that_has_the_setting() -> None:
    study = Study.from_dict(
        {
            "name": "x",
            "axes": {"model": ["dense"]},
            "fixed": {"filters": [8]},
            "include": [{"model": "conv", "decoder": "paper"}],
        }
    )
    assert [trial.axes["decoder"] for trial in study.trials()] == [None, "paper"]
    assert [trial.spec.settings()["model"].get("filters") for trial in study.trials()] == [None, [8]]


def test_a_part_that_is_registered_later_has_its_settings_known() -> None:
    class Narrow(DenseVAE):
        name: Literal["narrow"] = "narrow"  # type: ignore[assignment]
        waist: int = 3

    class Sparse(KL):
        sparsity: float = 0.5

    axes = {"model": ["dense_vae", "narrow"], "waist": [5, 6], "sparse_weight": [0.0, 2.0]}
    with NETWORKS.temporarily("narrow", Narrow), TERMS.temporarily("sparse", Sparse):
        study = Study.from_dict({"name": "x", "fixed": {"loss.sparse.sparsity": 0.25}, "axes": axes})
        assert [tuple(trial.axes.values())[:3] for trial in study.trials()] == [
            ("dense_vae", None, 0.0),
            ("dense_vae", None, 2.0),
            ("narrow", 5, 0.0),
            ("narrow", 5, 2.0),
            ("narrow", 6, 0.0),
            ("narrow", 6, 2.0),
        ]
    with pytest.raises(SpecError, match="axes: unknown setting 'waist'"):
        Study.from_dict({"name": "x", "axes": axes})


@pytest.mark.usefixtures("wider")
def test_an_unknown_setting_tells_of_files_that_could_not_be_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "samplers_of_a_test"
    folder.mkdir()
    for name, source in {"__init__": "", "vamp": "\n\ndef f(:\n"}.items():
        (folder / f"{name}.py").write_text(source, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(Sampler, "registry", Registry("sampler", folder.name))
    with pytest.raises(SpecError) as raised:
        Study.from_dict({"name": "x", "axes": {"pseudo_inputs": [500]}}, where="mine.toml")
    first, second = str(raised.value).splitlines()
    assert first.startswith("mine.toml: axes: unknown setting 'pseudo_inputs'")
    error = f"SyntaxError: invalid syntax ({folder / 'vamp.py'}, line 3)"
    assert second == f"These files could not be imported: vamp: {error}"
