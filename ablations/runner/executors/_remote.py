"""What happens on a node of a cluster: a trial is performed from what was sent there, and all it leaves is sent back.

Nothing here knows of a folder of results: the node writes to a temporary folder of its own.
"""

import asyncio
import os
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from ablations.records.record import Record
from ablations.runner.executors._base import live
from ablations.runner.executors._worker import warm
from ablations.runner.job import Event, Job
from ablations.runner.trial import perform
from ablations.study.trial import Trial
from vae.checkpoint import fetch, place
from vae.datasets import Data
from vae.errors import VaebenchError
from vae.metrics import METRICS
from vae.plugins import Luggage
from vae.scratch import scratch, sweep

__all__ = ["LARGEST", "Delivery", "Mailbox", "Message", "Parcel", "UnfitError", "perform_here"]

LARGEST = 1 << 30  # bytes of a checkpoint that is sent on the way; with a larger one, a trial may have to begin anew
SCRATCH = "trial"


class UnfitError(VaebenchError):
    """A node can't train; the text is a traceback."""


@dataclass(frozen=True)
class Parcel:
    """A trial as it is sent to a node; its data set goes apart, once for all.

    Attributes:
        trial: with its digest and name known, so that nobody looks for the data set.
        threads: to compute with.
        commit: of the code, for the record.
        until: the epoch after which it is to pause.
        shared: the name of the workspace that it has in common with shorter and longer trials.
        checkpoint: name and content of the one to go on from.
        beat: seconds between two messages.
        rate: bytes a second that its checkpoints may take.
        metrics: name -> settings of what is measured.
    """

    trial: Trial
    threads: int
    commit: str | None = None
    until: int | None = None
    shared: str | None = None
    checkpoint: tuple[str, bytes] | None = None
    beat: float = 0.1
    rate: float = 1e6
    metrics: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def __reduce__(self) -> Any:
        """Travel with the code of the metrics that are not ours, as a job does."""
        luggage = Luggage.of((METRICS, name) for name in self.metrics if name in METRICS)
        return _arrived, (luggage, {one.name: getattr(self, one.name) for one in fields(self)})


def _arrived(luggage: Luggage, members: Mapping[str, Any]) -> Parcel:
    luggage.unpack()
    return Parcel(**members)


@dataclass(frozen=True)
class Message:
    """What a running trial tells; its first says only that it is started, and where.

    Attributes:
        trial: its name.
        node: where it runs.
        process: that performs it.
        events: epochs done.
        checkpoint: name and content.
    """

    trial: str
    node: str
    process: int
    events: Sequence[Event] = ()
    checkpoint: tuple[str, bytes] | None = None


@dataclass(frozen=True)
class Delivery:
    """What a trial leaves.

    Attributes:
        record: as the node made it.
        files: name -> content of the trial's folder.
        events: that were not told yet.
        messages: how many were sent before.
        checkpoint: name and content, where somebody is to go on from it and it was not sent before.
        notes: what is worth knowing of the way.
    """

    record: Record
    files: Mapping[str, bytes]
    events: Sequence[Event]
    messages: int
    checkpoint: tuple[str, bytes] | None = None
    notes: Mapping[str, Any] = field(default_factory=dict)


class Mailbox:
    """Where nodes leave messages and the runner takes them: an actor beside the runner.

    Ray's own generators would do the same without an actor, but not for a runner outside of the cluster (`ray://`).
    """

    def __init__(self) -> None:
        """Begin with none."""
        self._messages: list[Message] = []
        self._arrived = asyncio.Event()

    async def put(self, message: Message) -> None:
        """Keep a message; of a trial's checkpoints only the newest, so that a slow runner fills no memory."""
        if message.checkpoint is not None:
            self._messages = [
                Message(one.trial, one.node, one.process, one.events) if one.trial == message.trial else one
                for one in self._messages
            ]
        self._messages.append(message)
        self._arrived.set()

    async def take(self) -> list[Message]:
        """Return all messages, as soon as there is one."""
        await self._arrived.wait()
        self._arrived.clear()
        taken, self._messages = self._messages, []
        return taken


def perform_here(parcel: Parcel, data: Data, mailbox: Any) -> Delivery:
    """Perform a trial on this node and return what it leaves.

    Args:
        parcel: the trial.
        data: its data set, as arrays that the processes of a node share.
        mailbox: the actor to tell.

    Raises:
        UnfitError: something that every trial needs can't be imported here.
    """
    sweep(SCRATCH)
    with scratch(SCRATCH) as folder:
        job = Job(parcel.trial, folder, parcel.commit, parcel.until, parcel.shared, metrics=parcel.metrics)
        store = job.store
        workspace = store.workspace(job.workspace)
        outbox = _Outbox(parcel, workspace, mailbox)
        outbox.send([])
        if parcel.checkpoint is not None:
            place(workspace, *parcel.checkpoint)
        try:
            warm(parcel.threads)
        except Exception:  # noqa: BLE001 - whatever it is, no trial gets any further here
            raise UnfitError(traceback.format_exc()) from None

        def work(tell: Callable[[Event], None]) -> None:
            def on_epoch(epoch: int, values: Mapping[str, float]) -> None:
                tell(Event("epoch", job.name, epoch, values))

            tell(Event("finished", job.name, record=perform(job, parcel.threads, on_epoch, data)))

        record = None
        for events in live(job.name, work, parcel.beat):
            outbox.waiting += [event for event in events if event.kind == "epoch"]
            record = events[-1].record if events else None
            if record is None:
                outbox.tell()
        if record is None:
            raise RuntimeError(f"{job.name} ended without a record")
        outbox.settle()
        state = fetch(workspace, outbox.delivered) if job.leaves_state(record.status) else None
        return Delivery(record, store.files(job.name), outbox.waiting, outbox.sent, state, outbox.notes)


class _Outbox:
    """Tells the runner what a trial is at, no more often than it was asked to."""

    def __init__(self, parcel: Parcel, workspace: Path, mailbox: Any) -> None:
        import ray

        self._ray, self._mailbox, self._workspace, self._parcel = ray, mailbox, workspace, parcel
        self._node = ray.get_runtime_context().get_node_id()
        self._newest = parcel.checkpoint[0] if parcel.checkpoint else ""
        self._next = 0.0  # when a checkpoint may be sent
        self._last: Any = None
        self.waiting: list[Event] = []
        self.sent = 0
        self.delivered = self._newest  # the newest checkpoint that the runner has
        self.notes: dict[str, Any] = {}

    def tell(self) -> None:
        """Send what there is to say, unless the message before is still on its way."""
        if self._last is not None and not self._ray.wait([self._last], timeout=0)[0]:
            return
        checkpoint = self._checkpoint()
        if self.waiting or checkpoint:
            self.send(self.waiting, checkpoint)
            self.waiting = []

    def send(self, events: Sequence[Event], checkpoint: tuple[str, bytes] | None = None) -> None:
        message = Message(self._parcel.trial.name, self._node, os.getpid(), tuple(events), checkpoint)
        self._last = self._mailbox.put.remote(message)
        self.sent += 1

    def settle(self) -> None:
        """Wait until the mailbox has all that was sent."""
        self._ray.get(self._last)

    def _checkpoint(self) -> tuple[str, bytes] | None:
        if time.monotonic() < self._next:
            return None
        found = fetch(self._workspace, self._newest)
        if found is None:
            return None
        self._newest, size = found[0], len(found[1])
        self._next = time.monotonic() + size / self._parcel.rate
        if size > LARGEST:
            self.notes["checkpoints_too_large_to_send"] = size
            return None
        self.delivered = self._newest
        return found
