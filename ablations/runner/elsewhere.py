"""A model that was trained elsewhere, measured and kept as a study of one trial: a row that compares with others."""

import platform
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tomli_w

from ablations.records import rows
from ablations.records.files import writing
from ablations.records.lease import hold
from ablations.records.ledger import now
from ablations.records.record import Record
from ablations.records.status import Status
from ablations.records.store import Store
from ablations.runner.collect import collect
from ablations.runner.plan import closed_plan
from ablations.runner.trial import facts_of
from ablations.study.trial import slug
from vae.code import code_of, part_hash
from vae.datasets import load
from vae.environment import describe
from vae.errors import MetricError
from vae.spec import RunSpec

__all__ = ["measure_elsewhere"]


def measure_elsewhere(
    path: Path,
    store: Store,
    *,
    data: Mapping[str, Any],
    settings: Mapping[str, Any],
    halves: tuple[str, str],
    metrics: Mapping[str, Mapping[str, Any]],
) -> Record:
    """Measure a model file, and write a folder of results with one trial.

    Args:
        path: of the model.
        store: the folder.
        data: settings of the data set.
        settings: axis -> value that the row is to have, so that it stands beside a study's; `model` names it.
        halves: names of encoder and decoder.
        metrics: name -> settings.

    Raises:
        DataError: the model can't be read, or is not for such images.
        VaebenchError: the folder can't be written.
    """
    from vae.elsewhere import Elsewhere, outcome_elsewhere
    from vae.evaluation import measure
    from vae.pictures import pictures

    began, started = time.perf_counter(), now()
    # The range of a symmetric model is reached by tanh: the network of this spec stands for the range alone.
    output = "sigmoid" if data.get("range", "unit") == "unit" else "tanh"
    spec = RunSpec.parse({"data": data, "model": {"name": "dense_vae", "output": output}}, "evaluate")
    images = load(spec.data)
    model = Elsewhere.load(path, images.shape, halves)
    outcome = outcome_elsewhere(model, images, spec)
    values, failed = measure(outcome, metrics)
    if failed:
        raise MetricError("; ".join(failed.values()))
    whole = isinstance(model, Elsewhere)
    parts = [model.encoder, model.decoder] if whole else [model]
    values["parameters"] = float(sum(part.count_params() for part in parts))
    arrays = pictures(model, images, outcome) if whole else {}
    axes = {"dataset": images.name, "model": path.stem, **settings, "seed": settings.get("seed", 0)}
    name = slug("-".join(map(str, axes.values())))
    described = {"name": str(axes["model"]), **({"latent_dim": model.latent_dim} if whole else {})}
    run = {**spec.settings(), "model": described, "loss": {}, "prior": None, "posterior": None}
    code = code_of(spec, ())
    hashes = {f"metric {one}": part_hash("metric", one) or "" for one in metrics}
    record = Record(
        trial=name,
        digest=images.checksum,
        axes=axes,
        status=Status.DONE,
        spec=run,
        metrics=values,
        timings={"eval_seconds": time.perf_counter() - began},
        environment=describe(),
        data=facts_of(images),
        code={"core": code["core"], "parts": hashes, "git": None},
        evaluation={one: dict(given) for one, given in metrics.items() if given},
        notes={"trained": f"elsewhere; measured from {path.name} on {platform.node()}"},
        started=started,
        finished=now(),
    )
    _keep(store, record, path, arrays)
    return record


def _keep(store: Store, record: Record, path: Path, arrays: Mapping[str, Any]) -> None:
    store.create()
    with writing(store.root), hold(store.lease) as lease:
        held = Store(store.root, lease.token)
        axes = {axis: [value] for axis, value in record.axes.items()}
        study = {"name": store.root.name, "title": f"{path.stem}, trained elsewhere", "axes": axes}
        held.write_study(tomli_w.dumps(study))
        row = rows.Row(record.trial, record.digest, record.axes, record.spec)
        rows.write(held, rows.Rows(axes, {}, [row]), {})
        with held.commit(record.trial) as draft:
            draft.write_arrays(arrays)
            draft.write_record(record)
        collect(held, closed_plan(held))
