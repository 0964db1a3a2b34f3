"""The :class:`Trail`: which URLs are slow and which fail, read from a job's ledger as it grows."""

from __future__ import annotations

import heapq
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self, TypeVar

import msgspec
from msgspec import Struct, field

from scrapekit.engine import Stats
from scrapekit.errors import FrontierError
from scrapekit.safe import masked

T = TypeVar("T")

_SLOWEST = 10
_FAILING = 25
_REMEMBERED = 200  # requests that have failed lately: some of them will come through
_ROWS = 20_000  # of the ledger, in one piece
_PIECES = 5
_WAIT_SECONDS = 5.0
_LONGEST = 2000  # characters of a URL or a message

_LAST = "SELECT coalesce(max(id), 0) FROM attempts"
_SLOW = "SELECT elapsed, id FROM attempts WHERE id > ? AND id <= ? ORDER BY elapsed DESC LIMIT ?"
_FAILED = """SELECT id, request FROM (SELECT id, request FROM attempts WHERE id > ? AND id <= ? AND error IS NOT NULL
    ORDER BY id DESC LIMIT ?) ORDER BY id"""
_SHOWN = """SELECT a.id, u.url, a.elapsed, a.status, a.error, a.at, u.attempts, u.state
    FROM attempts a JOIN urls u ON u.id = a.request WHERE a.id IN (SELECT value FROM json_each(?))"""
_OPEN = """SELECT u.host, count(*) AS requests, h.not_before, coalesce(h.reason, '') FROM urls u LEFT JOIN hosts h
    ON h.host = u.host WHERE u.state IN ('pending', 'leased') GROUP BY u.host ORDER BY requests DESC LIMIT ?"""
_HOSTS = 20
_STATES = {"pending": "to be retried", "leased": "to be retried"}


class Tried(Struct, frozen=True):
    """An attempt, by its number, and how its request stands."""

    attempt: int
    url: str
    seconds: float
    status: int | None
    error: str
    at: float
    attempts: int
    state: str


class Open(Struct, frozen=True):
    """Requests of a host that are not finished, and until when it asked to be left alone, and why."""

    host: str
    count: int
    until: float | None
    reason: str


class Seen(Struct, frozen=True):
    """What a ledger tells.

    Args:
        slowest: The attempts that took longest, the slowest first.
        failing: Requests whose last attempt failed, and that have not come through since: the latest first.
        stats: The counters as of the last commit, with an example of each kind of error.
        position: The end of the output then.
        hosts: Open requests by host, of the hosts with the most; only where they were asked for.
    """

    slowest: Sequence[Tried] = ()
    failing: Sequence[Tried] = ()
    stats: Stats = field(default_factory=Stats)
    position: Mapping[str, Any] = {}
    hosts: Sequence[Open] = ()


class Trail:
    """Reads on in the ledger each time it is asked. It holds nobody up: a reader of its own, some rows at a time.

    For one thread; a context manager.

    Args:
        folder: The job's.

    Raises:
        FrontierError: It can't be read; so do the methods.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / "frontier.sqlite"
        self.is_complete = False
        """Whether the last look has read all that was there."""
        self._until = 0
        self._slowest: list[tuple[float, int]] = []
        self._failed: dict[int, int] = {}  # by request its last attempt, the latest last
        try:
            uri = f"{self._path.resolve().as_uri()}?mode=ro"
            self._db = sqlite3.connect(uri, uri=True, timeout=_WAIT_SECONDS, isolation_level=None)
        except sqlite3.Error as error:
            raise self._unreadable(error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    def seen(self, *, hosts: bool = False) -> Seen:
        """All that can be told now, once what is new has been read: some thousand rows of it, the rest next time."""
        self.is_complete = any(not self._read_on() for _ in range(_PIECES))
        stats = self._kept("stats", Stats) or Stats()
        open_ = [Open(*row) for row in self._read(_OPEN, _HOSTS)] if hosts else []
        return Seen(self._slow(), self._failing(), stats, self._kept("output", dict[str, Any]) or {}, open_)

    def _kept(self, key: str, kind: type[T]) -> T | None:
        rows = self._read("SELECT value FROM meta WHERE key = ?", key)
        try:
            return msgspec.json.decode(rows[0][0], type=kind, strict=False) if rows else None
        except msgspec.MsgspecError as error:
            raise self._unreadable(error) from error

    def _read_on(self) -> bool:
        """Read the next rows; whether there are more."""
        ((last,),) = self._read(_LAST)
        until = min(last, self._until + _ROWS)
        slow = self._read(_SLOW, self._until, until, _SLOWEST)
        self._slowest = heapq.nlargest(_SLOWEST, [*self._slowest, *slow])
        for attempt, request in self._read(_FAILED, self._until, until, _REMEMBERED):
            self._failed.pop(request, None)
            self._failed[request] = attempt
        for request in [*self._failed][:-_REMEMBERED]:
            del self._failed[request]
        self._until = until
        return bool(until < last)

    def _slow(self) -> list[Tried]:
        return sorted(self._shown(attempt for _, attempt in self._slowest), key=lambda each: -each.seconds)

    def _failing(self) -> list[Tried]:
        shown = [each for each in self._shown(self._failed.values()) if each.state not in {"done", "dropped"}]
        return sorted(shown, key=lambda each: -each.attempt)[:_FAILING]

    def _shown(self, attempts: Iterable[int]) -> Iterator[Tried]:
        rows = self._read(_SHOWN, msgspec.json.encode([*attempts]).decode())
        for number, url, elapsed, status, error, at, tries, state in rows:
            yield Tried(
                number,
                masked(url)[:_LONGEST],
                elapsed,
                status,
                masked(error or "")[:_LONGEST],
                at,
                tries,
                _STATES.get(state, state),
            )

    def _read(self, sql: str, *values: Any) -> list[Any]:
        try:
            return self._db.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise self._unreadable(error) from error

    def _unreadable(self, error: Exception) -> FrontierError:
        return FrontierError(f"{self._path}: the job's state can't be read: {error}")
