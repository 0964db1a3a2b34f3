"""The :class:`Database` of one world: where its frontier lies, and what of it outlives a process."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from scrapekit.testing.simulate.mortality import MortalConnection, Reaper


class Database:
    """A file, which each process opens anew; or memory, where one process lives on and runs the crawl again.

    Args:
        path: The file; None for memory.
        committed: Is called after each commit.
    """

    def __init__(self, path: Path | None, committed: Callable[[], None]) -> None:
        self.name = ":memory:" if path is None else str(path)
        self._in_memory = path is None
        self._committed = committed
        self._connection: MortalConnection | None = None

    @property
    def connection(self) -> MortalConnection:
        """The one that the frontier has."""
        assert self._connection is not None
        return self._connection

    def connect(self, reaper: Reaper, *given: Any, **options: Any) -> MortalConnection:
        """A connection whose writes are effects; what is in memory has one only."""
        if self._connection is None:
            self._connection = sqlite3.connect(*given, factory=MortalConnection, **options)
        self._connection.reaper, self._connection.committed = reaper, self._committed
        return self._connection

    def leave(self) -> None:
        """A process ends: of a file, what it had not committed is gone."""
        if not self._in_memory:
            self.close()

    def close(self) -> None:
        """Idempotent."""
        if self._connection is not None:
            sqlite3.Connection.close(self._connection)
            self._connection = None

    @contextmanager
    def reader(self) -> Iterator[sqlite3.Connection]:
        """A connection for a look at what was left."""
        if self._in_memory:
            yield self.connection
        else:
            with closing(sqlite3.connect(self.name)) as reader:
                yield reader
