"""Tables: no trial lost, no mean that hides one, files that other programs can read."""

import csv
import io
import math
import os
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ablations.records.files import csv_text
from ablations.records.record import Record
from ablations.records.tables import summary, table, write
from vae.files import write_atomically


def record(mse: float | None = 0.1, *, trial: str = "t", status: str = "done", **axes: object) -> Record:
    metrics = {} if status != "done" else {"mse": mse, "kl": None}
    reason = None if status == "done" else "it broke"
    return Record(
        trial, "d" * 64, axes, status, reason, metrics=metrics, timings={"train_seconds": 2.0} if metrics else {}
    )


def test_failed_trials_have_a_row_and_columns_keep_their_order() -> None:
    frame = table(
        [record(model="conv", latent_dim=2, seed=0), record(status="failed", model="conv", latent_dim=2, seed=1)]
    )
    assert list(frame.columns[:6]) == ["dataset", "model", "latent_dim", "seed", "status", "reason"]
    assert frame["status"].tolist() == ["done", "failed"]
    assert frame["reason"].tolist() == [None, "it broke"]
    assert frame["mse"].isna().tolist() == [False, True]
    assert frame["train_seconds"].tolist()[0] == 2.0


def test_summary_is_the_mean_and_sample_deviation_with_a_t_interval() -> None:
    values = [0.1, 0.2, 0.6]
    frame = table([record(value, trial=str(seed), latent_dim=2, seed=seed) for seed, value in enumerate(values)])
    row = summary(frame, ["latent_dim", "seed"]).iloc[0]
    assert row["mse_mean"] == pytest.approx(0.3)
    assert row["mse_sd"] == pytest.approx(np.std(values, ddof=1))
    half = 4.302652729911275 * np.std(values, ddof=1) / math.sqrt(3)  # t(0.975, 2)
    assert (row["mse_low"], row["mse_high"]) == pytest.approx((0.3 - half, 0.3 + half))
    assert (row["n"], row["failed"], row["stale"]) == (3, 0, 0)


def test_one_seed_has_a_mean_and_no_spread() -> None:
    row = summary(table([record(0.1, latent_dim=2, seed=0)]), ["latent_dim", "seed"]).iloc[0]
    assert row["mse_mean"] == 0.1
    assert np.isnan([row["mse_sd"], row["mse_low"], row["mse_high"]]).all()


def test_failed_trials_are_counted_and_enter_no_mean() -> None:
    frame = table([record(0.1, latent_dim=2, seed=0), record(status="failed", latent_dim=2, seed=1)])
    row = summary(frame, ["latent_dim", "seed"]).iloc[0]
    assert (row["mse_mean"], row["n"], row["failed"]) == (0.1, 1, 1)


def test_a_configuration_that_only_failed_keeps_its_row() -> None:
    frame = summary(
        table([record(status="failed", latent_dim=2, seed=0), record(0.1, latent_dim=8, seed=0)]), ["latent_dim"]
    )
    assert frame["n"].tolist() == [0, 1]
    assert frame["failed"].tolist() == [1, 0]


def test_nan_metric_makes_the_mean_nan() -> None:
    frame = table([record(0.1, latent_dim=2, seed=0), record(math.nan, latent_dim=2, seed=1)])
    assert math.isnan(summary(frame, ["latent_dim"]).iloc[0]["mse_mean"])


def test_stale_trials_enter_a_mean_only_where_there_are_no_others() -> None:
    records = [
        record(0.1, trial="new", latent_dim=2, seed=0),
        record(0.9, trial="old", latent_dim=2, seed=1),
        record(0.5, trial="older", latent_dim=8, seed=0),
    ]
    frame = summary(table(records, {"old", "older"}), ["latent_dim"])
    assert frame["mse_mean"].tolist() == [0.1, 0.5]
    assert frame["stale"].tolist() == [1, 1]


def test_axis_values_that_do_not_apply_survive_grouping() -> None:
    records = [
        record(0.1, model="dense", kl_weight=None, seed=0),
        record(0.3, model="dense", kl_weight=None, seed=1),
        record(0.2, model="conv", kl_weight=1e-4, seed=0),
    ]
    frame = summary(table(records), ["model", "kl_weight", "seed"])
    assert frame["mse_mean"].tolist() == pytest.approx([0.2, 0.2])
    assert frame["n"].tolist() == [2, 1]
    assert frame["kl_weight"].isna().tolist() == [True, False]


def test_mixed_types_survive_parquet_and_whole_numbers_stay_whole(tmp_path: Path) -> None:
    records = [
        record(0.1, filters=[32, 64], latent_dim=16, normalization="batch", momentum=None, trial="a", seed=0),
        record(0.1, filters=None, latent_dim=None, normalization=None, momentum=0.9, trial="b", seed=0),
        record(0.1, filters="auto", latent_dim=2, normalization=True, momentum=1, trial="c", seed=0),
    ]
    frame = table(records)
    paths = {name: tmp_path / name for name in ("table_csv", "table_parquet", "summary_csv")}
    write(frame, summary(frame, list(records[0].axes)), paths)
    back = pd.read_parquet(paths["table_parquet"])
    assert back["filters"].fillna("absent").tolist() == ["[32, 64]", "absent", "auto"]
    assert back["latent_dim"].tolist()[0] == 16
    assert str(back["latent_dim"].dtype) == "Int64"
    assert back["momentum"].tolist()[1:] == [0.9, 1.0]
    assert "16.0" not in paths["table_csv"].read_text().splitlines()[1].split(",")[2:4]
    assert len(pd.read_csv(paths["summary_csv"])) == 3


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_csv_keeps_every_digit(value: float) -> None:
    frame = table([record(value, seed=0)])
    (row,) = csv.DictReader(io.StringIO(csv_text(frame)))
    assert float(row["mse"]) == value


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@sum", "\tx", "\rx"])
def test_text_that_a_spreadsheet_would_run_is_defused(text: str) -> None:
    frame = table([record(-0.5, model=text, seed=0)])
    (row,) = csv.DictReader(io.StringIO(csv_text(frame), newline=""))
    assert row["model"] == "'" + text.replace("\r", "\n")
    assert row["mse"] == "-0.5", "a negative number is no formula"


def test_plain_text_is_left_alone(study: ModuleType) -> None:
    frame = table([record(model=study.HOSTILE[4], seed=0)])
    assert pd.read_csv(io.StringIO(csv_text(frame)))["model"][0] == study.HOSTILE[4]


def test_a_failing_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "table.csv"
    write_atomically(path, b"old")

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_no_records_make_an_empty_table() -> None:
    assert table([]).empty
