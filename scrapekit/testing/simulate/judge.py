"""The :class:`Judge`: watches a crawl from outside and says what it did that it must not do."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any

from scrapekit.messages import Failed, Lease, Lost, Outcome
from scrapekit.testing.simulate.expect import Expected
from scrapekit.testing.simulate.world import CALLBACK_TIMEOUT, RETRIED, SHARED, TIMES, World
from scrapekit.web.urls import address

# An errback that was cut off by a crash is another attempt with its page, so that there may be one more than counted.
_LEDGER = """WITH tried AS (
    SELECT u.id, u.url, u.state, u.attempts, coalesce(u.error, '') AS error,
        CAST(extra AS TEXT) LIKE '%errback%' AS errback,
        u.queued IS NULL OR u.finished IS NULL OR u.finished < u.queued AS undated,
        coalesce(sum(a.error LIKE 'Lost: %'), 0) AS lost,
        coalesce(sum(a.error LIKE 'Quarantined: %'), 0) AS hung,
        coalesce(sum(a.error NOT LIKE 'Lost: %' AND a.error NOT LIKE 'Quarantined: %'), 0) AS failed,
        coalesce(sum(a.id IS NOT NULL AND a.error IS NULL AND a.location IS NULL), 0) AS fetched,
        coalesce(sum(a.location IS NOT NULL), 0) AS redirected
    FROM urls u JOIN requests USING (id) LEFT JOIN attempts a ON a.request = u.id GROUP BY u.id
), judged AS (
    SELECT *, attempts - (error LIKE 'TooManyRedirects%' OR error LIKE '%robots.txt%' AND state = 'failed') AS counted
    FROM tried
) SELECT url, state, CASE
    WHEN undated THEN 'without the times at which it came and ended'
    WHEN state = 'done' AND fetched + redirected <> 1 THEN 'with ' || (fetched + redirected) || ' good attempts'
    WHEN state <> 'done' AND fetched > 0 THEN 'with a page that was fetched'
    WHEN state = 'quarantined' AND lost < ? AND NOT hung AND NOT errback THEN 'with ' || lost || ' crashes'
    WHEN failed < counted OR (failed > counted AND NOT errback) THEN counted || ' attempts failed, and ' || failed
        || ' are written down'
    END AS why FROM judged WHERE why IS NOT NULL"""
_COUNTED = """SELECT key, value FROM json_each((SELECT value FROM meta WHERE key = 'stats'))
    WHERE key IN ('pages', 'failed', 'quarantined', 'queued', 'items')"""
_THERE = """SELECT iif(state = 'done', 'pages', state), count(*) FROM urls
    WHERE state IN ('failed', 'quarantined') OR state = 'done' AND status NOT BETWEEN 300 AND 399 GROUP BY 1
    UNION ALL SELECT 'queued', count(*) FROM urls"""
_BIT = 1e-6  # seconds, for sums of floats


class Violation(AssertionError):  # noqa: N818  (what it is; nobody catches it as an error)
    """An invariant does not hold.

    Args:
        kind: Which one, in a word.
        message: Where and when.
    """

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(f"{kind}: {message}")
        self.kind = kind


class Judge:
    """Sees each submission and outcome of all runs of one world. One thread.

    Args:
        world: What is crawled.
        expected: What must come of it.
    """

    def __init__(self, world: World, expected: Expected) -> None:
        self._world = world
        self._expected = expected
        self._hosts = {host.name: host for host in world.hosts}
        self._numbers = {address(node.url).fingerprint: number for number, node in enumerate(world.nodes)}
        self._kept_holds: dict[str, float] = {}
        self._busy: dict[str, float] = defaultdict(float)  # seconds that workers spent on a host
        self._asked: Counter[str] = Counter()  # how often it was asked
        self.trace: list[str] = []
        """What happened, one line each."""
        self.born(0.0)

    def born(self, now: float) -> None:
        """A process begins: of what the one before it knew, it knows what was committed."""
        self._since = now
        self._open: Counter[str] = Counter()
        self._sent: dict[int, float] = {}
        self._out: dict[int, Lease] = {}
        self._last_start: dict[str, float] = {}
        self._delays: dict[str, float] = {}
        self._holds = dict(self._kept_holds)

    def committed(self) -> None:
        """All that was delivered so far is final."""
        self._kept_holds = dict(self._holds)

    def submitted(self, lease: Lease, now: float) -> None:
        """A worker gets a lease.

        Raises:
            Violation: It may not be fetched, or not now.
        """
        self.note(now, f"submit {lease.id} {lease.request.url}{' (errback)' if lease.failure else ''}")
        if lease.id in self._out:
            raise Violation("twice at once", f"{lease.request.url} is out twice at once")
        self._out[lease.id] = lease
        self._sent[lease.id] = now
        if lease.failure is not None:
            return
        name = lease.host
        host = self._hosts.get(name)
        if host is None:
            raise Violation("scope", f"{lease.request.url} is outside the scope")
        number = self.number(lease.request.url)
        if lease.id > 0 and number is not None and "dropped" in self._expected.states.get(number, ()):
            node = self._world.nodes[number]
            if node.redirect is None:
                raise Violation("robots", f"{lease.request.url} is forbidden by robots.txt")
        self._open[name] += 1
        if self._open[name] > host.maxsize:
            raise Violation("maxsize", f"{self._open[name]} requests of {name} in flight, maxsize is {host.maxsize}")
        delay = max(host.delay, self._delays.get(name, 0.0))
        if now < self._last_start.get(name, -1e9) + delay - _BIT:
            raise Violation(
                "delay", f"{name} was asked {now - self._last_start[name]:.3f} s after the last time, not {delay}"
            )
        self._last_start[name] = now
        if now < self._holds.get(name, 0.0) - _BIT:
            raise Violation("Retry-After", f"{name} was asked {self._holds[name] - now:.3f} s before its Retry-After")

    def delivered(self, post: Outcome | Lost, now: float) -> None:
        """The engine takes what has become of a lease."""
        ids = post.ids if isinstance(post, Lost) else [post.id]
        for lease_id in ids:
            lease = self._out.pop(lease_id)
            self._busy[lease.host] += now - self._sent[lease_id]
            if lease.failure is None:
                self._open[lease.host] -= 1
                self._asked[lease.host] += 1
        if isinstance(post, Lost):
            self.note(now, f"lost {ids}")
            return
        said = f" {post.error}: {post.message}" if isinstance(post, Failed) else ""
        self.note(now, f"{type(post).__name__} {post.id} {post.status or ''}{said}")
        if lease.failure is not None:
            return
        if post.status in (429, 503) and post.retry_after:
            until = now + float(post.retry_after)
            self._holds[lease.host] = max(self._holds.get(lease.host, 0.0), until)
        host = self._hosts[lease.host]
        if lease.id < 0 and post.status == 200 and host.robots == "delay":
            self._delays[lease.host] = 0.5

    def may_start(self, name: str, now: float) -> bool:
        """Whether nothing but the engine keeps a host from being asked now."""
        host = self._hosts[name]
        delay = max(host.delay, self._delays.get(name, 0.0)) * 2  # with the longest jitter
        return (
            self._open[name] < host.maxsize
            and now >= self._last_start.get(name, 0.0) + delay
            and now >= self._holds.get(name, 0.0)
        )

    def finished(self, lines: Iterable[bytes], frontier: sqlite3.Connection) -> None:
        """The last run says that nothing is left.

        Raises:
            Violation: Something is missing, doubled, torn, or not accounted for.
        """
        found: Counter[tuple[int, str]] = Counter()
        for line in lines:
            try:
                item = json.loads(line)
            except ValueError:
                raise Violation("torn", f"a torn line in the output: {line[:80]!r}") from None
            found[item["page"], item["what"]] += 1
        for what, count in (found | self._expected.items).items():
            wanted = self._expected.items[what]
            if found[what] != wanted:
                url = "several pages" if what[0] == SHARED else self._world.nodes[what[0]].url
                wrong = "doubled" if found[what] > max(1, wanted) else "missing" if count == wanted else "unexpected"
                raise Violation("items", f"item {what[1]} of {url} is {wrong}: {found[what]} times, not {wanted}")
        states = self._states(frontier)
        if found_open := [number for number, state in states if state in ("pending", "leased")]:
            raise Violation("open", f"finished, though {self._world.nodes[found_open[0]].url} is still open")
        for number, state in states:
            allowed, url = self._expected.states.get(number), self._world.nodes[number].url
            if allowed is None:
                raise Violation(
                    "unreachable", f"{self._world.nodes[number].url} is in the frontier, though nothing leads to it"
                )
            if state not in allowed:
                raise Violation(
                    "state", f"{self._world.nodes[number].url} ended as {state}, not as {' or '.join(allowed)}"
                )
        seen = {number for number, _ in states}
        if lost := self._expected.states.keys() - seen:
            raise Violation("lost", f"{self._world.nodes[min(lost)].url} is not in the frontier")
        self._ledger(frontier)
        self._counters(frontier, found.total())

    def _counters(self, frontier: sqlite3.Connection, items: int) -> None:
        """What the report says must add up to what is there, over all runs.

        Raises:
            Violation: It does not.
        """
        counted = dict(frontier.execute(_COUNTED).fetchall())
        there = dict(frontier.execute(_THERE).fetchall()) | {"items": items}
        for name, count in counted.items():
            if count != there.get(name, 0):
                raise Violation("counters", f"{count} {name} are counted, and {there.get(name, 0)} are there")

    def _ledger(self, frontier: sqlite3.Connection) -> None:
        """What is written down of each request's attempts must add up to what became of it.

        Raises:
            Violation: It does not.
        """
        rows = frontier.execute(_LEDGER, (self._world.quarantine_after,)).fetchall()
        for url, state, why in rows:
            raise Violation("ledger", f"{url} is {state}, {why}")

    def in_time(self, seconds: float) -> None:
        """An undisturbed crawl took so long.

        Raises:
            Violation: That is longer than a schedule can need in which nothing waits without a reason: the bound of
                list scheduling (Graham, 1966), with each host's limit as a machine of its own.
        """
        world = self._world
        bound = sum(self._busy.values()) / world.workers + 2.0
        for host in world.hosts:
            delay = 1.5 * max(host.delay, 0.5 if host.robots == "delay" else 0.0)
            bound += self._busy[host.name] / host.maxsize + self._asked[host.name] * delay
            bound += 30.0 if host.robots_failures or host.robots in ("down", "unreachable") else 1.0
        for node in world.nodes:
            bound += node.late
            if node.hangs:
                bound += CALLBACK_TIMEOUT + 1.0
            if node.failures and node.failure in RETRIED:
                bound += sum(max(node.retry_after, 2.0**attempt) + 0.1 for attempt in range(TIMES))
        bound += (len(self._expected.states) + 1) * 0.06 + self._expected.levels * (world.latency[1] + 0.1)
        if seconds > bound:
            raise Violation("time", f"the crawl took {seconds:.1f} s, where {bound:.1f} s are enough")

    def number(self, url: str) -> int | None:
        """Which node a URL is, in whatever spelling."""
        return self._numbers.get(address(url).fingerprint)

    def note(self, now: float, what: str) -> None:
        """Add a line to the trace."""
        self.trace.append(f"{now - 1_000_000_000:10.3f}  {what}")

    def _states(self, frontier: sqlite3.Connection) -> list[tuple[int, str]]:
        rows: list[tuple[str, Any]] = frontier.execute("SELECT url, state FROM urls").fetchall()
        numbered = [(self.number(url), state) for url, state in rows]
        return [(number, state) for number, state in numbered if number is not None]
