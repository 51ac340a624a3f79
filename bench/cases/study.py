"""The harness around the training: plan, store, tables, report."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench._case import Work, case

__all__: list[str] = []

LATENTS, WEIGHTS, SEEDS = 100, (1e-4, 5e-4, 1e-3, 1e-2), (0, 1)


@case("plan", "study")
def _plan(small: bool) -> Work:
    """Load a study of 800 trials (the gate: 80): every one is validated, named and digested."""
    from ablations.study import Study

    latents = list(range(1, 1 + LATENTS // (10 if small else 1)))
    axes = {"latent_dim": latents, "kl_weight": list(WEIGHTS), "seed": list(SEEDS)}
    trials = len(latents) * len(WEIGHTS) * len(SEEDS)
    return Work(
        lambda: [trial.name for trial in Study.from_dict({"name": "wide", "axes": axes}).trials()],
        {"trials": trials},
    )


def _stored(folder: Path) -> tuple[Any, Any, Any]:
    """Return a store in the folder, and a record with its arrays."""
    from ablations.store import Store
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
    folder = TemporaryDirectory()  # lives as long as the work that holds it
    store, record, arrays = _stored(Path(folder.name))

    def write() -> str:
        _commit(store, record, arrays)
        return folder.name

    return Work(write, {"trials": 1})


@case("store-read", "store")
def _read(small: bool) -> Work:  # noqa: ARG001 - one size
    """Read one trial's record and arrays."""
    folder = TemporaryDirectory()
    store, record, arrays = _stored(Path(folder.name))
    _commit(store, record, arrays)

    def read() -> tuple[Any, Any, str]:
        found = store.read(record.trial)
        return found, store.arrays(found), folder.name

    return Work(read, {"trials": 1})


def _records(trials: int) -> Any:
    from bench import synthetic

    return synthetic.demo(models=("conv",), latents=range(2, 2 + trials // 8), broken=False)


@case("table", "report")
def _table(small: bool) -> Work:
    """Make the table of 400 trials (the gate: 40) and its summary over seeds."""
    from ablations.tables import summary, table

    demo = _records(40 if small else 400)

    def tables() -> Any:
        trials = table(demo.records)
        return trials, summary(trials, list(demo.axes))

    return Work(tables, {"trials": len(demo.records)})


@case("report", "report", gate=False)
def _report(small: bool) -> Work:
    """Draw and render the HTML report of 48 trials (small: 8), embedding by PCA."""
    from ablations.report import render

    demo = _records(8 if small else 48)
    folder = TemporaryDirectory()
    source = demo.source()

    def report() -> Any:
        rendered = render(source, Path(folder.name), latex=False, embedding="pca")
        return rendered.html.read_text("utf-8")

    return Work(report, {"trials": len(demo.records)})


@case("answers", "report", gate=False)
def _answers(small: bool) -> Work:
    """Compare the configurations of 400 trials (small: 40) and put the outcome into words."""
    from ablations.configurations import Grid
    from ablations.wording import answer

    demo = _records(40 if small else 400)
    return Work(lambda: answer(Grid.of(demo.records), {"ssim_weight": 0.0}), {"trials": len(demo.records)})
