"""The inside of a worker process: leases come in over a pipe, outcomes go out, in batches of whatever is there."""

from __future__ import annotations

import logging
import os
import signal
import sys
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from threading import Thread
from typing import NoReturn

from scrapekit.download import Source
from scrapekit.errors import ScrapekitError
from scrapekit.fleet.allocator import give_memory_back
from scrapekit.fleet.records import Forward
from scrapekit.fleet.several import AnyWorker
from scrapekit.fleet.threads import ThreadFleet
from scrapekit.fleet.wire import Outbox, decode_leases
from scrapekit.safe import safe_lines

READY, REFUSED = b"r", b"e"
"""The first byte of the first thing that a child sends: it works, or it can't (why, as text)."""

CLOSE_SECONDS = 5.0


def serve(pipe: Connection, workers: int, make: Callable[[], tuple[AnyWorker, Source]]) -> None:
    """Work until the parent closes the pipe, or dies. The main thread of a worker process.

    Args:
        pipe: To the parent.
        workers: Threads.
        make: Builds the worker and the downloader that it uses.
    """
    # What a terminal or a service manager tells the parent reaches us too: the parent alone decides what it means.
    for number in (signal.SIGINT, signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)):  # Windows has no SIGHUP
        signal.signal(number, signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):  # we began with it blocked, and what user code starts must not
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    give_memory_back()
    outbox = Outbox()
    logging.getLogger().addHandler(Forward(outbox.put))
    try:
        worker, downloader = make()
    except Exception as error:  # noqa: BLE001  (user code: the parent says it in one line)
        pipe.send_bytes(refusal(error))
        return
    fleet = ThreadFleet(worker, workers, outbox.put)
    sender = Thread(target=_send, args=(pipe, outbox, downloader), name="scrapekit-sender")
    try:
        pipe.send_bytes(READY)
        sender.start()
        while data := pipe.recv_bytes():
            hand_out(fleet, data)
    except BaseException as error:  # noqa: BLE001  (whatever it is, the parent must learn of it)
        _die(error)
    downloader.close()
    fleet.close(CLOSE_SECONDS)
    outbox.put(None)
    sender.join()
    pipe.close()


def hand_out(fleet: ThreadFleet, data: bytes) -> None:
    """Give the threads what the engine's process has sent: leases, and the ids of those to be given up."""
    for lease in decode_leases(data):
        if isinstance(lease, int):
            fleet.abandon(lease, by_force=False)
        else:
            fleet.submit(lease)


def refusal(error: Exception) -> bytes:
    """What a worker says that can't be made."""
    what = str(error) if isinstance(error, ScrapekitError) else f"{type(error).__name__}: {error}"
    return REFUSED + what.encode()


def _send(pipe: Connection, outbox: Outbox, downloader: Source) -> None:
    """Send all that is finished, until the end. A thread of its own, so that no worker waits for the pipe."""
    try:
        while batch := outbox.take(downloader.stats):
            pipe.send_bytes(batch)
    except BaseException as error:  # noqa: BLE001  (as above)
        _die(error)


def _die(error: BaseException) -> NoReturn:
    """End the process at once: by that the parent learns of it, and gives the leases back."""
    if not isinstance(error, EOFError | OSError):  # then the parent is dead: nobody waits for what is under way
        sys.stderr.write(safe_lines(traceback.format_exc()))
    os._exit(1)
