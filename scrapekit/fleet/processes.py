"""The fleet of processes: each has its own thread pool and PoolManager, and all the cores of a GIL Python work."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable
from contextlib import ExitStack
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from typing import Any

from scrapekit.errors import FleetError, SpiderError
from scrapekit.fleet.child import READY, REFUSED
from scrapekit.fleet.crew import Crew, Member
from scrapekit.fleet.wire import encode
from scrapekit.messages import Lease, Lost, Outcome


class ProcessFleet(Crew):
    """N worker processes under one engine.

    Args:
        start: Runs in the child: ``start(pipe, workers, config)``; found again by its import path.
        config: Handed to it as it is.
        processes: How many.
        workers: Threads in each.
        post: Puts a batch of outcomes, or a :class:`Lost`, into the engine's inbox.
        method: How processes are started: ``spawn`` or ``forkserver``.

    Raises:
        SpiderError: The child can't start, for instance because it can't import the spider; one line.
    """

    def __init__(
        self,
        start: Callable[[Connection, int, bytes], None],
        config: bytes,
        *,
        processes: int,
        workers: int,
        post: Callable[[list[Outcome] | Lost | FleetError], Any],
        method: str = "spawn",
    ) -> None:
        context = multiprocessing.get_context(method)

        def spawn() -> _Child:
            ours, theirs = context.Pipe()
            process = context.Process(  # type: ignore[attr-defined]  # every context has it
                target=start, args=(theirs, workers, config), name="scrapekit-process", daemon=True
            )
            with ExitStack() as begun:
                if hasattr(signal, "pthread_sigmask"):  # or a Ctrl-C would end it with a traceback, until it is ignored
                    resource_tracker.ensure_running()  # by start() otherwise, and then it would unblock SIGINT
                    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # it begins with that, too
                    begun.callback(signal.pthread_sigmask, signal.SIG_SETMASK, before)
                process.start()
            theirs.close()
            return _Child(process, ours)

        noun = ("a worker process", "worker processes")
        super().__init__(spawn, size=processes, workers=workers, post=post, noun=noun)


class _Child(Member):
    """One worker process, at the other end of a pipe."""

    def __init__(self, process: Any, pipe: Connection) -> None:
        super().__init__()
        self._process = process
        self._pipe = pipe

    def ready(self, timeout: float) -> bool:
        try:
            if not self._pipe.poll(timeout):
                return False
            word = self._pipe.recv_bytes()
        except (EOFError, OSError):
            self._process.join()
            raise ConnectionError(self.epitaph()) from None
        if word[:1] == REFUSED:
            raise SpiderError(f"a worker process can't start: {word[1:].decode()}")
        assert word == READY
        return True

    def send(self, leases: list[Lease | int]) -> None:
        self._pipe.send_bytes(encode(leases))

    def finish(self) -> None:
        self._pipe.send_bytes(b"")

    def receive(self) -> bytes:
        try:
            return self._pipe.recv_bytes()
        except (EOFError, OSError):
            self._process.join()
            return b""

    def kill(self) -> None:
        self._process.kill()
        self._process.join()

    def epitaph(self) -> str:
        code = self._process.exitcode
        return f"exit code {code}" if code is None or code >= 0 else f"killed by signal {-code}"
