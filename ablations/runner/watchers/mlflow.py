"""Runs for MLflow: one a trial, nested under one of the study; parameters, metrics by epoch, record and report."""

import hashlib
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ablations.records.record import Record
from ablations.records.status import Status
from ablations.runner.extras import require
from ablations.runner.job import Event, Job
from ablations.runner.watchers._base import WATCHERS, Subject, Watcher, reason
from ablations.study.settings import flatten
from ablations.study.trial import Trial
from ablations.text.characters import visible
from vae.code import code_of, core_hash
from vae.errors import VaebenchError

__all__ = ["MLflow"]

PARENT, KEY = "mlflow.parentRunId", "vaebench.key"
DATABASE, ARTEFACTS = "mlflow.db", "mlflow"  # among a study's results
MOST = 100  # parameters, metrics or tags that MLflow takes in one call
NAME, TEXT = 250, 5000  # characters that every store takes of a name, and of the value of a parameter or tag
SETTINGS = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "5",  # by default it would ask a server that is gone for minutes
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",  # in the midst of the bars
    "MLFLOW_DISABLE_TELEMETRY": "true",  # it would call home
}
ENDS: Mapping[str, str] = {Status.DONE: "FINISHED"}
LEFT_OUT = ("epoch",)  # of a row of the history: it is the step


@WATCHERS.register("mlflow")
class MLflow(Watcher):
    """Keeps the runs of a study.

    A trial that is taken up again goes on in its run, where its points end: a run is found again by the trial's name
    and the code's hash. A server has 5 seconds to answer, twice, unless MLflow's own variables say otherwise.

    Args:
        subject: what is watched.
        place: the address of a tracking server or a database; "" for `$MLFLOW_TRACKING_URI`, or a database among the
            study's results where that is not set.

    Raises:
        SpecError: MLflow is not installed.
        VaebenchError: nothing can be kept there.
    """

    def __init__(self, subject: Subject, place: str) -> None:
        """Find or make the experiment and the study's run."""
        require("mlflow", "mlflow", "--mlflow")
        for variable, value in SETTINGS.items():
            os.environ.setdefault(variable, value)
        from mlflow import MlflowClient

        uri, artefacts = place or os.environ.get("MLFLOW_TRACKING_URI", ""), None
        if not uri:
            root = subject.store.root.absolute()
            subject.store.create()
            uri, artefacts = f"sqlite:///{root / DATABASE}", (root / ARTEFACTS).as_uri()
        self.remote = uri == "databricks" or urlsplit(uri).scheme not in {"", "file", "sqlite"}
        self._name = _cut(visible(subject.study.name), NAME)
        self._trials: dict[str, Trial] = {}
        self._runs: dict[str, str] = {}
        self._known: dict[str, int] = {}
        try:
            self._client = MlflowClient(tracking_uri=uri)
            self._experiment = self._find_experiment(artefacts)
            self._parent = self._find(subject.study.name, core_hash(), {})
        except Exception as error:  # noqa: BLE001 - of a server, a database or its driver
            raise VaebenchError(f"--mlflow {uri}: {reason(error)}. Choose another place") from None

    def on_jobs(self, jobs: Sequence[Job]) -> None:
        """Learn the trials' settings."""
        self._trials |= {job.name: job.trial for job in jobs}

    def on_event(self, event: Event) -> None:
        """Log a row of the history, or what a finished trial is."""
        if event.kind == "started":
            self._open(event.trial)
        elif event.kind == "epoch" and event.epoch > self._known[event.trial]:
            self._known[event.trial] = event.epoch
            self._log(event.trial, {n: v for n, v in event.values.items() if n not in LEFT_OUT}, event.epoch)
        elif event.record is not None:
            self._end(event.record)

    def close(self, files: Sequence[Path] = ()) -> None:
        """End the study's run, with the files of its report; trials under way are left as cut off."""
        for trial, run in self._runs.items():
            if self._client.get_run(run).info.status == "RUNNING":
                self._client.set_terminated(run, "KILLED")
                self._known.pop(trial, None)
        for path in files:
            self._client.log_artifact(self._parent, str(path), "report")
        self._client.set_terminated(self._parent, "FINISHED")

    def _find_experiment(self, artefacts: str | None) -> str:
        found = self._client.get_experiment_by_name(self._name)
        return str(found.experiment_id if found else self._client.create_experiment(self._name, artefacts))

    def _find(self, name: str, code: str, tags: Mapping[str, str]) -> str:
        """Return the run of this name and code, a new one where there is none."""
        name = _cut(visible(name), NAME)
        key = f"{_quotable(name)} {code[:16]}"
        found = self._client.search_runs([self._experiment], f"tags.`{KEY}` = '{key}'", max_results=1)
        if found:
            self._client.update_run(found[0].info.run_id, "RUNNING")
            return str(found[0].info.run_id)
        made = self._client.create_run(self._experiment, tags={KEY: key, **tags}, run_name=name)
        return str(made.info.run_id)

    def _open(self, trial: str) -> None:
        code = code_of(self._trials[trial].spec)["vae"]
        run = self._runs[trial] = self._find(trial, code, {PARENT: self._parent})
        self._known[trial] = max((point.step for point in self._client.get_metric_history(run, "loss")), default=0)
        if not self._client.get_run(run).data.params:
            from mlflow.entities import Param

            settings = flatten(self._trials[trial].spec.settings())
            for some in _pieces(
                Param(_cut(name, NAME), _cut(visible(str(value)), TEXT)) for name, value in settings.items()
            ):
                self._client.log_batch(run, params=some)

    def _log(self, trial: str, values: Mapping[str, float], step: int) -> None:
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        for some in _pieces(Metric(_cut(name, NAME), float(value), now, step) for name, value in values.items()):
            self._client.log_batch(self._runs[trial], metrics=some)

    def _end(self, record: Record) -> None:
        run, epochs = self._runs[record.trial], self._trials[record.trial].spec.train.epochs
        self._log(record.trial, {f"test_{n}": v for n, v in record.metrics.items() if v is not None}, epochs)
        for name, value in {"status": record.status, "reason": record.reason}.items():
            self._client.set_tag(run, f"vaebench.{name}", _cut(visible(value or ""), TEXT))
        self._client.log_dict(run, record.to_json(), "record.json")
        self._client.set_terminated(run, ENDS.get(record.status, "FAILED"))


def _pieces(items: Iterable[Any]) -> list[list[Any]]:
    """Cut into lists that one call takes."""
    whole = list(items)
    return [whole[start : start + MOST] for start in range(0, len(whole), MOST)]


def _cut(text: str, most: int) -> str:
    """Return a text of at most so many characters; two that are cut stay two."""
    return text if len(text) <= most else f"{text[: most - 9]}-{_digest(text)}"


def _quotable(name: str) -> str:
    """Return a name as it may stand in a query."""
    return _digest(name) if set(name) & set("'\"`\\") else name


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]
