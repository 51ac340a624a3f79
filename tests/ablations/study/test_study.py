import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ablations.records.store import Store
from ablations.runner.plan import make_plan
from ablations.study.file import builtin_studies
from ablations.study.settings import Settings, flatten, nest
from ablations.study.study import Study
from ablations.study.trial import Trial, slug
from vae.errors import SpecError, VaebenchError
from vae.parts import Frozen, Part
from vae.spec import RunSpec

SETTINGS = Settings(RunSpec)
TINY: dict[str, Any] = {
    "name": "tiny",
    "fixed": {"train": {"epochs": 1}, "data.limit": 64},
    "axes": {"model": ["dense", "conv"], "latent_dim": [2, 4], "kl_weight": [1e-4, 1e-2], "seed": [0, 1]},
}


def write(folder: Path, text: str) -> Path:
    path = folder / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_study_is_a_grid_less_what_makes_no_difference() -> None:
    study = Study.from_dict(TINY)
    trials = list(study.trials())
    # `dense` has no KL term, so that its two weights are one: 1 x 2 x 2 + 2 x 2 x 2.
    assert len(trials) == len(study) == 12
    assert study.duplicates == 4
    assert {trial.axes["kl_weight"] for trial in trials if trial.axes["model"] == "dense"} == {None}
    assert list(trials[0].axes) == ["model", "latent_dim", "kl_weight", "seed"]
    assert len({trial.name for trial in trials}) == 12


def test_the_same_file_gives_the_same_trials() -> None:
    one, two = Study.from_dict(TINY), Study.from_dict(TINY)
    assert [trial.name for trial in one.trials()] == [trial.name for trial in two.trials()]


def wide(latents: int) -> dict[str, Any]:
    axes = {"latent_dim": list(range(1, latents + 1)), "kl_weight": [1e-4, 1e-3, 1e-2], "seed": [0, 1, 2, 3]}
    return {"name": "wide", "axes": axes}


