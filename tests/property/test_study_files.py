"""A study file may hold anything: it is a study or one clear error, and never a traceback."""

import datetime as dt
import json
import os
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nasty import nasty

from ablations.cli import main
from ablations.study.file import MOST_ROWS, builtin_studies
from ablations.study.settings import Settings
from ablations.study.study import Study
from vae.datasets import load
from vae.errors import DataError, SpecError, VaebenchError
from vae.spec import DataSpec, RunSpec

QUICK = builtin_studies()["quick"].read_bytes()

# ------------------------------------------------------------------------------------------------------------ files

plausible: list[Any] = [
    "conv",
    "dense",
    "dense_vae",
    "digits",
    "image_folder",
    "batch",
    "tsne",
    "warmup",
    0,
    1,
    8,
    1e-3,
]
leaves = (
    st.sampled_from(plausible)
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | nasty.map(lambda text: text.encode("utf-8", "replace").decode())
    | st.dates(min_value=dt.date(1000, 1, 1))
    | st.times()
    | st.datetimes(min_value=dt.datetime(1000, 1, 1), timezones=st.just(dt.UTC) | st.none())  # noqa: DTZ001
)
keys = st.sampled_from(sorted(Settings(RunSpec).places)) | st.sampled_from(
    ["data", "model", "loss", "kl", "when", "set", "min"]
)
values = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys | st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
tables = st.fixed_dictionaries(
    {},
    optional={
        "name": leaves,
        "title": leaves,
        "question": leaves,
        "fixed": st.dictionaries(keys, values, max_size=3) | values,
        "axes": st.dictionaries(keys, st.lists(leaves, max_size=3) | values, max_size=3) | values,
        "exclude": st.lists(st.dictionaries(keys, values, max_size=2), max_size=2) | values,
        "include": st.lists(st.dictionaries(keys, leaves, max_size=2), max_size=2) | values,
        "override": st.lists(
            st.fixed_dictionaries({}, optional={"when": st.dictionaries(keys, values), "set": values}), max_size=2
        ),
        "report": st.dictionaries(st.sampled_from(["baseline", "embedding", "x"]), values, max_size=2) | values,
        "smoke": leaves,
        "x": values,
    },
)


def loads(path: Path) -> None:
    """Load a study; a study that loads is the one that its own text describes, too."""
    try:
        study = Study.load(path)
    except VaebenchError as error:
        assert str(error).startswith(str(path))  # noqa: PT017 - either outcome is fine, a third is not
    else:
        assert len(study) >= 1
        path.write_text(study.text, encoding="utf-8")
        again = Study.load(path)
        assert [trial.spec for trial in again.trials()] == [trial.spec for trial in study.trials()]
        assert (again.name, again.title, again.folder_name) == (study.name, study.title, study.folder_name)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("study") / "mine.toml"


anything = settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])


@anything
@given(tables)
def test_any_table_is_a_study_or_one_clear_error(file: Path, table: dict[str, Any]) -> None:
    file.write_bytes(tomli_w.dumps(table).encode())
    loads(file)


