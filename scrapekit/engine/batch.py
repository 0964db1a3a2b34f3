"""What becomes final together: the effects of the outcomes since the last commit."""

from __future__ import annotations

from typing import Any, NamedTuple

from scrapekit.engine.host import Queued
from scrapekit.engine.schema import DONE, PENDING
from scrapekit.engine.seen import Seen
from scrapekit.messages import Link, Yielded, request_of
from scrapekit.safe import masked

End = tuple[int, float, int, int | None, str | None, int]
Attempt = tuple[int, float, float, int | None, int, str | None, str | None]


class Row(NamedTuple):
    """A new request, as the frontier's columns."""

    fingerprint: bytes | None
    host: str
    url: str
    callback: str | None
    priority: int
    depth: int
    redirects: int
    parent: int | None
    extra: bytes | None

    def queued(self, number: int) -> Queued:
        """The same for the window, under its number."""
        request = request_of(self.url, self.callback, self.priority, self.extra, self.fingerprint is None)
        return Queued(number, request, self.host, self.depth, redirects=self.redirects)


class Batch:
    """Effects that wait for the next commit. Engine thread only."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []  # items, one JSON object each
        self.routes: list[str] = []  # of the items, where they don't all go to all outputs
        self.keys: list[tuple[bytes]] = []  # of those items that are unique by some of their fields
        self.rejected: list[tuple[int, str]] = []  # (id, record): items that are not written, and of which request
        self.ends: list[End] = []  # what the leases came to: (state, not_before, attempts, status, error, id)
        self.attempts: list[Attempt] = []  # (request, at, elapsed, status, bytes, error, location)
        self.again: list[tuple[bytes | None, int]] = []  # (extra, id) of leases that are tried again as another visitor
        self.crashes: list[tuple[int, int]] = []  # (crashes, id) of leases whose process has died
        self.rows: list[Row] = []  # new requests
        self.found: dict[str, int] = {}  # hosts of leases that go back to pending at once, with the highest priority
        self.pages: dict[str, int] = {}  # that have come, by host
        self.holds: list[tuple[str, float, str]] = []  # (host, not_before, reason)
        self.robots: list[tuple[str, float, int, bytes]] = []  # (origin, fetched, status, body)
        self.cookies: list[tuple[str, str, bytes | None]] = []  # (session, domain, cookies); None where it has none now
        self.scope: list[tuple[str]] = []  # hosts that the start requests opened
        self.meta: dict[str, Any] = {}  # anything else to keep, as JSON
        self.kept: list[Any] = []  # responses and failures that the audience is to see
        self.outcomes = 0
        self.finished = 0  # how many of the ends are final
        self.retries = 0  # and how many are not

    def __bool__(self) -> bool:
        return bool(self.outcomes or self.rows or self.ends or self.meta or self.holds or self.robots)

    def add(self, link: Link, depth: int, parent: int | None, redirects: int = 0) -> None:
        """A new request, found on the page of ``parent``."""
        row = Row(link.fingerprint, link.host, link.url, link.callback, link.priority,
                  depth, redirects, parent, link.extra)  # fmt: skip
        self.rows.append(row)

    def write(self, yielded: Yielded, known: Seen) -> int:
        """The items of a page, but for those whose key is known; their keys are from then on. How many they are."""
        if not yielded.keys:
            self.lines += yielded.items
            self.routes += yielded.routes
            return len(yielded.items)
        before = len(self.lines)
        for place, line in enumerate(yielded.items):
            key = yielded.keys.get(place)
            if key is None or known.add(key):
                self.lines.append(line)
                self.routes += yielded.routes[place : place + 1]
                self.keys += [(key,)] if key else []
        return len(self.lines) - before

    def end(
        self,
        lease_id: int,
        state: int = DONE,
        *,
        status: int | None = None,
        error: str | None = None,
        attempts: int = 0,
    ) -> None:
        """The lease has come to its last state."""
        self.finished += 1
        self.ends.append((state, 0.0, attempts, status, error and masked(error), lease_id))

    def retry(self, lease_id: int, not_before: float, attempts: int, status: int | None, error: str) -> None:
        """The lease goes back to pending, not to be fetched before then."""
        self.retries += 1
        self.ends.append((PENDING, not_before, attempts, status, masked(error), lease_id))

    def give_back(self, lease_id: int, host: str, crashes: int, attempts: int, error: str) -> None:
        """The lease goes back to pending at once: whoever had it has died, now for the ``crashes``-th time."""
        self.ends.append((PENDING, 0.0, attempts, None, error, lease_id))
        self.crashes.append((crashes, lease_id))
        self.found.setdefault(host, 0)
