"""The tables of the analysis: paired as they say, corrected, bounded, and silent where there is nothing to compare."""

from collections.abc import Iterator, Sequence
from itertools import product

import pytest

from ablations.analysis.grid import Grid
from ablations.records.record import Record
from ablations.report.tables.effects import analysis_tables
from ablations.report.tables.view import TableView
from ablations.statistics.intervals import paired_effect
from bench import synthetic

NBSP = "\N{NO-BREAK SPACE}"
WOBBLE = (0.0, 0.0004, -0.0003, 0.0002, -0.0001, 0.0005)


def record(mse: float, seed: int, *, dataset: str = "digits", seconds: float = 2.0, **axes: object) -> Record:
    axes = {"dataset": dataset} | axes | {"seed": seed}
    return Record(
        "-".join(map(str, axes.values())),
        "",
        axes,
        "done",
        data={"name": dataset},
        metrics={"mse": mse, "sse": 64 * mse, "ssim": 1 - 5 * mse, "kl": 1 / mse, "parameters": 1000.0},
        timings={"train_seconds": seconds},
    )


def seeds(mse: float, n: int = 5, *, noise: float = 1.0, **axes: object) -> list[Record]:
    return [record(mse + noise * WOBBLE[(seed * len(str(mse))) % 6], seed, **axes) for seed in range(n)]


def study(n: int = 5) -> list[Record]:
    records = []
    for latent in (2, 8):
        records += seeds(0.05 - 0.001 * latent, n, model="dense", latent_dim=latent, kl_weight=None)
        for weight in (0.001, 0.01):
            records += seeds(0.03 - 0.001 * latent + weight, n, model="conv", latent_dim=latent, kl_weight=weight)
    return records


def tables(records: Sequence[Record], **baseline: object) -> dict[str, TableView]:
    return {table.name: table for table in analysis_tables(Grid.of(records), baseline)}


def rows(table: TableView) -> Iterator[dict[str, str]]:
    for row in table.rows:
        yield {column.key: cell.text for column, cell in zip(table.columns, row, strict=True)}


def test_every_table_is_whole_and_has_a_name_of_its_own() -> None:
    found = analysis_tables(Grid.of(study()), {"model": "dense"})
    assert [table.name for table in found] == ["baseline-1", "settings-1", "variance-1", "fronts-1", "ranks-1"]
    assert all(table.rows and table.caption.startswith("digits: ") and table.note for table in found)
    assert {len(row) - len(table.columns) for table in found for row in table.rows} == {0}
    assert all(len({column.key for column in table.columns}) == len(table.columns) for table in found)


def test_effects_against_the_baseline_are_paired_by_seed_and_all_else() -> None:
    records = study()
    found = list(rows(tables(records, model="dense")["baseline-1"]))
    assert [(row["model"], row["latent_dim"], row["kl_weight"]) for row in found] == [
        ("conv", "2", "0.001"),
        ("conv", "2", "0.01"),
        ("conv", "8", "0.001"),
        ("conv", "8", "0.01"),
    ]
    of = {one.key: one.values("mse") for one in Grid.of(records).configurations}
    values = {tuple(text for _, text in key[1:]): found for key, found in of.items()}
    pairs = list(zip(values["dense", "2", "–"], values["conv", "2", "0.001"], strict=True))  # noqa: RUF001
    effect = paired_effect([pairs])
    grid = Grid.of(records)
    assert found[0]["mse_change"] == grid.formats.interval("mse", effect.change, sign=True)
    assert found[0]["mse_verdict"].startswith("better (")
    assert found[0]["ssim_verdict"].startswith("better (")
    assert found[0]["pairs"] == "5"


def test_one_seed_has_effects_and_no_verdict() -> None:
    found = tables(study(1), model="dense")
    assert {row["mse_verdict"] for row in rows(found["baseline-1"])} == {"one pair: no interval"}
    assert {row["stays"] for row in rows(found["ranks-1"])} == {"–"}  # noqa: RUF001
    assert {row["more"] for row in rows(found["ranks-1"])} == {"–"}  # noqa: RUF001
    assert "With one seed each" in found["variance-1"].note


def test_without_a_baseline_one_setting_at_a_time_remains() -> None:
    found = tables(study())
    assert "baseline-1" not in found
    steps = {(row["setting"], row["from"], row["to"]): row for row in rows(found["settings-1"])}
    assert list(steps) == [
        ("model", "dense", "conv"),
        ("latent size", "2", "8"),
        ("KL weight", "0.001", "0.01"),
    ]
    assert steps["KL weight", "0.001", "0.01"]["pairs"] == "10", "two latent sizes, five seeds"
    assert steps["KL weight", "0.001", "0.01"]["mse_verdict"].startswith("worse")
    assert steps["model", "dense", "conv"]["pairs"] == "10", "the KL weights of conv are averaged"


