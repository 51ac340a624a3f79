"""What a study with plugins asks for, kept beside its results for readers who don't run the plugins."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ablations.records import columns, rows
from ablations.records.store import Store
from ablations.runner.plan import Plan
from ablations.study.study import Study
from ablations.text.columns import quantity
from vae.metrics import METRICS

__all__ = ["keep_columns", "keep_rows"]


def keep_columns(store: Store, metrics: Iterable[str]) -> None:
    """Write down what metrics from outside say of their columns."""
    foreign = [name for name in metrics if METRICS.place(name).door != "built in"]
    columns.add(store, {name: asdict(quantity(name)) for name in foreign})


def keep_rows(study: Study, store: Store, plan: Plan) -> None:
    """Write down the trials of a study that has plugins, and copies of these; of any other, nothing is to be kept."""
    keep_columns(store, study.metrics)
    if not study.sources:
        return
    trials = [rows.Row(trial.name, trial.digest, dict(trial.axes), trial.spec.settings()) for trial in plan.trials]
    skipped: list[tuple[Mapping[str, Any], str]] = [(one.axes, str(one.reason)) for one in plan.skipped]
    axes = {axis: list(values) for axis, values in study.axes.items()}
    copies = {Path(source.path).name: source.text for source in study.sources}
    rows.write(store, rows.Rows(axes, dict(study.fixed), trials, skipped), copies)
