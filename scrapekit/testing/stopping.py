"""Serving until a signal says stop, for commands that have nothing else to do."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event

_STOP = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def until_stopped() -> Iterator[Callable[[], object]]:
    """What waits for SIGTERM or SIGINT. For the main thread, before there are others.

    Where they can be, the signals are blocked for the ``with`` block and waited for, so that no thread is interrupted
    at a bad moment; elsewhere, as on Windows, a handler takes them.
    """
    if hasattr(signal, "pthread_sigmask") and hasattr(signal, "sigwait"):
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _STOP)
        try:
            yield lambda: signal.sigwait(_STOP)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return
    stopped = Event()
    handlers = {number: signal.signal(number, lambda *_: stopped.set()) for number in _STOP}
    try:
        yield lambda: _wait(stopped)
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def _wait(stopped: Event) -> None:
    while not stopped.wait(0.2):  # a wait without an end takes no signals there
        pass