@anything
@given(st.data())
def test_a_spoilt_study_is_a_study_or_one_clear_error(file: Path, data: st.DataObject) -> None:
    content = bytearray(QUICK)
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(content)))
        end = min(start + data.draw(st.integers(0, 20)), len(content))
        piece = st.binary(max_size=8) | st.sampled_from([b"[", b"]", b'"', b"=", b"\n", b"9" * 30, b"inf", b"{a.b=1}"])
        content[start:end] = data.draw(piece)
    file.write_bytes(content)
    loads(file)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_study_or_one_clear_error(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    loads(file)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"x = " + b"[" * 5000 + b"]" * 5000, "nested too deeply"),
        (b"fixed." + b"a." * 3000 + b"a = 1", "nested more than 16 levels deep"),
        (b"axes.seed = [" + b"9" * 5000 + b"]", "this is not TOML: .*4300 digits"),
        (b"axes.seed = [0x" + b"f" * 5000 + b"]", "axes.seed: got an integer of 20000 bits, expected what 64 bits"),
        (
            b"fixed.train.epochs = 10000000000000000000",
            "fixed.train.epochs: got an integer of 64 bits, expected what 64 bits",
        ),
        (b"title = 'x\0y'", "this is not TOML: .*(?:Illegal|invalid) character"),
        (b"title = '\xff'", "this is not UTF-8: got byte 0xff at place 10"),
        (b"axes.latent_dim = [2024-01-01]", "axes.latent_dim"),
        (b"axes.latent_dim = [2, 2.0, inf]", "axes.latent_dim = inf"),
        (b"axes.seed = [" + b"1, " * 300_000 + b"]", "axes.seed: 1 stands there twice"),
        (f"axes.seed = {list(range(MOST_ROWS + 1))}".encode(), "a grid of 100,001 rows, expected at most 100,000"),
        (f"[axes]\nlatent_dim = {list(range(1, 900))}\nseed = {list(range(900))}".encode(), "a grid of 809,100 rows"),
        (b"#" * 1_000_000 + b"\nx = 1", "unknown setting 'x'"),
        (b"title = '" + b"\xf0\x9f\x92\xa9" * 250_000, "this is not TOML"),
        (b"#" * 2**20 + b"\nx = 1", "got 1,048,582 bytes, expected a study file of at most 1,048,576"),
        (b"fixed." + b"a." * 500_000 + b"a = 1", r"fixed(.a)+.: nested more than 16 levels deep"),
        (b"[" + b"'a' . " * 150_000 + b"a]", "nested more than 16 levels deep"),
        (b"axes = {" + b'"a".' * 200_000 + b"a = 1}", "nested more than 16 levels deep"),
        (b'title = "' + b'\\"' * 500_000, "this is not TOML"),
        (b"title = '" + b"''" * 500_000, "this is not TOML"),
        (b"fixed.epochs = 1\nfixed.train.epochs = 2", "fixed.train.epochs: is the same setting as epochs"),
        (b"fixed.train.epochs = 1\nfixed.'train.epochs' = 2", "train.epochs: stands there twice"),
        (b"[[override]]\nwhen.seed = 0\nset.epochs = 1\nset.train.epochs = 2", "is the same setting as epochs"),
        (b"[[include]]\nlatent_dim = 2\n'model.latent_dim' = 3", "is the same setting as latent_dim"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_no_study_holds_is_named(
    file: Path, content: bytes, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file.write_bytes(content)
    with pytest.raises(SpecError, match=message):
        Study.load(file)
    assert main(["plan", str(file)]) == 2
    said = capsys.readouterr().err
    assert said.startswith("vaebench: ")
    assert "Traceback" not in said


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbf" + QUICK,
        QUICK.replace(b"\n", b"\r\n"),
        b"title = '" + b"\xf0\x9f\x92\xa9" * 250_000 + b"'",
        b"question = '''" + b"line\n" * 200_000 + b"'''",
        b"question = 'a" + b".a" * 30 + b"' # a" + b".a" * 30,
        b'question = """a' + b".a" * 30 + b'\n\\""" a' + b".a" * 30 + b'"""',
    ],
    ids=["byte-order mark", "line ends of Windows", "a long title", "long lines", "dots", "dots in lines"],
)
def test_what_editors_and_people_make_of_a_study_is_one(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    assert len(Study.load(file)) == (60 if b"axes" in content else 1)
    loads(file)


@pytest.mark.parametrize(
    "stem", ["\N{PILE OF POO}", 'a"b\\c', "a\nb\tc\x7f", os.fsdecode(b"caf\xe9"), "=1+1", "x" * 250]
)
def test_a_study_without_a_name_takes_its_files(tmp_path: Path, stem: str) -> None:
    path = tmp_path / f"{stem}.toml"
    path.write_text("title = 'x'\n", encoding="utf-8")
    study = Study.load(path)
    assert study.name == stem.encode("utf-8", "backslashreplace").decode()
    again = tmp_path / "study.toml"
    again.write_text(study.text, encoding="utf-8")
    assert Study.load(again).name == study.name


@given(st.permutations(["latent_dim", "learning_rate", "kl_weight", "train.batch_size"]), st.booleans(), st.booleans())
def test_a_study_from_python_is_the_one_that_its_text_describes(names: list[str], smoke: bool, told: bool) -> None:
    axes: dict[str, Any] = {
        "latent_dim": [2, 4],
        "learning_rate": {"min": 1e-4, "max": 1e-2, "log": True},
        "kl_weight": [1e-4, 1e-2],
        "train.batch_size": [16, 32],
    }
    placed = {
        **{name: axes[name] for name in names[:2]},
        "loss": {"ssim": {"weight": [0.0, 1.0]}},
        **{name: axes[name] for name in names[2:]},
    }
    table = {"name": "mine", "axes": placed, "fixed": {"train": {"epochs": 2}}} | ({"smoke": False} if told else {})
    study = Study.from_dict(table, smoke=smoke)
    again = Study.from_dict(tomllib.loads(study.text), text=study.text)
    assert list(again.axes.items()) == list(study.axes.items())
    assert (again.ranges, again.fixed, again.smoke, again.name) == (study.ranges, study.fixed, study.smoke, study.name)
    assert [trial.name for trial in again.trials()] == [trial.name for trial in study.trials()]


def test_text_that_is_none_is_refused_from_python_too() -> None:
    for table in ({"title": "\ud800"}, {"fixed": {"data.path": "\udce9"}}, {"report": {"baseline": {"\ud800": 1}}}):
        with pytest.raises(SpecError, match="half of a surrogate pair"):
            Study.from_dict({"name": "x"} | table)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "x" * 5000], "no study 'xxx"),
        (["status", "x" * 5000], "holds no results of a study"),
        (["report", "x" * 5000], "holds no results of a study"),
        (["rerun", "x" * 5000], "holds no finished trial"),
        (["rerun", os.sep], "holds no finished trial"),
        (["run", "quick", "--results", "x" * 5000], "results can't be written"),
        (["data", "check", "image_folder", "--path", "x" * 5000], "there is no such folder or zip file"),
        (["data", "check", "celeba", "--path", "~nobody-of-that-name/x"], "no user whose home ~nobody-of-that-name"),
        (["run", "[/red] \x1b[31m \u202e"], r"no study '\[/red] \[U\+001B]\[31m \[U\+202E]'"),
    ],
    ids=lambda value: "" if isinstance(value, list) else value,
)
def test_a_path_that_is_none_is_one_clear_error(
    arguments: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    said = capsys.readouterr().err
    assert said.startswith("vaebench: ")
    assert re.search(message, said), said


@pytest.mark.parametrize("path", ["x" * 5000, "x\0y", "~nobody-of-that-name/x", "/dev/null", "\udce9"])
def test_a_folder_of_images_that_is_none_is_one_clear_error(path: str) -> None:
    with pytest.raises(DataError):
        load(DataSpec(name="image_folder", path=path))


# ---------------------------------------------------------------------------------------------------------- digests

specs: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {},
    optional={
        "train": st.fixed_dictionaries(
            {},
            optional={
                "epochs": st.integers(1, 3),
                "seed": st.integers(0, 2),
                "learning_rate": st.sampled_from([1e-3, 0.1]),
            },
        ),
        "model": st.fixed_dictionaries(
            {"name": st.sampled_from(["conv", "dense_vae"])}, optional={"latent_dim": st.integers(1, 3)}
        ),
        "data": st.fixed_dictionaries(
            {}, optional={"limit": st.none() | st.integers(2, 4), "size": st.none() | st.just([8, 8]), "path": nasty}
        ),
        "loss": st.fixed_dictionaries(
            {}, optional={"kl": st.fixed_dictionaries({"weight": st.sampled_from([0.0, 1e-3, 1])})}
        ),
    },
)


@given(specs, specs)
def test_digests_are_equal_where_settings_are(one: dict[str, Any], other: dict[str, Any]) -> None:
    built = [RunSpec.parse(settings, "") for settings in (one, other)]
    told: list[Any] = []
    for spec in built:
        settings = spec.settings()
        del settings["data"]["path"]  # where the data lies plays no part
        told.append(settings)
    assert (built[0].digest("x") == built[1].digest("x")) is (told[0] == told[1])
    shuffled = json.loads(json.dumps(dict(reversed(built[0].settings().items()))))
    assert RunSpec.parse(shuffled, "").digest("x") == built[0].digest("x")
