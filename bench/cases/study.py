"""The harness around the training: plan, store, tables, report."""

import atexit
import shutil
from dataclasses import replace
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from bench._case import Work, case

__all__: list[str] = []

LATENTS, WEIGHTS, SEEDS = 100, (1e-4, 5e-4, 1e-3, 1e-2), (0, 1)


@case("plan", "study")
def _plan(small: bool) -> Work:
    """Load a study of 800 trials (the gate: 80): every one is validated, named and digested."""
    from ablations.study.study import Study

    latents = list(range(1, 1 + LATENTS // (10 if small else 1)))
    axes = {"latent_dim": latents, "kl_weight": list(WEIGHTS), "seed": list(SEEDS)}
    trials = len(latents) * len(WEIGHTS) * len(SEEDS)
    return Work(
        lambda: [trial.name for trial in Study.from_dict({"name": "wide", "axes": axes}).trials()],
        {"trials": trials},
    )


@case("plan-done", "study")
def _plan_done(small: bool) -> Work:
    """Look what is done of a study of 80 trials (the gate: 8), all of which are."""
    from ablations.runner.plan import make_plan
    from ablations.study.study import Study

    axes = {"latent_dim": list(range(1, 3 if small else 21)), "kl_weight": list(WEIGHTS)}
    study = Study.from_dict({"name": "done", "axes": axes})
    store, record, arrays = _stored(_folder())
    for trial in study.trials():
        _commit(store, replace(record, trial=trial.name), arrays)
    return Work(lambda: [trial.name for trial in make_plan(study, store).trials], {"trials": len(study)})


def _folder() -> Path:
    """Return a folder that lives as long as this process."""
    folder = mkdtemp(prefix="vaebench-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


def _stored(folder: Path) -> tuple[Any, Any, Any]:
    """Return a store in the folder, and a record with its arrays."""
    from ablations.records.store import Store
    from bench import synthetic

    demo = synthetic.demo(models=("conv",), latents=(16,), weights=(1e-4,), ssim_weights=(0.0,), seeds=(0,))
    record = demo.records[0]
    return Store(folder), record, demo.arrays[record.trial]


def _commit(store: Any, record: Any, arrays: Any) -> None:
    with store.commit(record.trial) as draft:
        draft.write_record(record)
        draft.write_arrays(arrays)


@case("store-write", "store")
def _write(small: bool) -> Work:  # noqa: ARG001 - one size
    """Commit one trial's record and arrays."""
    store, record, arrays = _stored(_folder())

    def write() -> Any:
        _commit(store, record, arrays)
        return store

    return Work(write, {"trials": 1})


@case("store-read", "store")
def _read(small: bool) -> Work:  # noqa: ARG001 - one size
    """Read one trial's record and arrays."""
    store, record, arrays = _stored(_folder())
    _commit(store, record, arrays)

    def read() -> tuple[Any, Any]:
        found = store.read(record.trial)
        return found, store.arrays(found)

    return Work(read, {"trials": 1})


def _records(trials: int) -> Any:
    from bench import synthetic

    return synthetic.demo(models=("conv",), latents=range(2, 2 + trials // 8), broken=False)


@case("table", "report")
def _table(small: bool) -> Work:
    """Make the table of 400 trials (the gate: 16) and its summary over seeds."""
    from ablations.records.tables import summary, table

    demo = _records(16 if small else 400)

    def tables() -> Any:
        trials = table(demo.records)
        return trials, summary(trials, list(demo.axes))

    return Work(tables, {"trials": len(demo.records)})


@case("printed", "report")
def _printed(small: bool) -> Work:
    """Make the report's tables of 400 trials (the gate: 16): a row a configuration, and a row a trial."""
    from ablations.analysis.grid import Grid
    from ablations.report.tables.summary import summary_tables
    from ablations.report.tables.trials import trial_table

    records = _records(16 if small else 400).records

    def tables() -> Any:
        grid = Grid.of(records)
        return [*summary_tables(grid), trial_table(grid, records, ())]

    return Work(tables, {"trials": len(records)})


@case("report", "report", gate=False)
def _report(small: bool) -> Work:
    """Draw and render the HTML report of 48 trials (small: 8), embedding by PCA."""
    from ablations.report.report import render

    demo = _records(8 if small else 48)
    folder = _folder()
    source = demo.source()

    def report() -> Any:
        rendered = render(source, folder, latex=False, embedding="pca")
        return rendered.html.read_text("utf-8")

    return Work(report, {"trials": len(demo.records)})


@case("answers", "report", gate=False)
def _answers(small: bool) -> Work:
    """Compare the configurations of 400 trials (small: 16) and put the outcome into words."""
    from ablations.analysis.grid import Grid
    from ablations.report.findings import answer

    demo = _records(16 if small else 400)
    return Work(lambda: answer(Grid.of(demo.records), {"ssim_weight": 0.0}), {"trials": len(demo.records)})
