import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ablations.study.designs import DESIGNS
from ablations.study.study import Study
from vae.errors import SpecError

AXES: dict[str, Any] = {"model": ["conv", "dense_vae"], "latent_dim": [2, 4, 8], "kl_weight": [1e-4, 1e-2]}
some_axes = st.dictionaries(
    st.sampled_from("abcd"), st.lists(st.integers(0, 9), min_size=1, max_size=4, unique=True), max_size=4
)


def study(**changes: Any) -> Study:
    table = {"name": "x", "axes": AXES | {"seed": [0, 1]}, "design": {"kind": "one_at_a_time"}}
    return Study.from_dict(table | changes, where="mine.toml")


def shown(asked: Study) -> list[tuple[Any, ...]]:
    return [tuple(trial.axes.values()) for trial in asked.trials()]


@pytest.mark.parametrize("kind", list(DESIGNS))
@given(axes=some_axes)
def test_a_design_says_how_many_rows_it_has_and_keeps_to_the_axes(kind: str, axes: Mapping[str, Sequence[int]]) -> None:
    design = DESIGNS[kind](kind=kind)
    rows = list(design.rows(axes))
    assert design.size(axes) == len(rows) >= 1
    assert len({tuple(row.items()) for row in rows}) == len(rows)
    for row in rows:
        assert list(row) == list(axes)
        assert all(row[axis] in values for axis, values in axes.items())
    assert rows == list(design.rows(axes))
    assert design.title


@given(axes=some_axes)
def test_the_grid_has_every_combination(axes: Mapping[str, Sequence[int]]) -> None:
    rows = DESIGNS["grid"](kind="grid").rows(axes)
    assert [tuple(row.values()) for row in rows] == list(itertools.product(*axes.values()))


@given(axes=some_axes)
def test_one_at_a_time_changes_one_value_of_the_centre(axes: Mapping[str, Sequence[int]]) -> None:
    first, *others = DESIGNS["one_at_a_time"](kind="one_at_a_time").rows(axes)
    assert first == {axis: values[0] for axis, values in axes.items()}
    changed = [[(axis, row[axis]) for axis in axes if row[axis] != first[axis]] for row in others]
    assert changed == [[(axis, value)] for axis, values in axes.items() for value in values[1:]]


def test_a_study_without_a_design_is_a_grid() -> None:
    plain = Study.from_dict({"name": "x", "axes": AXES})
    for design in ({"kind": "grid"}, {}):
        assert shown(Study.from_dict({"name": "x", "axes": AXES, "design": design})) == shown(plain)
    assert len(plain) == 2 * 3 * 2


def test_every_seed_of_every_row_of_a_design() -> None:
    assert shown(study()) == [
        (*row, seed)
        for row in [
            ("conv", 2, 1e-4),
            ("dense_vae", 2, 1e-4),
            ("conv", 4, 1e-4),
            ("conv", 8, 1e-4),
            ("conv", 2, 1e-2),
        ]
        for seed in (0, 1)
    ]


def test_the_design_is_no_part_of_a_trial() -> None:
    grid = {trial.name: trial.digest for trial in study(design={"kind": "grid"}).trials()}
    few = {trial.name: trial.digest for trial in study().trials()}
    assert few.items() < grid.items()


def test_rules_hold_in_any_design() -> None:
    asked = study(
        exclude=[{"latent_dim": 8}, {"model": "conv", "kl_weight": 1e-2}],
        include=[{"model": "dense_vae", "latent_dim": 8, "kl_weight": 1e-2, "seed": 5}],
        override=[{"when": {"model": "dense_vae"}, "set": {"epochs": 7}}],
    )
    rows = [("conv", 2, 1e-4), ("dense_vae", 2, 1e-4), ("conv", 4, 1e-4)]
    assert shown(asked) == [(*row, seed) for row in rows for seed in (0, 1)]
    assert len(list(asked.skipped())) == 2 * 2 + 1  # the row that is added is excluded as well
    assert [trial.spec.train.epochs for trial in asked.trials()] == [20, 20, 7, 7, 20, 20]
    with pytest.raises(SpecError, match="no trial is left: the exclude rules match the whole one-at-a-time design"):
        study(exclude=[{"seed": [0, 1]}])


def test_rows_that_make_no_difference_are_one_trial() -> None:
    asked = study(axes={"model": ["dense"], "kl_weight": [1e-4, 1e-2], "latent_dim": [2, 3]})
    assert shown(asked) == [("dense", None, 2, 0), ("dense", None, 3, 0)]
    assert asked.duplicates == 1


def test_a_smoke_run_keeps_the_design(tmp_path: Path) -> None:
    asked = study()
    path = tmp_path / "mine.toml"
    path.write_text(asked.text, encoding="utf-8")
    smoke = Study.load(path, smoke=True)
    assert shown(smoke) == [("conv", 2, 1e-4, 0), ("dense_vae", 2, 1e-4, 0), ("conv", 8, 1e-4, 0), ("conv", 2, 1e-2, 0)]
    path.write_text(smoke.text, encoding="utf-8")
    assert shown(Study.load(path)) == shown(smoke)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"design": {"kind": "one_at_time"}}, "design: unknown design 'one_at_time': did you mean 'one_at_a_time'"),
        ({"design": {"kind": 3}}, "design: unknown design '3': Known: grid, one_at_a_time"),
        ({"design": {"kind": "grid", "knd": 1}}, "design: knd: unknown setting 'knd': did you mean 'kind'"),
        ({"design": "grid"}, r"design: got 'grid'"),
        ({"desing": {"kind": "grid"}}, "unknown setting 'desing': did you mean 'design'"),
        (
            {"axes": {"learning_rate": {"min": 1e-4, "max": 1e-2}}},
            r"mine.toml: axes.learning_rate: got a range.*design.kind is 'one_at_a_time'",
        ),
        (
            {"axes": {"seed": list(range(100_001))}},
            "axes: got a one-at-a-time design of 100,001 rows, expected at most 100,000",
        ),
    ],
)
def test_a_design_that_cannot_be_is_one_clear_error(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        study(**changes)


def test_a_large_grid_is_small_one_at_a_time() -> None:
    axes = {"latent_dim": list(range(1, 60)), "kl_weight": [k / 1000 for k in range(60)], "seed": list(range(30))}
    with pytest.raises(SpecError, match="got a grid of 106,200 rows"):
        study(axes=axes, design={"kind": "grid"})
    assert len(study(axes=axes)) == (1 + 58 + 59) * 30
