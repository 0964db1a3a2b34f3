"""The default fleet: a ThreadPoolExecutor whose threads share one worker, and with it one PoolManager."""

from __future__ import annotations

import ctypes
import sys
import traceback
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from concurrent.futures import thread as executors
from queue import Empty, SimpleQueue
from threading import Thread, current_thread, get_ident
from time import sleep
from typing import Any

from scrapekit.errors import FleetError, Quarantined
from scrapekit.fleet.several import AnyWorker
from scrapekit.messages import Failed, Lease, Outcome
from scrapekit.messages.reason import storable
from scrapekit.safe import masked

_LOOKS, _LOOK_APART = 5, 0.006  # seconds: more than the interpreter lets one thread run while others want to
_LOOK_SECONDS = 1.0  # how often a thread that waits looks whether the program is over
_MOST_ABANDONED = 1000  # threads; more would eat the memory
_FRAMES = 20  # innermost frames of a stack


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

    def __init__(self, worker: AnyWorker, workers: int, post: Callable[[Outcome], Any]) -> None:
        self.capacity = workers
        """Leases that can be worked on at once."""
        self.isolates = False
        """Whether a lease can be alone in a process: not here."""
        self._worker = worker
        self._post = post
        self._leases: SimpleQueue[Lease | None] = SimpleQueue()
        self._closed = False
        self._executor = ThreadPoolExecutor(workers + _MOST_ABANDONED, thread_name_prefix="scrapekit-worker")
        self._hands: list[_Hand] = []
        # Who has which lease. Taking it out is atomic, and whoever does answers for the lease: its thread or abandon().
        self._held: dict[int, _Hand] = {}
        try:
            self._hire(workers)
        except RuntimeError as error:
            self.close(0)
            started = f"only {len(self._hands)} of {workers} worker threads could be started"
            raise FleetError(f"{started}: {error}") from error

    def submit(self, lease: Lease) -> None:
        """Hand a lease to whichever thread is free first. Never blocks; any thread."""
        self._leases.put(lease)

    def abandon(self, lease_id: int, *, by_force: bool) -> bool:  # noqa: ARG002  (nobody can end a thread by force)
        """Give up a lease that does not come back, with its thread: another one takes its place. One thread.

        The outcome says where it hangs. A thread that runs Python ends as soon as it notices; one that waits in C
        stays, and holds up neither :meth:`close` nor the end of the program.

        Raises:
            FleetError: No other thread can be started.
        """
        hand = self._held.pop(lease_id, None)
        if hand is None:
            return False
        self._hands.remove(hand)
        where = hand.stack()
        hand.leave()
        if hand.runs():
            hand.end()
        try:
            self._hire(1)
        except RuntimeError as error:
            raise FleetError(f"a worker thread that hangs can't be replaced: {error}") from error
        message = "its callback or a pipeline has not returned"
        self._post(Failed(id=lease_id, error=Quarantined.__name__, message=message, traceback=where, final=True))
        return True

    def close(self, deadline: float) -> None:
        """End the threads, waiting at most ``deadline`` seconds for what they have in hand. Idempotent; any thread.

        A thread whose callback never returns is left behind.
        """
        if not self._closed:
            self._closed = True
            for _ in self._hands:
                self._leases.put(None)
        wait([hand.task for hand in self._hands], timeout=deadline)
        self._executor.shutdown(wait=False)
        for hand in self._hands:
            if not hand.task.done():
                hand.leave()
            elif hand.thread is not None:
                hand.thread.join()

    def _hire(self, count: int) -> None:
        """Start threads. Raises RuntimeError where the system gives no more.

        They are started from a daemon, so they are daemons, too, and the program can end without them.
        """
        refused: list[RuntimeError] = []

        def recruit() -> None:
            try:
                for _ in range(count):
                    hand = _Hand()
                    hand.task = self._executor.submit(self._work, hand)
                    self._hands.append(hand)
            except RuntimeError as error:
                refused.append(error)

        recruiter = Thread(target=recruit, daemon=True)
        recruiter.start()
        recruiter.join()
        if refused:
            raise refused[0]

    def _work(self, hand: _Hand) -> None:
        """What each thread does, from its first lease to its last."""
        process, post, held = self._worker.process, self._post, self._held
        hand.thread, hand.ident = current_thread(), get_ident()
        try:
            while (lease := self._take()) is not None and not self._closed:
                held[lease.id] = hand
                outcome = process(lease)
                if held.pop(lease.id, None) is None:
                    return  # it was abandoned: the answer has been given
                post(outcome)
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


class _Hand:
    """One thread and its task."""

    task: Future[None]
    thread: Thread | None = None  # until it begins
    ident = 0

    def stack(self) -> str:
        """Where it is now, as the lines of a traceback."""
        frame = sys._current_frames().get(self.ident)  # noqa: SLF001  (documented, for debuggers)
        lines = "".join(traceback.format_stack(frame)[-_FRAMES:]) if frame else ""
        return storable(masked(f"Stack of its thread (most recent call last):\n{lines}")).rstrip()

    def leave(self) -> None:
        """Let the program end without it: the interpreter joins what stands in this mapping at its exit."""
        if self.thread is not None:
            getattr(executors, "_threads_queues", {}).pop(self.thread, None)

    def runs(self) -> bool:
        """Whether it runs Python, and does not wait in C: its frame moves on while we look."""
        seen = set()
        for _ in range(_LOOKS):
            frame = sys._current_frames().get(self.ident)  # noqa: SLF001  (as above)
            seen.add(None if frame is None else (id(frame), frame.f_lasti))
            sleep(_LOOK_APART)
        return len(seen) > 1

    def end(self) -> None:
        """Have SystemExit raised in it. Only for one that :meth:`runs`.

        Until it notices, the interpreter is on alert: all other threads run slower, and in Python 3.11 those that a
        debugger or a coverage tool traces don't run at all. A thread that waits in C may never notice.
        """
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(self.ident), ctypes.py_object(SystemExit))
