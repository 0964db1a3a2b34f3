"""The inside of an actor on a Ray cluster: leases come in by one call, outcomes go out by another, all of it bytes."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from pkgutil import resolve_name
from tempfile import TemporaryDirectory

import msgspec

from scrapekit.fleet.allocator import give_memory_back
from scrapekit.fleet.child import CLOSE_SECONDS, READY, hand_out, refusal
from scrapekit.fleet.records import Forward
from scrapekit.fleet.threads import ThreadFleet
from scrapekit.fleet.wire import Outbox

logger = logging.getLogger("scrapekit")


class Actor:
    """One member of a :class:`~scrapekit.fleet.ray.RayFleet`, with threads and pools of its own.

    It knows nothing of Ray, which makes it in a process of its own. ``submit``, ``take`` and ``close`` are called from
    three threads at once; :meth:`start` comes first.

    Args:
        make: Import path, ``package.module:function``, of what builds the worker and its downloader from ``config``.
        config: For ``make``.
        files: The spider's code: a MessagePack mapping of relative paths to what the files hold.
        workers: Threads.
        linger: Seconds to wait for more, once there is something to take.
    """

    def __init__(self, make: str, config: bytes, files: bytes, workers: int, linger: float) -> None:
        self._make = make
        self._config = config
        self._files = msgspec.msgpack.decode(files, type=dict[str, bytes])
        self._workers = workers
        self._outbox = Outbox(linger)

    def start(self) -> bytes:
        """Lay out the code in a folder of its own, which becomes the working directory, and begin to work.

        Returns:
            ``READY``, or ``REFUSED`` and why, in one line.
        """
        give_memory_back()
        logging.getLogger().addHandler(Forward(self._outbox.put))
        self._folder = TemporaryDirectory(prefix="scrapekit-", ignore_cleanup_errors=True)  # a callback may hang in it
        try:
            for name, content in self._files.items():
                path = Path(self._folder.name, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
            os.chdir(self._folder.name)
            worker, self._downloader = resolve_name(self._make)(self._config)
        except Exception as error:  # noqa: BLE001  (user code: the engine's process says it in one line)
            self._clean()
            return refusal(error)
        self._fleet = ThreadFleet(worker, self._workers, self._outbox.put)
        return READY

    def submit(self, leases: bytes) -> None:
        """Begin to work on these, or give them up: see :func:`~scrapekit.fleet.child.hand_out`."""
        hand_out(self._fleet, leases)

    def take(self) -> bytes:
        """What is finished, as :meth:`Outbox.take` has it; empty after the end."""
        return self._outbox.take(self._downloader.stats)

    def close(self) -> None:
        """End the threads and close the connections; what was finished can still be taken."""
        self._downloader.close()
        self._fleet.close(CLOSE_SECONDS)
        folder = Path(self._folder.name)
        found = (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc")
        if lost := sorted({str(path.relative_to(folder)) for path in found} - self._files.keys()):
            logger.warning("%s and %d more files are gone with their actor: use absolute paths", lost[0], len(lost) - 1)
        self._clean()
        self._outbox.put(None)  # the last thing: whoever takes it ends this process

    def _clean(self) -> None:
        os.chdir("/")
        self._folder.cleanup()
