"""The :class:`Loader`: a thread that takes committed items from the spool to the database."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from threading import Condition, Thread
from time import monotonic

from scrapekit.errors import ExportError
from scrapekit.export.database.connection import Connection, Refused, Unreachable
from scrapekit.export.database.table import Table

logger = logging.getLogger("scrapekit")

_ITEMS, _BYTES = 500, 1 << 20  # of one transaction
_INITIAL, _LONGEST = 0.1, 5.0  # seconds between attempts
_TICK = 0.25  # seconds; whoever waits looks so often whether it is to leave
_TO_END = 10.0  # seconds that a transaction under way has when the crawl is closed

Connect = Callable[[], tuple[Connection, Table]]


def pause(failures: int) -> float:
    """Seconds to wait after so many failures in a row."""
    return min(_LONGEST, _INITIAL * 2.0 ** min(failures - 1, 30))


class Loader:
    """Loads a spool into a table, in a thread of its own: a slow database holds no crawl up, for the spool can wait.

    Made, and its methods called, in the engine's thread. ``_changed`` guards all that changes.

    Args:
        connect: Makes a connection, and of it the table.
        job: The outbox key.
        spool: The items, a line each.
        empty: Whether to delete all rows first.
        outage: Seconds after which a database that does not take anything is given up.
        name: Of the output, for messages.
    """

    def __init__(self, connect: Connect, job: str, spool: Path, *, empty: bool, outage: float, name: str) -> None:
        self._connect = connect
        self._job = job
        self._spool = spool
        self._empty = empty
        self._outage = outage
        self._name = name
        self._changed = Condition()
        self._committed = -1  # bytes of the spool; below nothing: not even its start
        self._loaded = -1
        self._error: ExportError | None = None
        self._closing = False
        self._leaving = False
        self._failures = 0
        self._failing_since = 0.0
        self._thread: Thread | None = None

    def committed(self, end: int) -> None:
        """The spool is final up to there. Raises ExportError where the database has been given up."""
        with self._changed:
            if self._error is not None:
                raise self._error
            self._committed = end
            self._changed.notify_all()
        if self._thread is None:
            self._thread = Thread(target=self._run, name="scrapekit-loader", daemon=True)
            self._thread.start()

    def leave(self) -> None:
        """Have :meth:`wait` end soon. Any thread, and signal handlers: it takes no lock that they may hold."""
        self._leaving = True

    def wait(self) -> bool:
        """Wait until all that is final is loaded, or :meth:`leave`; whether it is.

        Raises:
            ExportError: The database has been given up.
        """
        with self._changed:
            while self._error is None and self._loaded < self._committed and not self._leaving:
                self._changed.wait(_TICK)
            if self._error is not None:
                raise self._error
            return self._loaded >= self._committed

    def close(self) -> None:
        """End the thread after the transaction under way; what is not loaded is for the next run."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(_TO_END)

    def _run(self) -> None:
        """The thread."""
        while True:
            try:
                self._load()
            except Unreachable as error:
                if not self._try_again(error):
                    return
            except Refused as error:
                self._give_up(f"the database refuses the items: {error}", error)
                return
            except Exception as error:  # noqa: BLE001  (nobody else would hear of it)
                self._give_up(f"can't be written: {type(error).__name__}: {error}", error)
                return
            else:
                return

    def _load(self) -> None:
        """Load by one connection, until the loader is closed."""
        connection, table = self._connect()
        try:
            done = table.begin(self._job, empty=self._empty)
            with self._spool.open("rb") as spool:
                while (end := self._more_than(done.bytes)) is not None:
                    spool.seek(done.bytes)
                    lines: list[bytes] = []
                    at = done.bytes
                    while at < end and len(lines) < _ITEMS and at - done.bytes < _BYTES:
                        line = spool.readline()
                        at += len(line)
                        lines.append(line[:-1])
                    done = table.load(self._job, done, lines)
                    self._failures = 0
        finally:
            connection.close()

    def _more_than(self, loaded: int) -> int | None:
        """Where what is final ends, once that is beyond what is loaded; None when the loader is closed."""
        with self._changed:
            self._loaded = loaded
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._closing or self._committed > loaded)
            return None if self._closing else self._committed

    def _try_again(self, error: Unreachable) -> bool:
        """Wait a while, longer each time; False when it has been tried for long enough, or the loader is closed."""
        now = monotonic()
        self._failures += 1
        if self._failures == 1:
            self._failing_since = now
            logger.warning("%s: the database does not take items, trying again: %s", self._name, error)
        if now - self._failing_since >= self._outage:
            self._give_up(f"the database has not taken items for {self._outage:g} seconds: {error}", error)
            return False
        with self._changed:
            return not self._changed.wait_for(lambda: self._closing, pause(self._failures))

    def _give_up(self, why: str, cause: Exception) -> None:
        with self._changed:
            self._error = ExportError(f"{self._name}: {why}; the items stay in {self._spool}")
            self._error.__cause__ = cause
            self._changed.notify_all()
