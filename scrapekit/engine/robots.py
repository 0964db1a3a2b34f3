"""robots.txt for the engine: asked for once an origin, kept in the frontier, answered from memory."""

from __future__ import annotations

from collections import OrderedDict
from heapq import heappop, heappush
from typing import NamedTuple

from scrapekit.engine.frontier import Frontier
from scrapekit.engine.retry import Retry, RetryPolicy
from scrapekit.messages import Failed, Fetched, Lease, Outcome, Redirected, Request, request_of
from scrapekit.web.robots import ALLOW_ALL, DENY_ALL, RobotsRules, parse, rules_for_status
from scrapekit.web.urls import host_of, origin

MAX_REDIRECTS = 5  # RFC 9309, 2.3.1.2
UNREACHABLE_TTL = 600.0  # seconds for which an origin whose robots.txt can't be had is left alone
_MOST_ORIGINS = 16_384


class Unreachable(NamedTuple):
    """There was no answer at all, so there is none to be expected for the pages: they fail for the same reason."""

    error: str
    message: str


class Ask(NamedTuple):
    """A robots.txt under way.

    Args:
        origin: Whose rules it will be.
        host: The host that is parked until then.
        request: The next request: robots.txt itself, or where it redirects to.
        attempt: How many attempts have failed.
        redirects: How many redirects were followed.
    """

    origin: str
    host: str
    request: Request
    attempt: int = 0
    redirects: int = 0


class Answer(NamedTuple):
    """The rules are known, so the host may go on.

    Args:
        host: The parked host.
        delay: Its Crawl-delay in seconds; None where it asks for none.
        row: What to keep in the frontier: (origin, fetched, status, body); None where there is nothing to keep.
    """

    host: str
    delay: float | None
    row: tuple[str, float, int, bytes] | None


class Robots:
    """Which URLs the origins' robots.txt allow (RFC 9309). Engine thread only.

    Args:
        frontier: Where they are kept over restarts.
        retry: When one that failed is asked for again.
        user_agent: The User-Agent header; its product token is what robots.txt knows us by.
        max_delay: Seconds; a longer Crawl-delay is taken for this.
        ttl: Seconds for which a robots.txt is good.
    """

    def __init__(
        self, frontier: Frontier, retry: RetryPolicy, *, user_agent: str, max_delay: float = 30.0, ttl: float = 86400.0
    ) -> None:
        self._frontier = frontier
        self._retry = retry
        self._user_agent = user_agent
        self._max_delay = max_delay
        self._ttl = ttl
        self._known: OrderedDict[str, tuple[RobotsRules | Unreachable, float]] = OrderedDict()
        self._unused: set[str] = set()  # good for one request however old, or a host slower than the ttl gets none
        self._later: list[tuple[float, int, Ask]] = []
        self._asks: dict[int, Ask] = {}
        self._last_id = 0

    def rules(self, url: str, now: float) -> RobotsRules | Unreachable | None:
        """The rules of the URL's origin; None: :meth:`ask` for them."""
        site = origin(url)
        known = self._known.get(site)
        if known is not None and (known[1] > now or site in self._unused):
            self._unused.discard(site)
            return known[0]
        kept = self._frontier.robots(site)
        if kept is None or kept[0] + self._ttl <= now:
            return None
        fetched, status, body = kept
        rules = self._learn(site, self._read(status, body), fetched + self._ttl)
        self._unused.discard(site)
        return rules

    def ask(self, request: Request, host: str) -> Ask:
        """A new ask for the robots.txt of the request's origin, by the same proxy."""
        site = origin(request.url)
        return Ask(site, host, Request(f"{site}/robots.txt", proxy=request.proxy))

    def lease(self, ask: Ask, maxsize: int) -> Lease:
        """The ask as a worker gets it. Its id is negative, for it is not in the frontier."""
        self._last_id -= 1
        self._asks[self._last_id] = ask
        host = host_of(ask.request.url)
        return Lease(self._last_id, ask.request, host, attempt=ask.attempt, redirects=ask.redirects, maxsize=maxsize)

    def answer(self, outcome: Outcome, now: float) -> Answer | None:
        """What an outcome says; None where robots.txt is to be asked for again (see :meth:`due`)."""
        ask = self._asks.pop(outcome.id)
        if isinstance(outcome, Redirected) and ask.redirects < MAX_REDIRECTS:
            link = outcome.link
            request = request_of(link.url, None, 0, link.extra, dont_filter=True)
            self.postpone(ask._replace(request=request, redirects=ask.redirects + 1), now)
            return None
        if isinstance(outcome, Failed) and rules_for_status(outcome.status or None) is not ALLOW_ALL:
            verdict = self._retry.decide(outcome, ask.attempt + 1, now)
            if isinstance(verdict, Retry):
                self.postpone(ask._replace(attempt=ask.attempt + 1), now + verdict.wait)
                return None
            old = self._frontier.robots(ask.origin)
            rules: RobotsRules | Unreachable
            if old is not None:  # out of date, and better than nothing (RFC 9309, 2.4)
                rules = self._read(*old[1:])
            else:
                rules = DENY_ALL if outcome.status else Unreachable(outcome.error, f"robots.txt: {outcome.message}")
            self._learn(ask.origin, rules, now + UNREACHABLE_TTL)
            return Answer(ask.host, None, None)
        body = outcome.page.body if isinstance(outcome, Fetched) and outcome.page else b""
        known = self._read(outcome.status, body)
        self._learn(ask.origin, known, now + self._ttl)
        return Answer(ask.host, known.delay, (ask.origin, now, outcome.status, body))

    def postpone(self, ask: Ask, until: float) -> None:
        """Ask then."""
        self._last_id -= 1
        heappush(self._later, (until, self._last_id, ask))

    def due(self, now: float) -> Ask | None:
        """An ask whose time has come."""
        return heappop(self._later)[2] if self._later and self._later[0][0] <= now else None

    def next_due(self) -> float | None:
        """When the next postponed ask is due."""
        return self._later[0][0] if self._later else None

    def _read(self, status: int, body: bytes) -> RobotsRules:
        return rules_for_status(status) or parse(body, self._user_agent, self._max_delay)

    def _learn(self, site: str, rules: RobotsRules | Unreachable, until: float) -> RobotsRules | Unreachable:
        self._known[site] = (rules, until)
        self._unused.add(site)
        if len(self._known) > _MOST_ORIGINS:
            self._unused.discard(self._known.popitem(last=False)[0])
        return rules
