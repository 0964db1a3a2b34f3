"""The default fleet: a ThreadPoolExecutor whose threads share one worker, and with it one PoolManager."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from concurrent.futures import thread as executors
from queue import Empty, SimpleQueue
from typing import Any

from scrapekit.errors import FleetError
from scrapekit.fleet.worker import Worker
from scrapekit.messages import Lease, Outcome

_LOOK_SECONDS = 1.0  # how often a thread that waits looks whether the program is over


class ThreadFleet:
    """Each thread of the executor runs one long task that takes leases until it is told to end.

    One task a thread, instead of one a lease, saves a Future with its lock for each page, and lets a thread close what
    it has opened. The engine submits only when a worker is free, so the queue between them is as good as empty.

    Args:
        worker: Shared by all threads.
        workers: Threads.
        post: Puts an outcome into the engine's inbox.

    Raises:
        FleetError: The system doesn't give so many threads.
    """

    def __init__(self, worker: Worker, workers: int, post: Callable[[Outcome], Any]) -> None:
        self.capacity = workers
        """Leases that can be worked on at once."""
        self.isolates = False
        """Whether a lease can be alone in a process: not here."""
        self._worker = worker
        self._post = post
        self._leases: SimpleQueue[Lease | None] = SimpleQueue()
        self._closed = False
        self._executor = ThreadPoolExecutor(workers, thread_name_prefix="scrapekit-worker")
        self._tasks: list[Future[None]] = []
        try:
            for _ in range(workers):
                self._tasks.append(self._executor.submit(self._work))
        except RuntimeError as error:
            self.close(0)
            raise FleetError(
                f"only {len(self._tasks)} of {workers} worker threads could be started: {error}"
            ) from error

    def submit(self, lease: Lease) -> None:
        """Hand a lease to whichever thread is free first. Never blocks; any thread."""
        self._leases.put(lease)

    def close(self, deadline: float) -> None:
        """End the threads, waiting at most ``deadline`` seconds for what they have in hand. Idempotent; any thread.

        A callback that never returns keeps its thread; Python waits for it when the interpreter ends.
        """
        if not self._closed:
            self._closed = True
            for _ in self._tasks:
                self._leases.put(None)
        _, going = wait(self._tasks, timeout=deadline)
        self._executor.shutdown(wait=not going)

    def _work(self) -> None:
        """What each thread does, from its first lease to its last."""
        process, post = self._worker.process, self._post
        try:
            while (lease := self._take()) is not None and not self._closed:
                post(process(lease))
        finally:
            self._worker.close_thread()

    def _take(self) -> Lease | None:
        """The next lease; None at the end, also that of a program that has left a crawl unfinished and open."""
        while True:
            try:
                return self._leases.get(timeout=_LOOK_SECONDS)
            except Empty:
                # At its exit the interpreter joins the threads of every executor, before any hook of ours can run; it
                # says so in this variable, and wakes only those that wait in the executor's own queue.
                if getattr(executors, "_shutdown", False):
                    return None
