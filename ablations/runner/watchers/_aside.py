"""A watcher that is told from a thread of its own, so that it can hold up nobody."""

from collections.abc import Callable, Sequence
from pathlib import Path
from queue import SimpleQueue
from threading import Event as Flag
from threading import Thread

from ablations.runner.job import Event, Job
from ablations.runner.watchers._base import Watcher
from vae.errors import VaebenchError

__all__ = ["Aside"]

MOST = 10_000  # that wait to be told: some megabytes
ANSWER_SECONDS = 60.0  # for one thing told, at the end; watchers with a limit of their own give up long before
LISTENING_SECONDS = 1.0  # at most between two looks at what came
LEAVE_SECONDS = 2.0  # that an interrupt waits for a watcher of this machine

Telling = Callable[[Watcher], None]


class Aside(Watcher):
    """Opens a watcher in a thread and passes on what it is told; what goes wrong there is raised at the next call.

    The thread ends with the process, whatever the watcher is waiting for.

    Args:
        open_: opens the watcher; what it raises is raised here.
        name: of the thread.

    Raises:
        Exception: the watcher can't be opened.
    """

    def __init__(self, open_: Callable[[], Watcher], name: str) -> None:
        """Wait until it is open; an interrupt ends the waiting."""
        self._waiting: SimpleQueue[Telling | None] = SimpleQueue()
        self._opened, self._ended, self._left = Flag(), Flag(), Flag()
        self._told = 0
        self._error: Exception | None = None
        Thread(target=self._work, args=(open_,), name=name, daemon=True).start()
        while not self._opened.wait(LISTENING_SECONDS):  # an interrupt that comes just before a wait does not end it
            pass
        if self._error is not None:
            raise self._error

    def on_jobs(self, jobs: Sequence[Job]) -> None:
        """Have it hear of the trials that come next."""
        self._tell(lambda watcher: watcher.on_jobs(jobs))

    def on_event(self, event: Event) -> None:
        """Have it hear of something that happened."""
        self._tell(lambda watcher: watcher.on_event(event))

    def close(self, files: Sequence[Path] = ()) -> None:
        """Have it hear the rest and finish; returns once it has.

        Raises:
            VaebenchError: it does not answer any more.
        """
        self._end(files)
        told = self._told
        while not self._ended.wait(ANSWER_SECONDS):
            if self._told == told:
                self._left.set()
                raise VaebenchError(f"it has not answered for {ANSWER_SECONDS:g} s")
            told = self._told
        self._look()

    def leave(self) -> None:
        """Let a watcher of this machine finish, if it does so at once; tell any other nothing more."""
        if not self.remote:
            self._end(())
            self._ended.wait(LEAVE_SECONDS)
        self._left.set()
        self._waiting.put(None)

    def _work(self, open_: Callable[[], Watcher]) -> None:
        try:
            watcher = open_()
            self.remote = watcher.remote
            self._opened.set()
            while (tell := self._waiting.get()) is not None and not self._left.is_set():
                tell(watcher)
                self._told += 1
        except Exception as error:  # noqa: BLE001 - raised again where it is told the next thing
            self._error = error
        except BaseException as error:  # noqa: BLE001 - somebody's `sys.exit` ends the watching, not the study
            self._error = VaebenchError(f"{type(error).__name__}: {error}")
        finally:
            self._opened.set()
            self._ended.set()

    def _tell(self, telling: Telling) -> None:
        self._look()
        if self._waiting.qsize() >= MOST:
            self._left.set()
            raise VaebenchError(f"it is {MOST:,} messages behind")
        self._waiting.put(telling)

    def _end(self, files: Sequence[Path]) -> None:
        self._waiting.put(lambda watcher: watcher.close(files))
        self._waiting.put(None)

    def _look(self) -> None:
        if self._error is not None:
            raise self._error
