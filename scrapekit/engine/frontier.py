"""The frontier: every request that was ever found, and what became of it, in SQLite."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import blake2b
from operator import itemgetter
from typing import Any, Literal

import msgspec

from scrapekit.engine.batch import Batch, Row
from scrapekit.engine.host import Queued
from scrapekit.engine.rows import Rows
from scrapekit.engine.schema import DONE, FAILED, LEASED, PENDING, QUARANTINED, SCHEMA, STATES, VERSION
from scrapekit.engine.seen import Seen
from scrapekit.errors import FrontierError
from scrapekit.messages import request_of
from scrapekit.safe import masked

Admit = Callable[[int, Row], bool]
Durability = Literal["process", "power"]

_COLUMNS = """id, fingerprint IS NULL, host, url, callback, priority, depth, redirects, CAST(extra AS TEXT), attempts,
    crashes"""

_END = Rows(
    "UPDATE requests SET finished = column1, state = column2, not_before = column3, attempts = column4, "
    "status = column5, error = column6 FROM (VALUES",
    7,
    f") WHERE id = column7 AND requests.state = {LEASED}",
)
_ADD = Rows(
    "INSERT INTO requests "
    "(id, state, queued, fingerprint, host, url, callback, priority, depth, redirects, parent, extra) VALUES",
    12,
)
_WRITTEN = """INSERT INTO written (at, position, lines, digest, items_of, keys)
    SELECT ?, ?, ?, ?, json_extract(?, '$.items_of'), coalesce(max(rowid), 0) FROM item_keys"""
_TRIED = Rows("INSERT INTO attempts (request, at, elapsed, status, bytes, error, location) VALUES", 7)
_KEYS = Rows("INSERT INTO item_keys VALUES", 1)
_META = Rows("INSERT OR REPLACE INTO meta VALUES", 2)
# All in one row: fetching many would take as many steps, see rows.py.
_decode_ready = msgspec.json.Decoder(
    list[tuple[int, int, str, str, str | None, int, int, int, str | None, int, int]]
).decode
_READY = f"""SELECT json_group_array(json_array({_COLUMNS})) FROM (
    SELECT * FROM requests WHERE state = {PENDING} AND not_before = 0 AND host = ? ORDER BY priority DESC, id LIMIT ?
    )"""
_LEASE = f"UPDATE requests SET state = {LEASED} WHERE id IN (SELECT json_extract(value, '$[0]') FROM json_each(?))"
_PROMOTE = f"""UPDATE requests SET not_before = 0
    WHERE state = {PENDING} AND not_before > 0 AND not_before <= ? RETURNING host, priority"""
_HOLD = """INSERT INTO hosts VALUES (?, ?, ?) ON CONFLICT (host)
    DO UPDATE SET not_before = excluded.not_before, reason = excluded.reason WHERE excluded.not_before > not_before"""
_NEXT_HOST = f"""SELECT host FROM requests
    WHERE state = {PENDING} AND not_before = 0 AND host > ? ORDER BY host LIMIT 1"""

_PAGES = f"""SELECT host, count(*) FROM requests
    WHERE state = {DONE} AND status NOT BETWEEN 300 AND 399 GROUP BY host"""
_SHARES = f"""SELECT substr(callback, 1, instr(callback, ':') - 1), count(*) FILTER (WHERE state = {DONE}),
    count(*) FILTER (WHERE state <> {DONE}), max(error) FILTER (WHERE state <> {DONE}) FROM requests
    WHERE state IN ({FAILED}, {QUARANTINED}) OR (state = {DONE} AND status NOT BETWEEN 300 AND 399) GROUP BY 1"""
_KIND = "substr(error, 1, instr(error, ':') - 1)"
_FAILURES = f"""SELECT {_KIND}, status, count(*) FROM requests WHERE state IN ({FAILED}, {QUARANTINED}) GROUP BY 1, 2"""
_REQUEUE = f"""UPDATE requests SET state = {PENDING}, not_before = 0, attempts = 0, crashes = 0, finished = NULL
    WHERE state IN ({FAILED}, {QUARANTINED}) AND {_KIND} = ? AND status IS ?"""
_KNOWN = "SELECT fingerprint FROM requests WHERE fingerprint IS NOT NULL"
_CALLBACKS = f"""SELECT callback, count(*) FROM requests
    WHERE state <= {LEASED} AND callback IS NOT NULL GROUP BY callback"""
_CHAIN = """WITH RECURSIVE chain (fingerprint, parent, redirects) AS (
    SELECT fingerprint, parent, redirects FROM requests WHERE id = ?
    UNION ALL SELECT r.fingerprint, r.parent, r.redirects FROM requests r JOIN chain ON r.id = chain.parent
    WHERE chain.redirects > 0
    ) SELECT fingerprint FROM chain"""


class Frontier:
    """The durable queue and dupe filter of one job. One connection, one writer: engine thread only.

    Args:
        path: The database; an empty one for a crawl that nobody will resume, whose database is temporary.
        durability: ``process`` survives the death of the process, ``power`` that of the machine.
        connect: Opens the database.

    Raises:
        FrontierError: It can't be opened, read or written, or is from another version.
    """

    def __init__(
        self,
        path: str,
        durability: Durability = "process",
        *,
        connect: Callable[..., sqlite3.Connection] = sqlite3.connect,
    ) -> None:
        self._path = path
        with self._guarded():
            self._db = connect(path, isolation_level=None, cached_statements=64, check_same_thread=False)
            try:
                self._db.executescript(
                    "PRAGMA journal_mode = WAL; PRAGMA cache_size = -32768; PRAGMA temp_store = MEMORY;"
                    f"PRAGMA synchronous = {'FULL' if durability == 'power' else 'NORMAL'};"
                )
                if not self._db.execute("SELECT 1 FROM sqlite_master WHERE name = 'meta'").fetchone():
                    self._db.executescript(f"BEGIN; {SCHEMA} COMMIT;")
                self._meta = dict(self._db.execute("SELECT key, value FROM meta"))
                if self._meta.get("version") != str(VERSION):
                    raise FrontierError(
                        f"{path}: the job was written by another version of scrapekit "
                        f"(schema {self._meta.get('version')}, this one reads {VERSION}): finish it with that version"
                    )
                self._newest: int = self._db.execute("SELECT max(id) FROM requests").fetchone()[0] or 0
                self.seen = Seen(map(itemgetter(0), self._db.execute(_KNOWN)), self._newest)
                """The fingerprints of all requests, and of those that the next commit will add."""
                self.item_keys = Seen(map(itemgetter(0), self._db.execute("SELECT key FROM item_keys")))
                """The same for the keys of items."""
            except BaseException:
                self._db.close()
                raise

    def recover(self, in_flight: Iterable[int], now: float, max_wait: float, quarantine_after: int) -> list[str]:
        """Take up a job that was left: all leases go back to pending at once.

        Args:
            in_flight: Ids of the requests that workers had when the process died: each is charged with a crash.
            now: The clock's time.
            max_wait: Seconds; what waits longer than that, because the clock was wrong once, waits so long.
            quarantine_after: A request with that many crashes is not tried again.

        Returns:
            The URLs that are quarantined now, to be shown.
        """
        with self._guarded(), self._transaction():
            self._db.executemany(
                "UPDATE requests SET crashes = crashes + 1 WHERE id = ? AND state <= ?",
                [(number, LEASED) for number in in_flight],
            )
            self._db.executemany(
                "INSERT INTO attempts (request, at, elapsed, bytes, error) "
                "SELECT id, ?, 0, 0, 'Lost: the process died' FROM requests WHERE id = ? AND state <= ?",
                [(now, number, LEASED) for number in in_flight],
            )
            gone = self._db.execute(
                "UPDATE requests SET state = ?, finished = ?, error = 'Quarantined: the process died ' || crashes || "
                "' times while it was in flight' WHERE crashes >= ? AND state <= ? RETURNING url",
                (QUARANTINED, now, quarantine_after, LEASED),
            ).fetchall()
            # With the rows: a death right now would lose the count.
            n = self.get("stats", {}).get("quarantined", 0) + len(gone)
            self._db.execute("UPDATE meta SET value = json_set(value, '$.quarantined', ?) WHERE key = 'stats'", (n,))
            self._db.execute("UPDATE requests SET state = ? WHERE state = ?", (PENDING, LEASED))
            latest = (now + max_wait,) * 2
            self._db.execute(f"UPDATE requests SET not_before = ? WHERE state = {PENDING} AND not_before > ?", latest)
            self._db.execute("UPDATE hosts SET not_before = ? WHERE not_before > ?", latest)
            self._db.execute("UPDATE robots SET fetched = ? WHERE fetched > ?", (now, now))
        return [masked(url) for (url,) in gone]

    def get(self, key: str, default: Any = None) -> Any:
        """What :attr:`Batch.meta` last stored under ``key``."""
        value = self._meta.get(key)
        return default if value is None else msgspec.json.decode(value)

    @contextlib.contextmanager
    def commit(self, batch: Batch, admit: Admit | None = None, now: float | None = None) -> Iterator[None]:
        """Make ``batch`` final, with what the body of the ``with`` adds: leases, promotions. All of it or nothing.

        Its requests are new: whoever put them there has asked :attr:`seen`, and told it.

        Args:
            batch: What to make final.
            admit: Asked for each new request, by its number and row, whether it is leased at once; None: none is.
            now: The clock's time, which is written down as that at which requests came and ended.
        """
        try:
            with self._guarded(), self._transaction():
                encoded = self._write(batch, admit, now)
                yield
        except BaseException:
            for fingerprint, *_ in batch.rows:
                if fingerprint is not None:
                    self.seen.discard(fingerprint)
            raise
        self._newest += len(batch.rows)
        self._meta |= encoded

    def lease(self, host: str, count: int) -> list[Queued]:
        """Up to ``count`` pending requests of a host, highest priority first, now leased. Inside :meth:`commit`."""
        (found,) = self._db.execute(_READY, (host, count)).fetchone()
        rows = _decode_ready(found)
        if rows:
            self._db.execute(_LEASE, (found,))
        return [
            Queued(
                number,
                request_of(url, callback, priority, extra, bool(dont_filter)),
                host,
                depth,
                attempts,
                redirects,
                crashes,
            )
            for number, dont_filter, host, url, callback, priority, depth, redirects, extra, attempts, crashes in rows
        ]

    def give_back(self, ids: Sequence[int]) -> None:
        """These leases are pending again: nobody has begun with them. Inside :meth:`commit`."""
        if ids:
            self._db.executemany(f"UPDATE requests SET state = {PENDING} WHERE id = ?", [(number,) for number in ids])

    def promote(self, now: float) -> dict[str, int]:
        """Retries whose time has come are pending like any other: their hosts and priorities. Inside :meth:`commit`."""
        found: dict[str, int] = {}
        for host, priority in self._db.execute(_PROMOTE, (now,)).fetchall():
            found[host] = max(priority, found.get(host, priority))
        return found

    def next_retry(self) -> float | None:
        """When the next retry is due; None when none waits."""
        row = self._read(f"SELECT min(not_before) FROM requests WHERE state = {PENDING} AND not_before > 0")
        return row[0][0]  # type: ignore[no-any-return]

    def hosts_after(self, name: str, count: int) -> list[str]:
        """Up to ``count`` hosts with requests that are due, in the order of their names, after ``name``."""
        hosts: list[str] = []
        while len(hosts) < count and (row := self._read(_NEXT_HOST, name)):
            name = row[0][0]
            hosts.append(name)
        return hosts

    def holds(self, now: float) -> list[tuple[str, float, str]]:
        """Hosts that are to be left alone for some time yet: (host, until, reason)."""
        return self._read("SELECT host, not_before, reason FROM hosts WHERE not_before > ?", now)

    def robots(self, origin: str) -> tuple[float, int, bytes] | None:
        """The robots.txt of an origin: (fetched, status, body)."""
        rows = self._read("SELECT fetched, status, body FROM robots WHERE origin = ?", origin)
        return rows[0] if rows else None

    def cookies(self) -> list[tuple[str, bytes]]:
        """All cookies as they were saved: a session, and those of one domain."""
        return self._read("SELECT session, cookies FROM cookies")

    def redirect_chain(self, number: int) -> set[bytes]:
        """The fingerprints of a request and of those whose redirects led to it."""
        rows = self._read(_CHAIN, number)
        return {found for (found,) in rows if found is not None}

    def pages_by_host(self) -> dict[str, int]:
        """How many pages each host has given: redirects are none. Reads the whole table."""
        return dict(self._read(_PAGES))

    def shares(self) -> dict[str, tuple[int, int, str | None]]:
        """Of each of several spiders: pages, failures, and one of their errors. Reads the whole table."""
        return {spider: (pages, failed, error) for spider, pages, failed, error in self._read(_SHARES)}

    def callbacks(self) -> dict[str, int]:
        """The names of the callbacks that unfinished requests have, with how many have them."""
        return dict(self._read(_CALLBACKS))

    def rejected(self) -> Iterator[str]:
        """The records of all items that were rejected, in the order in which they came."""
        with self._guarded():
            yield from (record for (record,) in self._db.execute("SELECT record FROM rejected ORDER BY rowid"))

    def failures(self) -> list[tuple[str, int | None, int]]:
        """What has failed for good or is quarantined: (kind, status, how many). Reads the whole table."""
        return self._read(_FAILURES)

    def quarantined(self) -> list[str]:
        """The URLs of what is quarantined, over all runs. Reads the whole table."""
        return [masked(url) for (url,) in self._read("SELECT url FROM requests WHERE state = ?", QUARANTINED)]

    def requeue(self, kind: str, status: int | None) -> None:
        """Such requests are pending again, as if they were never tried. Inside :meth:`commit`."""
        self._db.execute(_REQUEUE, (kind, status))

    def scope(self) -> list[str]:
        """The hosts that the start requests opened."""
        return [host for (host,) in self._read("SELECT host FROM scope")]

    def counts(self) -> dict[str, int]:
        """Requests by state."""
        found = dict(self._read("SELECT state, count(*) FROM requests GROUP BY state"))
        return {name: found.get(number, 0) for number, name in enumerate(STATES)}

    def release(self) -> None:
        """Give back what is leased: nobody will work on it now."""
        with self._guarded(), self._transaction():
            self._db.execute("UPDATE requests SET state = ? WHERE state = ?", (PENDING, LEASED))

    def close(self) -> None:
        """Close the database; idempotent."""
        self._db.close()

    def _write(self, batch: Batch, admit: Admit | None, now: float | None) -> dict[str, str]:
        """All that a batch says, but for its lines; what it says for ``meta``, as JSON."""
        db = self._db
        ends = [(now if end[0] > LEASED else None, *end) for end in batch.ends]
        if ends and _END.run(db, ends) != len(ends):
            raise FrontierError(f"{self._path}: leased requests were changed by someone else: is it open elsewhere?")
        if batch.rows:
            rows = enumerate(batch.rows, self._newest + 1)
            _ADD.run(db, [(n, LEASED if admit and admit(n, row) else PENDING, now, *row) for n, row in rows])
        if batch.attempts:
            _TRIED.run(db, batch.attempts)
        if batch.keys:
            _KEYS.run(db, batch.keys)
        if batch.rejected:
            db.executemany("INSERT INTO rejected VALUES (?, ?)", batch.rejected)
        if batch.again:
            db.executemany("UPDATE requests SET extra = ? WHERE id = ?", batch.again)
        if batch.crashes:
            db.executemany("UPDATE requests SET crashes = ? WHERE id = ?", batch.crashes)
        if batch.holds:
            db.executemany(_HOLD, batch.holds)
        if batch.robots:
            db.executemany("INSERT OR REPLACE INTO robots VALUES (?, ?, ?, ?)", batch.robots)
        for session, domain, cookies in batch.cookies:
            if cookies is None:
                db.execute("DELETE FROM cookies WHERE session = ? AND domain = ?", (session, domain))
            else:
                db.execute("INSERT OR REPLACE INTO cookies VALUES (?, ?, ?)", (session, domain, cookies))
        if batch.scope:
            db.executemany("INSERT OR IGNORE INTO scope VALUES (?)", batch.scope)
        encoded = {key: msgspec.json.encode(value).decode() for key, value in batch.meta.items()}
        if encoded:
            _META.run(db, list(encoded.items()))
        if "output" in encoded:
            digest = blake2b(b"\n".join(batch.lines), digest_size=16).digest()
            db.execute(_WRITTEN, (now, encoded["output"], len(batch.lines), digest, encoded.get("stats")))
        return encoded

    def _read(self, sql: str, *values: Any) -> list[Any]:
        with self._guarded():
            return self._db.execute(sql, values).fetchall()

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    @contextlib.contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise FrontierError(f"{self._path}: the crawl's state can't be used: {error}") from error
