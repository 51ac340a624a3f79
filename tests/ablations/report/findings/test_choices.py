"""On which images the best is chosen, and that it is said."""

from ablations.analysis.grid import Grid, best, chosen_by, ranked
from ablations.records.record import Record
from ablations.report.findings import answer
from ablations.report.tables.standings import rank_table
from ablations.search.tune import _finite


def trial(model: str, seed: int, **metrics: float) -> Record:
    axes = {"model": model, "seed": seed}
    data = {"name": "digits"} | ({"validation_images": 126} if "val_mse" in metrics else {})
    return Record(f"{model}-{seed}", "", axes, "done", data=data, metrics=metrics, timings={"train_seconds": 1.0})


def statements(records: list[Record]) -> dict[str, str]:
    (one,) = answer(Grid.of(records), {})
    return {item.lead: item.text.replace("\xa0", " ") for item in one.statements}


VALIDATED = [
    *(trial("dense", seed, mse=0.020 + seed / 1e4, val_mse=0.010 + seed / 1e4) for seed in range(3)),
    *(trial("conv", seed, mse=0.018 + seed / 1e4, val_mse=0.011 + seed / 1e4) for seed in range(3)),
]


def test_the_best_is_chosen_on_validation_images_and_its_number_is_of_the_test_images() -> None:
    grid = Grid.of(VALIDATED)
    first = best(grid.configurations, "mse")
    assert first is not None
    assert first.model == "dense", "though conv has the lower test error"
    assert chosen_by(grid.configurations, "mse") == "val_mse"
    told = statements(VALIDATED)
    assert told["Lowest MSE per pixel"].startswith("dense: 0.02010 ± 0.00010, 3 seeds. It is told from")
    assert "on 126 validation images that no model was trained on; the numbers given are of the test" in told["Choices"]
    table = rank_table(grid, grid.configurations, 1)
    assert table is not None
    (row,) = table.rows
    assert [cell.text.replace("\xa0", " ") for cell in row][1] == "dense"
    assert "−0.0010" in row[4].text.replace("\xa0", " "), "the difference that it was chosen by"  # noqa: RUF001


def test_where_one_lacks_the_validation_number_the_test_images_decide_for_all() -> None:
    records = [*VALIDATED, *(trial("mine", seed, mse=0.019) for seed in range(3))]
    known = Grid.of(records).configurations
    assert chosen_by(known, "mse") == "mse"
    assert [one.model for one in ranked(known, "mse")] == ["conv", "mine", "dense"]
    assert "The best are chosen on the test images" in statements(records)["Choices"]
    assert "data.validation = 0.1" in statements(records)["Choices"]


def test_a_search_scores_by_the_validation_images() -> None:
    assert _finite(VALIDATED[0], "mse") == 0.010
    assert _finite(trial("mine", 0, mse=0.019), "mse") == 0.019