def test_configurations_without_a_counterpart_are_counted() -> None:
    records = [*study(), *seeds(0.01, model="conv", latent_dim=64, kl_weight=0.001)]
    table = tables(records, model="dense")["baseline-1"]
    assert len(table.rows) == 4
    assert "1 configuration without such a counterpart left out" in table.note


def test_many_configurations_show_the_best_and_correct_for_all() -> None:
    records = seeds(0.05, 2, model="dense", latent_dim=1)
    for latent in range(1, 80):
        records += seeds(0.03 - 0.0001 * latent, 2, model="conv", latent_dim=1, learning_rate=latent / 1000)
    table = tables(records, model="dense")["baseline-1"]
    assert len(table.rows) == 60
    assert "The 60 of lowest MSE of 79 configurations; p is corrected for all." in table.note
    assert next(rows(table))["learning_rate"] == "0.079"


def test_variance_names_the_axis_that_matters() -> None:
    found = {row["source"]: row for row in rows(tables(study())["variance-1"])}
    shares = {
        source: float(row["share_0"].removesuffix(f"{NBSP}%")) for source, row in found.items() if "%" in row["share_0"]
    }
    assert max(shares, key=lambda source: shares[source]) == "model"
    assert "latent size × KL weight" in found  # noqa: RUF001
    assert list(found)[-2:] == ["seed", "varying together"]
    assert found["model"]["p_0"] == "< 0.001"


def test_fronts_hold_what_no_other_beats() -> None:
    records = seeds(0.01, 2, noise=0.1, model="a", seconds=9.0) + seeds(0.02, 2, noise=0.1, model="b", seconds=1.0)
    records += seeds(0.03, 2, noise=0.1, model="c", seconds=5.0)
    table = tables(records)["fronts-1"]
    titles = {column.key: column.label for column in table.columns}
    marks = {
        row["model"]: {titles[key] for key in row if key.startswith("front") and row[key] == "yes"}
        for row in rows(table)
    }
    assert marks == {
        "a": {"rate-distortion", "MSE and training time", "MSE and parameters"},
        "b": {"rate-distortion", "MSE and training time"},
        "c": {"rate-distortion"},
    }


def test_ranks_say_what_stands_and_what_it_would_take() -> None:
    firm = next(rows(tables(seeds(0.02, model="a") + seeds(0.04, model="b"))["ranks-1"]))
    assert (firm["best"], firm["second"], firm["more"], firm["stays"]) == ("a", "b", "settled", f"100{NBSP}%")
    close = [record(value, seed, model="a") for seed, value in enumerate((0.030, 0.034, 0.031))]
    close += [record(value, seed, model="b") for seed, value in enumerate((0.034, 0.031, 0.033))]
    open_ = next(rows(tables(close)["ranks-1"]))
    assert open_["rival"].startswith("b (")
    assert int(open_["more"]) > 3
    assert float(open_["stays"].removesuffix(f"{NBSP}%")) < 90


def test_one_configuration_and_none_have_no_analysis() -> None:
    assert analysis_tables(Grid.of(seeds(0.03, model="a")), {}) == []
    assert analysis_tables(Grid.of([]), {}) == []


def test_data_sets_are_never_compared_with_one_another() -> None:
    both = [
        record(value, seed, dataset=name, model=model)
        for (name, value), model, seed in product((("x", 0.01), ("y", 0.09)), "ab", range(2))
    ]
    found = tables(both, model="a")
    assert {name.rsplit("-", 1)[1] for name in found} == {"1", "2"}
    assert all(row["mse_change"].startswith(("+0.00000", "0.00000")) for row in rows(found["baseline-1"]))


def test_a_failed_trial_leaves_the_others_paired() -> None:
    demo = synthetic.demo(models=("dense", "conv"), latents=(2,), ssim_weights=(0.0,), seeds=(0, 1, 2))
    found = {table.name: table for table in analysis_tables(Grid.of(demo.records), {"model": "dense"})}
    pairs = [row["pairs"] for row in rows(found["baseline-1"])]
    assert "2" in pairs, "one seed of a configuration failed"
    assert "3" in pairs


@pytest.mark.parametrize("hostile", synthetic.HOSTILE)
def test_names_are_cleaned(hostile: str) -> None:
    records = seeds(0.03, 2, model=hostile) + seeds(0.04, 2, model="plain")
    for table in analysis_tables(Grid.of(records), {"model": hostile}):
        texts = [table.caption, table.note, *(cell.text for row in table.rows for cell in row)]
        assert not any(character in text for text in texts for character in "\0\n\x1b\u202e")
