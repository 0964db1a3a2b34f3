"""Sudden death: the effects of a crawl are counted, and before one of them the process dies."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from scrapekit.export import Sink

_READS = ("SELECT", "WITH", "PRAGMA", "ROLLBACK")


class Killed(BaseException):
    """The process is dead. What catches it must not act."""


class Reaper:
    """Counts effects, and ends the process before the ``at``-th: between any two of them, in turn. One thread.

    Args:
        at: The effect that does not come any more; 0 for a long life.
        note: Is told each effect.
    """

    def __init__(self, at: int, note: Callable[[str], None]) -> None:
        self.dead = False
        self._left = at
        self._note = note

    def effect(self, what: str) -> None:
        """An effect is about to be.

        Raises:
            Killed: It won't be.
        """
        if self.dead:
            raise Killed
        self._left -= 1
        if self._left == 0:
            self.dead = True
            self._note(f"killed before {what}")
            raise Killed
        self._note(what)


class MortalConnection(sqlite3.Connection):
    """A connection to SQLite each of whose writes is an effect; what was not committed is gone with the process."""

    reaper: Reaper
    committed: Callable[[], None]

    def execute(self, sql: str, *rest: Any) -> sqlite3.Cursor:
        """As of :class:`sqlite3.Connection`."""
        word = sql.split(None, 1)[0]
        if word not in _READS:
            self.reaper.effect(sql.partition("\n")[0][:40])
        cursor = super().execute(sql, *rest)
        if word == "COMMIT":
            self.committed()
            self.reaper.effect("after COMMIT")
        return cursor

    def executemany(self, sql: str, *rest: Any) -> sqlite3.Cursor:
        """As of :class:`sqlite3.Connection`."""
        self.reaper.effect(sql.partition("\n")[0][:40])
        return super().executemany(sql, *rest)

    def executescript(self, sql: str) -> sqlite3.Cursor:
        """As of :class:`sqlite3.Connection`."""
        self.reaper.effect("executescript")
        return super().executescript(sql)


class MortalSink:
    """An output each of whose writes is an effect; death in the middle of an append leaves half of it.

    Args:
        sink: The output.
        path: Its file.
        reaper: Says when it is over.
    """

    def __init__(self, sink: Sink, path: Path, reaper: Reaper) -> None:
        self.name = sink.name
        self.cut = sink.cut
        self.position = sink.position
        self.committed = sink.committed
        self.finish = sink.finish
        self.close = sink.close
        self._sink = sink
        self._path = path
        self._reaper = reaper

    def append(self, lines: Sequence[bytes]) -> None:
        """As of :class:`~scrapekit.export.Sink`."""
        self._reaper.effect(f"append {len(lines)}")
        try:
            self._reaper.effect("half of the append")
        except Killed:
            whole = b"".join(line + b"\n" for line in lines)
            with self._path.open("r+b") as file:
                file.seek(self._sink.position()["offset"])
                file.write(whole[: len(whole) // 2 + 1])
            raise
        self._sink.append(lines)

    def flush(self) -> None:
        """As of :class:`~scrapekit.export.Sink`."""
        self._reaper.effect("flush")
        self._sink.flush()
