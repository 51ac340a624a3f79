"""Trials on a Ray cluster, one a task: nodes need no disk in common, and may die.

What a node needs is sent to it, data sets once a node, and what a trial leaves comes back and is committed here. Ray
repeats nothing by itself: what becomes of a trial whose node died is the runner's decision.
"""

import math
import pickle
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Any, Self

from ablations.records.record import Record
from ablations.records.status import Status
from ablations.runner.executors._base import EXECUTORS, Executor, refused
from ablations.runner.executors._cluster import connected, explain, needs, room
from ablations.runner.executors._remote import Delivery, Mailbox, Message, Parcel, perform_here
from ablations.runner.extras import require
from ablations.runner.job import Event, Job
from ablations.runner.trial import failed
from vae.checkpoint import fetch, place
from vae.datasets import load
from vae.spec import DataSpec

__all__ = ["Ray", "parcel_of"]

AHEAD = 2  # tasks handed to Ray for each that there is room for: none waits for us
LOOK_SECONDS = 10.0  # between two looks at how much room there is
RATE = 50e6  # bytes a second at which all checkpoints together may come in
BEAT = 0.1  # seconds between two messages of a trial, at least
MESSAGES = 200.0  # a second, of all trials together


@EXECUTORS.register("ray")
class Ray(Executor):
    """A task of Ray's for each trial, `workers` at a time or as many as the cluster has room for."""

    _kept: ExitStack | None = None

    def __enter__(self) -> Self:
        """Keep the connection from one `run` to the next: a cluster of this machine would be started for each."""
        self._kept = ExitStack()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the cluster."""
        if self._kept is not None:
            self._kept.close()
            self._kept = None

    def check(self) -> None:
        """Look whether Ray is installed.

        Raises:
            SpecError: it is not.
        """
        require("ray", "ray", "the executor 'ray'")

    def run(self, jobs: Sequence[Job]) -> Iterator[Event]:
        """Yield events; a trial whose worker or node dies is `crashed`."""
        self.check()
        if not jobs:
            return
        with ExitStack() as mine:
            ray = (self._kept or mine).enter_context(connected(self.resources.address))
            cluster = _Cluster(ray, self, jobs)
            try:
                yield from cluster.events()
            finally:
                cluster.dismiss()


def parcel_of(job: Job, threads: int, slots: int) -> Parcel:
    """Return what a node needs of a job: all but the place of the results, which is nobody's business there.

    Args:
        job: it.
        threads: to compute with.
        slots: trials that run at a time, who share the way back.
    """
    return Parcel(
        trial=replace(job.trial, recorded=job.trial.digest),
        threads=threads,
        commit=job.commit,
        until=job.until,
        shared=job.shared,
        checkpoint=fetch(job.store.workspace(job.workspace)),
        beat=max(BEAT, slots / MESSAGES),
        rate=RATE / slots,
        metrics=job.metrics,
    )


@dataclass
class _Run:
    """A trial that Ray has."""

    job: Job
    bytes: dict[str, int]  # by what they were for
    node: str = ""
    number: int = 0
    messages: int = 0
    deadline: float = math.inf
    overdue: bool = False


@dataclass
class _Shipment:
    """A data set in the cluster.

    Attributes:
        ref: of its arrays.
        bytes: of them.
        users: trials that are still to have it.
        nodes: that have it.
    """

    ref: Any
    bytes: int
    users: int
    nodes: set[str] = field(default_factory=set)


class _Cluster:
    """A run's tasks, messages and data sets."""

    def __init__(self, ray: Any, executor: Executor, jobs: Sequence[Job]) -> None:
        self._ray, self._executor, self._waiting = ray, executor, deque(jobs)
        self._needs = needs(executor.threads, executor.resources.gpus, executor.resources.memory)
        self._running: dict[Any, _Run] = {}
        self._names: dict[str, _Run] = {}
        self._numbers: dict[tuple[str, int], int] = {}
        self._shipments: dict[DataSpec, _Shipment] = {}
        self._slots, self._looked = room(ray.nodes(), self._needs), time.monotonic()
        self._home = ray.get_runtime_context().get_node_id()
        stay = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(self._home, soft=False)
        self._mailbox = ray.remote(Mailbox).options(num_cpus=0, scheduling_strategy=stay).remote()
        self._post = self._mailbox.take.remote()
        self._task = ray.remote(perform_here).options(
            num_cpus=self._needs.get("CPU", 0),
            num_gpus=self._needs.get("GPU", 0),
            memory=self._needs.get("memory"),
            max_retries=0,
        )

    def events(self) -> Iterator[Event]:
        """Yield what happens until all is done."""
        yield from self._fill()
        while self._running:
            for ref in self._ready():
                if ref in self._running:
                    yield from self._finish(ref)
                elif ref == self._post:  # unless that was read meanwhile
                    yield from self._read()
            self._stop_overdue()
            yield from self._fill()

    def dismiss(self) -> None:
        """Stop what still runs."""
        for ref in self._running:
            with suppress(Exception):  # the cluster may be gone, and that is as well
                self._ray.cancel(ref, force=True)
        with suppress(Exception):
            self._ray.kill(self._mailbox)

    def _fill(self) -> Iterator[Event]:
        """Hand over as many trials as there is room for and some more, and yield events of those that can't be sent."""
        if not self._waiting:
            return
        if time.monotonic() - self._looked > LOOK_SECONDS:
            self._looked = time.monotonic()
            with suppress(Exception):  # nodes come and go: what was known is good enough until there is one again
                self._slots = room(self._ray.nodes(), self._needs)
        most = self._executor.workers or AHEAD * self._slots
        while self._waiting and len(self._running) < most:
            yield from self._submit(self._waiting.popleft())

    def _submit(self, job: Job) -> Iterator[Event]:
        parcel = parcel_of(job, self._executor.threads, min(self._slots, self._executor.workers or self._slots))
        try:
            size = len(pickle.dumps(parcel))
        except Exception as error:  # noqa: BLE001 - pickling calls what the job is made of
            yield from refused(job, f"{type(error).__name__}: {error}")
            if job.trial.spec.data in self._shipments:
                self._release(job.trial.spec.data)
            return
        shipment = self._shipment(job.trial.spec.data)
        ref = self._task.remote(parcel, shipment.ref, self._mailbox)
        run = _Run(job, {"sent": size, "data": 0, "checkpoints": 0, "results": 0})
        self._running[ref] = self._names[job.name] = run

    def _shipment(self, spec: DataSpec) -> _Shipment:
        """Put a data set where all nodes can get it, when the first trial needs it."""
        if spec not in self._shipments:
            data = load(spec)
            sides = [side for side in (data.train, data.validation, data.test) if side is not None]
            arrays = [data.intensities, *(array for side in sides for array in (side.images, side.labels))]
            size = sum(array.nbytes for array in arrays if array is not None)
            users = 1 + sum(job.trial.spec.data == spec for job in self._waiting)
            self._shipments[spec] = _Shipment(self._ray.put(data), size, users)
        return self._shipments[spec]

    def _ready(self) -> list[Any]:
        """Wait for a message, a trial's end or a deadline; return all that is there, messages first."""
        refs = [self._post, *self._running]
        first = min((run.deadline for run in self._running.values() if not run.overdue), default=math.inf)
        timeout = None if math.isinf(first) else max(first - time.monotonic(), 0)
        if not self._ray.wait(refs, timeout=timeout)[0]:
            return []
        ready: list[Any] = self._ray.wait(refs, num_returns=len(refs), timeout=0)[0]
        return ready

    def _read(self) -> Iterator[Event]:
        """Read the messages that are there."""
        messages = self._ray.get(self._post)
        self._post = self._mailbox.take.remote()
        for message in messages:
            run = self._names.get(message.trial)
            if run is not None:
                yield from self._hear(run, message)

    def _hear(self, run: _Run, message: Message) -> Iterator[Event]:
        run.messages += 1
        if not run.node:
            yield self._begin(run, message.node, message.process)
        yield from (replace(event, worker=run.number) for event in message.events)
        if message.checkpoint is not None:
            self._keep(run, message.checkpoint)

    def _keep(self, run: _Run, checkpoint: tuple[str, bytes]) -> None:
        run.bytes["checkpoints"] += len(checkpoint[1])
        with suppress(OSError):  # a disk that is full costs the trial's way so far, should somebody go on from there
            place(run.job.store.workspace(run.job.workspace), *checkpoint)

    def _begin(self, run: _Run, node: str, process: int) -> Event:
        run.node = node
        run.number = self._numbers.setdefault((node, process), len(self._numbers))
        if self._executor.timeout is not None:
            run.deadline = time.monotonic() + self._executor.timeout
        shipment = self._shipments[run.job.trial.spec.data]
        if node not in {self._home, *shipment.nodes}:
            shipment.nodes.add(node)
            run.bytes["data"] = shipment.bytes
        return Event("started", run.job.name, worker=run.number)

    def _finish(self, ref: Any) -> Iterator[Event]:
        """Commit what a trial left, or that it left nothing."""
        run = self._running[ref]
        try:
            delivery: Delivery = self._ray.get(ref)
        except self._ray.exceptions.RayError as error:
            record, files = self._failure(run, error), {}
            if not run.node:  # it died before its first word
                yield Event("started", run.job.name)
        else:
            while run.messages < delivery.messages:  # they were in the mailbox before this was on its way
                yield from self._read()
            yield from (replace(event, worker=run.number) for event in delivery.events)
            record, files = delivery.record, dict(delivery.files)
            run.bytes["results"] = sum(map(len, files.values()))
            if delivery.checkpoint is not None:
                self._keep(run, delivery.checkpoint)
            record = replace(record, notes={**record.notes, **delivery.notes})
        del self._running[ref], self._names[run.job.name]
        record = self._commit(run, record, files)
        self._release(run.job.trial.spec.data)
        yield Event("finished", run.job.name, record=record, worker=run.number)

    def _failure(self, run: _Run, error: Exception) -> Record:
        if run.overdue:
            reason = f"stopped after {self._executor.timeout:g} s, the limit that --timeout sets"
            return failed(run.job, Status.TIMEOUT, reason)
        return failed(run.job, *explain(error))

    def _commit(self, run: _Run, record: Record, files: dict[str, bytes]) -> Record:
        told = {"ray_node": run.node} | {f"ray_bytes_{name}": size for name, size in run.bytes.items()}
        record = replace(record, notes={**record.notes, **told})
        store = run.job.store
        with store.commit(run.job.name) as draft:
            for name, content in files.items():
                draft.write_file(name, content)
            draft.write_record(record)
        if files and not run.job.leaves_state(record.status):
            store.clear_workspace(run.job.workspace)
        return record

    def _release(self, spec: DataSpec) -> None:
        """Let go of a data set that no trial is going to need."""
        shipment = self._shipments[spec]
        shipment.users -= 1
        if not shipment.users:
            del self._shipments[spec]

    def _stop_overdue(self) -> None:
        for ref, run in self._running.items():
            if not run.overdue and time.monotonic() >= run.deadline:
                run.overdue = True
                self._ray.cancel(ref, force=True)
