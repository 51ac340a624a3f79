"""Ourselves as a contestant: the study as a TOML file, the command that runs it, and its result in the peers' terms."""

import sys
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np
import tomli_w

from ablations.records.record import Record
from ablations.records.status import Status
from ablations.records.store import Store
from ablations.study.study import Study
from bench.peers._contract import Result, Task, Trial
from vae.datasets import DataSpec, as_float
from vae.errors import DataError, VaebenchError

__all__ = ["command", "metrics_at", "translate", "write_study"]

NAME = "peers"
Decoder = Literal["mirrored", "paper"]
Precision = Literal["float32", "bfloat16"]


def write_study(task: Task, data: DataSpec, decoder: Decoder, precision: Precision = "float32") -> Path:
    """Write the task as a study, with the paper's batch normalisation where the decoder is the paper's."""
    fixed: dict[str, Any] = {
        "data.name": data.name,
        "data.limit": data.limit,
        "data.test_limit": data.test_limit,
        "model": "conv",
        "decoder": decoder,
        "precision": precision,
        "normalization": "batch" if decoder == "paper" else "none",
        "kl_weight": task.kl_weight,
        "train.epochs": task.epochs,
        "train.batch_size": task.batch_size,
        "train.learning_rate": task.learning_rate,
        "train.validation_limit": len(task.images()[1]),
    }
    table = {
        "name": NAME,
        "title": f"The peers' study, {decoder} decoder",
        "fixed": {name: value for name, value in fixed.items() if value is not None},
        "axes": {"latent_dim": list(task.latent_dims), "seed": list(task.seeds)},
    }
    task.out.mkdir(parents=True, exist_ok=True)
    path = task.out / "study.toml"
    path.write_text(tomli_w.dumps(table), encoding="utf-8")
    return path


def command(task: Task) -> list[str]:
    """Return what a user would type: `vaebench run STUDY`, with the HTML report."""
    study, results = str(task.out / "study.toml"), str(task.out / "results")
    return [sys.executable, "-m", "vaebench", "run", study, "--results", results, "--no-pdf"]


def metrics_at(task: Task) -> float:
    """Return when the table of metrics was there, in seconds since 1970; the report follows."""
    return _store(task).table_csv.stat().st_mtime


def _store(task: Task) -> Store:
    return Store(task.out / "results" / Study.load(task.out / "study.toml").folder_name)


def translate(task: Task) -> Result:
    """Read what the command left, reconstruct the test images with the saved models, and return the result.

    Raises:
        DataError: the study was not run on the task's images.
        VaebenchError: a trial is not done.
    """
    from vae.model import VAE  # noqa: F401 - the saved models are of this class

    store = _store(task)
    found = [record for name in store.names() if (record := store.read(name)) is not None]
    records = {(record.axes["latent_dim"], record.axes["seed"]): record for record in found}
    trials = []
    threads = 1
    for latent_dim, seed in task.trials():
        record = records.get((latent_dim, seed))
        if record is None or record.status != Status.DONE:
            reason = "it was not run" if record is None else f"{record.status}: {record.reason}"
            raise VaebenchError(f"the trial with {latent_dim} latent dimensions and seed {seed} is missing: {reason}")
        if record.data["checksum"] != task.checksum():
            raise DataError(f"the study ran on {record.data['checksum'][:12]}, the peers on {task.checksum()[:12]}")
        trials.append(_trial(task, store, record))
        threads = int(record.environment["threads"])
    packages = records[task.trials()[0]].environment["packages"]
    cores = int(records[task.trials()[0]].environment["cores"])
    versions = {name: packages[name] for name in ("vaebench", "keras", "tensorflow", "numpy") if name in packages}
    return Result(trials, parallel=max(min(cores // threads, len(trials)), 1), threads=threads, versions=versions)


def _trial(task: Task, store: Store, record: Record) -> Trial:

    from vae.saved import load_model

    history = store.history(record)
    model = load_model(store.model(record))
    latent_dim, seed = int(record.axes["latent_dim"]), int(record.axes["seed"])
    images = as_float(task.images()[1])
    np.save(task.reconstructions(latent_dim, seed), model.decode(model.encode(images)[0]), allow_pickle=False)
    return Trial(
        latent_dim,
        seed,
        # Records keep whole seconds, cut off: the next one, so that the clock never flatters us.
        datetime.fromisoformat(record.started).timestamp() + 1,
        epoch_seconds=[float(value) for value in history["seconds"]],
        epoch_sse=[float(value) for value in history["val_reconstruction"]],
        parameters=int(record.metrics["parameters"] or 0),
    )
