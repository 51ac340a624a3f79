"""A mean over trials of two backends is named, and only such a one."""

from ablations.analysis.grid import Grid
from ablations.records.record import Record
from ablations.report.findings import FINDINGS, Known


def said(*trials: tuple[int, int, str]) -> list[str]:
    records = []
    for size, seed, backend in trials:
        axes = {"model": "conv", "latent_dim": size, "seed": seed}
        facts = {"data": {"name": "digits"}, "environment": {"backend": backend}, "metrics": {"mse": 0.1}}
        records.append(Record(f"z{size}-{seed}", "", axes, "done", **facts))
    grid = Grid.of(records)
    return [one.text for one in FINDINGS["backends"].rule(Known(grid, grid.within("digits")))]


def test_configurations_whose_means_mix_backends_are_named() -> None:
    ours, theirs = "tensorflow", "jax"
    (text,) = said((2, 0, ours), (4, 0, ours), (4, 1, theirs), (4, 2, ours), (8, 0, theirs), (8, 1, ours))
    assert "latent size 4 (2 trials by tensorflow, 1 trial by jax), and 1 configuration more." in text


def test_configurations_of_one_backend_each_share_no_mean() -> None:
    assert said((2, 0, "tensorflow"), (2, 1, "tensorflow"), (4, 0, "jax"), (4, 1, "jax")) == []