def test_each_part_of_a_grid_is_validated_once(monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[str] = []
    parse = Frozen.parse.__func__  # type: ignore[attr-defined]

    def counted(cls: type[Frozen], settings: Any, where: str) -> Frozen:
        parsed.append(where)
        return parse(cls, settings, where)

    monkeypatch.setattr(Part, "_shared", {})
    monkeypatch.setattr(Frozen, "parse", classmethod(counted))
    assert len(Study.from_dict(wide(10))) == 120
    assert parsed.count("model") == 10 + 1  # the network where none is named
    assert parsed.count("loss.kl") == 3
    assert parsed.count("loss.reconstruction") == parsed.count("loss.ssim") == 1


def calls(function: Callable[[], Any]) -> int:
    """Return how many functions are called, built-in ones included: time without the machine."""
    counted = 0

    def count(_: object, event: str, __: object) -> None:
        nonlocal counted
        counted += event in {"call", "c_call"}

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        function()
    finally:
        sys.setprofile(before)
    return counted


def test_planning_grows_with_the_trials_and_no_faster(tmp_path: Path) -> None:
    def plan(latents: int) -> None:
        make_plan(Study.from_dict(wide(latents)), Store(tmp_path))

    plan(1)  # looks into the registries
    few, many = (calls(partial(plan, latents)) for latents in (20, 80))
    assert 3.5 < many / few < 4.05
    assert many / (80 * 12) < 500, "of each trial"


def test_fixed_settings_may_be_nested_dotted_or_short() -> None:
    specs = [
        next(Study.from_dict({"name": "x", "fixed": fixed}).trials()).spec
        for fixed in ({"train": {"epochs": 3}}, {"train.epochs": 3}, {"epochs": 3})
    ]
    assert specs[0] == specs[1] == specs[2]
    assert specs[0].train.epochs == 3


@pytest.mark.parametrize("model", ["cnv", [], 3])
def test_an_unknown_fixed_model_is_an_error_that_names_the_file(model: Any) -> None:
    with pytest.raises(SpecError, match=r"^mine\.toml: .*model"):
        Study.from_dict({"name": "mine", "fixed": {"model": model}, "axes": {"latent_dim": [2]}}, where="mine.toml")


def test_exclude_and_include() -> None:
    rules = {
        "exclude": [{"model": "conv", "latent_dim": [2, 4], "kl_weight": 1e-2}],
        "include": [{"model": "conv", "latent_dim": 9}],
    }
    trials = list(Study.from_dict(TINY | rules).trials())
    conv = [trial for trial in trials if trial.axes["model"] == "conv"]
    assert {(trial.axes["latent_dim"], trial.axes["kl_weight"]) for trial in conv} == {(2, 1e-4), (4, 1e-4), (9, 5e-4)}
    assert len(conv) == 6  # each with both seeds


def test_overrides_set_some_trials_apart() -> None:
    override = [{"when": {"model": "conv", "latent_dim": [4]}, "set": {"epochs": 7}}]
    trials = list(Study.from_dict(TINY | {"override": override}).trials())
    assert {trial.spec.train.epochs for trial in trials if trial.axes["model"] == "dense"} == {1}
    conv = [trial for trial in trials if trial.axes["model"] == "conv"]
    assert {(trial.axes["latent_dim"], trial.spec.train.epochs) for trial in conv} == {(2, 1), (4, 7)}
    with pytest.raises(SpecError, match="override 1: seed is an axis"):
        Study.from_dict(TINY | {"override": [{"when": {"model": "conv"}, "set": {"seed": 3}}]})
    with pytest.raises(SpecError, match=r"override 1: when: model = 'cnv' is not a value of that axis"):
        Study.from_dict(TINY | {"override": [{"when": {"model": "cnv"}, "set": {"epochs": 3}}]})


def test_a_models_own_setting_is_no_axis_of_the_others() -> None:
    axes = {"model": ["dense_vae", "conv"], "decoder": ["mirrored", "paper"]}
    trials = list(Study.from_dict({"name": "x", "axes": axes}).trials())
    assert [(trial.axes["model"], trial.axes["decoder"]) for trial in trials] == [
        ("dense_vae", None),
        ("conv", "mirrored"),
        ("conv", "paper"),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[axes]\nlatent_dmi = [2]", r"mine.toml: axes: unknown setting 'latent_dmi': did you mean 'latent_dim'"),
        ('[axes]\ndataset = ["digist"]', r"axes.dataset = 'digist': unknown data set 'digist': did you mean 'digits'"),
        ('[fixed]\ndataset = "mnits"', r"unknown data set 'mnits': did you mean 'mnist'"),
        ("[axes]\nkl_weight = [-1]", r"axes.kl_weight = -1: .*got -1, but it should be greater than or equal to 0"),
        ("[axes]\nkl_weight = [1e-3, nan]", r"axes.kl_weight = nan: .*finite"),
        ("[axes]\nlatent_dim = [0]", r"axes.latent_dim = 0: .*greater than or equal to 1"),
        ("[axes]\nlatent_dim = [2, 4, 0]", r"axes.latent_dim = 0"),
        ('[axes]\nlatent_dim = ["two"]', r"axes.latent_dim = 'two'.*valid integer"),
        ("[axes]\nlatent_dim = []", r"axes.latent_dim: got an empty list"),
        ("[axes]\nlatent_dim = 2", r"axes.latent_dim: got 2, expected a list of values: latent_dim = \[2\]"),
        ("[axes]\nlatent_dim = [2, 2]", r"axes.latent_dim: 2 stands there twice"),
        ('[axes]\nlatent_dim = [2]\n"model.latent_dim" = [4]', r"is the same setting as axes.latent_dim"),
        ("[axes\n", r"mine.toml: this is not TOML: .*line 1"),
        ("[axs]\nlatent_dim = [2]", r"unknown setting 'axs': did you mean 'axes'"),
        (
            '[axes]\nmodel = ["dense"]\ndecoder = ["paper"]',
            r"axes.decoder: none of the study's models \(dense\) has this setting; conv has",
        ),
        (
            "[axes]\nlatent_dim = [2]\n[[exclude]]\nlatent_dim = 3",
            r"exclude 1: latent_dim = 3 is not a value of that axis",
        ),
        (
            "[axes]\nlatent_dim = [2]\n[[exclude]]\nlatent_dmi = 2",
            r"exclude 1: unknown axis 'latent_dmi': did you mean 'latent_dim'",
        ),
        ("[axes]\nlatent_dim = [2]\n[[exclude]]\nlatent_dim = 2", r"no trial is left"),
        ("[report]\nbaseline = { modle = 'dense' }", r"report.baseline: unknown setting 'modle': did you mean 'model'"),
        ("[report]\nembedding = 'umap'", r"report.embedding: got 'umap'"),
        ('[report]\nmetrics = ["mse", "ssmi"]', r"report.metrics: unknown metric 'ssmi': did you mean 'ssim'"),
        ("[report]\nmetrics = []", r"report.metrics: got an empty list, expected at least one metric.*'mse'"),
        ('[report]\nmetrics = ["mse", "mse"]', r"report.metrics: 'mse' stands there twice"),
        ('[report]\nmetrics = ["kl"]', r"report.metrics: kl is neither better low nor high.*Expected some of .*psnr"),
        ("[report]\nmetrics = 'mse'", r"report.metrics: got 'mse'"),
        ("axes = 3", r"axes: got 3"),
        ('[axes]\nrange = ["symmetric"]', r"data.range = 'symmetric'.*the two must agree"),
    ],
)
def test_a_bad_study_is_one_clear_error(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        Study.load(write(tmp_path, text))


def test_a_missing_study_names_the_built_in_ones() -> None:
    with pytest.raises(SpecError, match=r"no study 'quik'.*Did you mean 'quick'"):
        Study.load("quik")


def test_the_built_in_studies_load_and_say_what_they_cost() -> None:
    for name, path in builtin_studies().items():
        header = path.read_text(encoding="utf-8")
        for word in ("# Command:", "# Expected:", "# Cost:"):
            assert word in header, name
    assert {"quick", "fashion", "paper"} <= set(builtin_studies())
    assert len(Study.load("quick")) == 60


def test_smoke_shrinks_the_same_study() -> None:
    whole, smoke = Study.load("quick"), Study.load("quick", smoke=True)
    assert smoke.name == "quick-smoke"
    assert smoke.axes["seed"] == (0,)
    assert smoke.axes["latent_dim"] == (2, 16)
    assert smoke.axes["model"] == whole.axes["model"]
    spec = next(smoke.trials()).spec
    assert (spec.train.epochs, spec.data.limit) == (1, 256)


@pytest.mark.parametrize("smoke", [False, True])
def test_the_text_of_a_study_is_the_study(tmp_path: Path, smoke: bool) -> None:
    for study in (Study.load("quick", smoke=smoke), Study.from_dict(TINY, smoke=smoke)):
        again = Study.load(write(tmp_path, study.text))
        assert again.name == study.name
        assert [trial.name for trial in again.trials()] == [trial.name for trial in study.trials()]
        assert again.text == study.text


@pytest.mark.parametrize("name", ["../../etc", "a/b", "<b>", "x" * 300, "\U0001f600", "a\nb", "..", "CON "])
def test_no_name_escapes_its_folder(name: str) -> None:
    folder = Study.from_dict({"name": name}).folder_name
    assert "/" not in folder
    assert folder not in {"", ".", ".."}
    assert len(folder) < 100
    assert folder != Study.from_dict({"name": name + "!"}).folder_name


toml = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(sorted(SETTINGS.places)) | st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(
    st.dictionaries(
        st.sampled_from(["name", "fixed", "axes", "exclude", "include", "report", "title", "x"]), toml, max_size=5
    )
)
def test_no_study_ends_in_a_traceback(table: dict[str, Any]) -> None:
    try:
        study = Study.from_dict({"name": "x"} | table)
    except VaebenchError as error:
        assert str(error)  # noqa: PT017 - either outcome is fine, a third is not
    else:
        assert len(study) >= 1


@given(
    st.dictionaries(
        st.text("abc", min_size=1),
        st.integers() | st.dictionaries(st.text("abc", min_size=1), st.integers(), min_size=1),
    )
)
def test_flatten_and_nest_are_inverse(table: dict[str, Any]) -> None:
    assert nest(flatten(table)) == table


def test_every_setting_has_a_place() -> None:
    resolve = partial(SETTINGS.resolve, where="x")
    for name, place in SETTINGS.places.items():
        assert resolve(name) == place
    assert resolve("kl_weight") == "loss.kl.weight"
    assert resolve("batch_size") == "train.batch_size"
    assert resolve("normalization") == "model.normalization"
    assert (resolve("dataset"), resolve("model"), resolve("model.name")) == (
        "data.name",
        "model.name",
        "model.name",
    )


def test_slug_is_idempotent() -> None:
    assert slug(slug("a b/c")) == slug("a b/c") == "a-b-c"


def test_a_large_number_does_not_read_as_a_small_one() -> None:
    names = [Trial({"kl_weight": one}, RunSpec(), recorded="0" * 64).name for one in (1e16, 1e-16)]
    assert names == ["kl_weight1e16-00000000", "kl_weight1e-16-00000000"]


@pytest.mark.parametrize("text", ["", "\n\n", "# nothing yet\n", "\ufeff"])
def test_an_empty_file_is_no_study(tmp_path: Path, text: str) -> None:
    path = tmp_path / "empty.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SpecError, match=r"empty\.toml: says nothing\. Expected a study: at least \[axes\]"):
        Study.load(path)


@pytest.mark.parametrize(
    ("encoding", "got"),
    [
        ("utf-16", "UTF-16"),
        ("utf-16-le", "UTF-16"),
        ("utf-16-be", "UTF-16"),
        ("utf-32", "UTF-32"),
        ("latin-1", "byte 0xe9 at place 16"),
    ],
)
def test_an_encoding_is_named(tmp_path: Path, encoding: str, got: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_bytes('title = "Variat\xe9"\n[axes]\nlatent_dim = [2]\n'.encode(encoding))
    with pytest.raises(SpecError, match=rf"this is not UTF-8: got {got}\. Save the file as UTF-8"):
        Study.load(path)
    path.write_text('title = "Variat\xe9"\r\n[axes]\r\nlatent_dim = [2]\r\n', encoding="utf-8-sig")
    assert Study.load(path).title == "Variat\xe9"


def test_a_setting_of_a_part_that_is_not_chosen_names_what_is_missing() -> None:
    table = {"name": "x", "fixed": {"prior.name": "standard"}, "axes": {"latent_dim": [2]}}
    assert len(Study.from_dict(table)) == 1
    with pytest.raises(SpecError, match=r"unknown setting 'prior\.nmae': did you mean 'prior\.name'"):
        Study.from_dict({**table, "fixed": {"prior.nmae": "standard"}})


def test_a_prior_means_nothing_to_an_autoencoder() -> None:
    axes = {"model": ["dense", "dense_vae"], "posterior": ["gaussian", "deterministic"]}
    found = [dict(trial.axes) for trial in Study.from_dict({"name": "x", "axes": axes}).trials()]
    assert [(one["model"], one["posterior"]) for one in found] == [
        ("dense", "deterministic"),
        ("dense_vae", "gaussian"),
        ("dense_vae", "deterministic"),
    ]
