"""The synthetic study, one report of it that many tests read, and an executor that trains nothing."""

import math
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from types import ModuleType
from typing import ClassVar

import pytest

from ablations.records.status import Status
from ablations.records.store import Store
from ablations.report.report import Rendered, render
from ablations.runner.executors import EXECUTORS, Executor
from ablations.runner.job import Event, Job
from ablations.runner.trial import failed
from bench import synthetic
from vae.spec import RunSpec


@pytest.fixture(scope="session")
def study() -> ModuleType:
    return synthetic


@pytest.fixture(scope="session")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> tuple[synthetic.Demo, Rendered]:
    demo = synthetic.demo()
    return demo, render(demo.source(), tmp_path_factory.mktemp("report"), embedding="pca")


@pytest.fixture(scope="session")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> tuple[synthetic.Demo, Rendered]:
    """Every name in it tries to be something else than text."""
    names = synthetic.HOSTILE
    few = {"latents": (2,), "weights": (1e-4,), "ssim_weights": (0.0,), "seeds": (0,), "class_names": names}
    demo = synthetic.joined(
        synthetic.demo(dataset=names[0], models=("dense", names[1]), broken=False, **few),
        synthetic.demo(dataset=names[5], models=("dense", names[6]), broken=False, **few),
    )
    for trial in [one.trial for one in demo.records[2:]]:  # what is lost is left out, and costs no time here
        del demo.histories[trial], demo.arrays[trial]
    broken = vars(demo.records[-1]) | {"status": "failed", "reason": "\n".join(names), "metrics": {}, "timings": {}}
    demo.records.append(
        type(demo.records[-1])(**broken | {"trial": names[2], "axes": {**demo.records[-1].axes, "seed": 9}})
    )
    source = demo.source(
        name=names[4],
        title=" ".join(names),
        question=" ".join(reversed(names)),
        spec_text="\n".join(f"# {name}" for name in names),
        command=" ".join(names),
        baseline={"model": names[1]},
    )
    return demo, render(source, tmp_path_factory.mktemp("hostile"), embedding="pca")


class Echo(Executor):
    """Commits what `error` says of a spec and an epoch, at once: schedules can be tested without any training."""

    performed: ClassVar[list[tuple[str, int]]] = []
    """Trial and last epoch of each job, in the order in which they were finished."""
    broken: ClassVar[Callable[[RunSpec], bool]]
    """Tells whether a trial diverges."""
    blow: ClassVar[Callable[[int], None]]
    """Called with the number of jobs finished so far, before each and after each."""

    @staticmethod
    def error(spec: RunSpec, epoch: int) -> float:
        rate = math.log10(spec.train.learning_rate)
        return 10 / spec.model.latent_dim + (rate + 2.5) ** 2 + 2 / epoch + 0.01 * spec.train.seed

    def run(self, jobs: Sequence[Job]) -> Iterator[Event]:
        for job in jobs:
            type(self).blow(len(self.performed))
            yield Event("started", job.name)
            record = self._perform(job)
            self.performed.append((job.name, job.last_epoch))
            type(self).blow(len(self.performed))
            yield Event("finished", job.name, record=record)

    def _perform(self, job: Job) -> object:
        spec = job.trial.spec
        record = failed(job, Status.DONE, "")
        if type(self).broken(spec):
            record = replace(record, status=Status.DIVERGED, reason="loss not finite")
        elif job.last_epoch < spec.train.epochs:
            record = replace(record, status=Status.PAUSED, reason="it waits")
        else:
            sse = self.error(spec, spec.train.epochs)
            record = replace(
                record,
                reason=None,
                metrics={"sse": sse, "mse": sse / 64, "kl": 3.0 + spec.model.latent_dim, "ssim": 1 / (1 + sse)},
                timings={"first_step_seconds": 1.0, "train_seconds": float(spec.train.epochs), "eval_seconds": 0.5},
            )
        with Store(job.root).commit(job.name) as draft:
            if record.status != "diverged":
                curve = [{"epoch": k + 1, "val_reconstruction": self.error(spec, k + 1)} for k in range(job.last_epoch)]
                draft.write_history(curve)
            draft.write_record(record)
        return record


@pytest.fixture
def echo(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Echo]]:
    monkeypatch.setattr(os, "fsync", lambda _: None)  # no power is cut here, and there are many small files
    monkeypatch.setattr(Echo, "performed", [])
    monkeypatch.setattr(Echo, "broken", staticmethod(lambda _: False), raising=False)
    monkeypatch.setattr(Echo, "blow", staticmethod(lambda _: None), raising=False)
    with EXECUTORS.temporarily("echo", Echo):
        yield Echo
