"""The :class:`Ledger`: what a job has written down of its URLs, read beside the crawl that writes it, or after it."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, Self

import msgspec
from msgspec import Struct

from scrapekit.engine import Stats
from scrapekit.engine.inflight import left_in_flight
from scrapekit.engine.schema import VERSION
from scrapekit.errors import FrontierError, RequestInvalid
from scrapekit.messages import owner_of
from scrapekit.project.rules import Rules
from scrapekit.safe import masked
from scrapekit.web.urls import Address, origin

_WAIT_SECONDS = 5.0  # for a database that is being opened or closed

# A redirect back into its own chain, a POST, a session's, one of several spiders' and a dont_filter have no
# fingerprint, or not their URL's.
_FIND = """SELECT u.id, u.url, u.host, u.state, u.status, u.error, u.attempts, u.depth, u.redirects, u.parent,
    u.callback, u.priority, u.not_before, u.crashes, u.queued, u.finished
    FROM urls u JOIN requests r USING (id) WHERE r.fingerprint = ? OR (r.host = ? AND (r.fingerprint IS NULL
    OR r.extra IS NOT NULL OR r.redirects > 0 OR instr(r.callback, ':')) AND is_of(r.url, r.callback)) ORDER BY r.id"""
_WAY = """WITH RECURSIVE way (id, url, callback, parent, redirects, steps) AS (
    SELECT id, url, callback, parent, redirects, 0 FROM urls WHERE id = ?
    UNION ALL SELECT u.id, u.url, u.callback, u.parent, u.redirects, steps + 1 FROM urls u JOIN way ON u.id = way.parent
    ) SELECT url, callback, redirects FROM way ORDER BY steps"""
_ATTEMPTS = "SELECT at, elapsed, status, bytes, error, location FROM attempts WHERE request = ? ORDER BY id"
_LED_TO = "SELECT url FROM urls WHERE parent = ? AND redirects = ?"
_BEFORE = """SELECT count(*) FROM urls WHERE host = ? AND state = 'pending' AND not_before IS NULL
    AND (priority > ? OR (priority = ? AND id < ?))"""
_KINDS = """SELECT substr(error, 1, instr(error, ':') - 1) AS kind, count(*) FROM urls
    WHERE state IN ('failed', 'quarantined') GROUP BY kind ORDER BY count(*) DESC"""


_SPAN = "SELECT min(finished), max(finished) FROM requests"
_COURSE = """SELECT min(CAST((finished - ?) / ? AS INTEGER), ? - 1) AS bar, sum(state = 'done'),
    sum(state IN ('failed', 'quarantined')) FROM urls WHERE finished IS NOT NULL GROUP BY bar"""
_HOSTS = """SELECT host, count(*), sum(attempts.error IS NOT NULL), sum(bytes), avg(elapsed)
    FROM attempts JOIN requests ON requests.id = request GROUP BY host ORDER BY 2 DESC, host LIMIT ?"""
_SLOWEST = """SELECT url, elapsed, attempts.status, attempts.error FROM attempts JOIN requests ON requests.id = request
    ORDER BY elapsed DESC LIMIT ?"""


class Course(Struct):
    """How a job went on: requests that ended, in bars of equal time.

    Args:
        start: When the first ended, in seconds since the epoch.
        width: Seconds of a bar.
        done: Those that were done, by bar.
        failed: Those that failed for good or were quarantined.
    """

    start: float
    width: float
    done: list[int]
    failed: list[int]


class HostTotal(Struct):
    """One host in the ledger; of successes only where ``crawl.ledger`` is ``full``.

    Args:
        host: Its name.
        attempts: Requests sent.
        failed: Those that failed.
        bytes: Of the decoded bodies.
        seconds: How long one took on average.
    """

    host: str
    attempts: int
    failed: int
    bytes: int
    seconds: float


class Slow(Struct):
    """One attempt that took long; of successes only where ``crawl.ledger`` is ``full``."""

    url: str
    seconds: float
    status: int | None
    error: str | None


class Entry(NamedTuple):
    """One request, as the view ``urls`` has it: see docs/ledger.md."""

    id: int
    url: str
    host: str
    state: str
    status: int | None
    error: str | None
    attempts: int
    depth: int
    redirects: int
    parent: int | None
    callback: str | None
    priority: int
    not_before: float | None
    crashes: int
    queued: float | None
    finished: float | None


class Step(NamedTuple):
    """A request on the way from the start to another one."""

    url: str
    callback: str | None
    redirects: int


class Attempt(NamedTuple):
    """One time that a worker had it, as the table ``attempts`` has it."""

    at: float
    elapsed: float
    status: int | None
    bytes: int
    error: str | None
    location: str | None


class Wait(NamedTuple):
    """What an open request waits for, as far as the job knows.

    Args:
        in_flight: A worker has it, or had it when the process died.
        held_until: Its host asked to be left alone until then; None: it did not.
        reason: Why.
        before: Requests of its host that are handed out before it; None where it is with the engine already.
        robots_missing: The robots.txt that stands before it has not come.
        crawl_delay: Seconds between two requests that its robots.txt asks for.
    """

    in_flight: bool
    held_until: float | None
    reason: str
    before: int | None
    robots_missing: bool
    crawl_delay: float | None


class Story(NamedTuple):
    """All that is known of one request.

    Args:
        entry: The request.
        way: How it was reached: first itself, then the page on which it was found, and so on to a start request.
        tried: Its attempts; of successes only where ``crawl.ledger`` is ``full``.
        led_to: Where it redirected to; None: nowhere, or to what was known.
        wait: Why it waits; None where it has ended.
    """

    entry: Entry
    way: list[Step]
    tried: list[Attempt]
    led_to: str | None
    wait: Wait | None


class Ledger:
    """A job's frontier, read-only: the crawl that writes it is not held up. One thread; a context manager.

    Args:
        folder: The job's.

    Raises:
        FrontierError: There is none, it can't be read, or another version of scrapekit wrote it.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / "frontier.sqlite"
        self._in_flight = folder / "in_flight"
        with self._guarded():
            uri = f"{self._path.resolve().as_uri()}?mode=ro"
            self._db = sqlite3.connect(uri, uri=True, timeout=_WAIT_SECONDS, isolation_level=None)
            try:
                self._meta = dict(self._db.execute("SELECT key, value FROM meta"))
                if self._meta.get("version") != str(VERSION):
                    raise FrontierError(
                        f"{self._path}: the job was written by another version of scrapekit (schema "
                        f"{self._meta.get('version')}, this one reads {VERSION}): look into it with that version"
                    )
            except BaseException:
                self._db.close()
                raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    @property
    def stats(self) -> Stats:
        """The counters, as of the last commit."""
        with self._guarded():
            return msgspec.convert(self._kept("stats", {}), Stats, strict=False)

    @property
    def rules(self) -> dict[str, Rules]:
        """The rules of the job's last run, by spider; of one that was alone, under an empty name."""
        found = {key.partition(":")[2]: key for key in self._meta if key.partition(":")[0] == "rules"}
        with self._guarded():
            rules = {spider: msgspec.convert(self._kept(key, {}), Rules) for spider, key in found.items()}
        return rules or {"": Rules()}

    def counts(self) -> dict[str, int]:
        """Requests by state; states that none is in are not there."""
        return dict(self._read("SELECT state, count(*) FROM urls GROUP BY state"))

    def failures(self) -> dict[str, int]:
        """Requests that failed for good, by kind of error, the commonest first."""
        return dict(self._read(_KINDS))

    def course(self, bars: int) -> Course | None:
        """How it went on, in at most so many bars; None where nothing has ended. Reads the whole table."""
        [(start, end)] = self._read(_SPAN)
        if start is None:
            return None
        width = max((end - start) / bars, 0.1)
        count = min(bars, int((end - start) / width) + 1)
        course = Course(start, width, [0] * count, [0] * count)
        for bar, done, failed in self._read(_COURSE, start, width, count):
            course.done[bar], course.failed[bar] = done, failed
        return course

    def host_totals(self, count: int) -> list[HostTotal]:
        """The hosts with the most attempts. Reads the whole table."""
        return [HostTotal(*row) for row in self._read(_HOSTS, count)]

    def slowest(self, count: int) -> list[Slow]:
        """The attempts that took longest. Reads the whole table."""
        return [Slow(masked(url), *rest) for url, *rest in self._read(_SLOWEST, count)]

    def stories(self, target: Address) -> list[Story]:
        """Each request of this URL, in whatever spelling and with whatever method. Reads the whole table once."""
        rules = self.rules
        identities = {spider: each.identity(target.url) for spider, each in rules.items()}

        def is_of(url: str, callback: str | None) -> bool:
            spider = owner_of(callback)
            try:
                return rules[spider].identity(url) == identities[spider]
            except (RequestInvalid, KeyError):  # another version let it in
                return False

        with self._guarded():
            self._db.create_function("is_of", 2, is_of, deterministic=True)
            self._db.execute("BEGIN")  # one moment of the crawl, for all that is read here
            try:
                return [self._story(Entry(*row)) for row in self._read(_FIND, identities.get(""), target.host)]
            finally:
                self._db.execute("ROLLBACK")

    def against(self, target: Address) -> list[str]:
        """Why the rules of the job keep this URL out, one line each; none where those of one of its spiders don't."""
        hosts, robots = [host for (host,) in self._read("SELECT host FROM scope")], self._robots(target.url)
        why = []
        for spider, rules in self.rules.items():
            mark = f"{spider}:" if spider else ""
            opened = [host.removeprefix(mark) for host in hosts if host.startswith(mark)]
            against = rules.against(target, opened, robots)
            if not against:
                return []
            why += [f"{mark} {reason}".strip() for reason in against]
        return why

    def _story(self, entry: Entry) -> Story:
        way = [Step(*row) for row in self._read(_WAY, entry.id)]
        tried = [Attempt(*row) for row in self._read(_ATTEMPTS, entry.id)]
        led_to = self._read(_LED_TO, entry.id, entry.redirects + 1)
        is_open = entry.state in {"pending", "leased"}
        return Story(entry, way, tried, led_to[0][0] if led_to else None, self._wait(entry) if is_open else None)

    def _wait(self, entry: Entry) -> Wait:
        hold = self._read("SELECT not_before, reason FROM hosts WHERE host = ?", entry.host)
        robots, rules = self._robots(entry.url), self.rules[owner_of(entry.callback)]
        before = None
        if entry.state == "pending" and entry.not_before is None:
            before = self._read(_BEFORE, entry.host, entry.priority, entry.priority, entry.id)[0][0]
        return Wait(
            entry.id in left_in_flight(self._in_flight),
            hold[0][0] if hold else None,
            hold[0][1] if hold else "",
            before,
            rules.obeys_robots and robots is None,
            rules.crawl_delay(robots),
        )

    def _robots(self, url: str) -> tuple[int, bytes] | None:
        rows = self._read("SELECT status, body FROM robots WHERE origin = ?", origin(url))
        return rows[0] if rows else None

    def _kept(self, key: str, default: Any) -> Any:
        value = self._meta.get(key)
        return default if value is None else msgspec.json.decode(value)

    def _read(self, sql: str, *values: Any) -> list[Any]:
        with self._guarded():
            return self._db.execute(sql, values).fetchall()

    @contextlib.contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, msgspec.MsgspecError) as error:
            raise FrontierError(f"{self._path}: the job's state can't be read: {error}") from error
