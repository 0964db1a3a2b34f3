"""Which proxy each request goes through, and which of them rest."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from scrapekit.errors import Banned, ConnectError, ProxyError
from scrapekit.messages import Failed, Outcome, Request
from scrapekit.safe import without_userinfo
from scrapekit.web.urls import host_of

FIRST_REST = 10.0  # seconds; longer than most retries wait, so that a retry gets another proxy
LONGEST_REST = 600.0
_AT_FAULT = frozenset({ProxyError.__name__, Banned.__name__})
UNREACHED_HOSTS = 3  # that many in a row, and it is not their fault


class _Rest(NamedTuple):
    """What is known of a proxy that has failed.

    Args:
        until: When it may be used again.
        since: When it failed last: what was sent before that says nothing new.
        seconds: How long it rests.
    """

    until: float
    since: float
    seconds: float


class Proxies:
    """The proxies of ``http.proxies`` in turn. One that fails rests, twice as long each time, until it has served.

    Where all of a scheme rest, the one whose rest ends first is used: a crawl with one proxy goes on asking it, at the
    pace of the retries. Engine thread only, so it holds over all workers, processes and nodes.

    Args:
        by_scheme: The URLs for ``http`` and ``https`` targets.
    """

    def __init__(self, by_scheme: Mapping[str, Iterable[str]]) -> None:
        self._turns = {scheme: deque(urls) for scheme, urls in by_scheme.items() if urls}
        self._known = {without_userinfo(url).rstrip("/"): url for urls in self._turns.values() for url in urls}
        self._listed = frozenset(self._known.values())
        self._rests: dict[str, _Rest] = {}
        self._unreached: dict[str, set[str]] = {}  # the hosts that a proxy did not reach since it has served

    def choose(self, request: Request, now: float) -> str | None:
        """The proxy for a request; None for none.

        The request's own goes first, an empty one means none. It gets user and password of the same proxy in
        ``http.proxies`` where it has none, so that they need not be stored with the request.
        """
        if request.proxy is not None:
            return self._known.get(request.proxy.rstrip("/"), request.proxy) or None
        turn = self._turns.get(request.url.partition(":")[0])
        if turn is None:
            return None
        for _ in range(len(turn)):
            url = turn[0]
            turn.rotate(-1)
            rest = self._rests.get(url)
            if rest is None or rest.until <= now:
                return url
        return min(turn, key=lambda url: self._rests[url].until)

    def learn(self, url: str, outcome: Outcome, sent_at: float, now: float) -> None:
        """What came of a request that was sent through this proxy at ``sent_at``."""
        rest = self._rests.get(url)
        if url not in self._listed or (rest is not None and sent_at < rest.since):
            return
        if isinstance(outcome, Failed) and self._fails(url, outcome):
            self._unreached.pop(url, None)
            seconds = FIRST_REST if rest is None else min(rest.seconds * 2, LONGEST_REST)
            self._rests[url] = _Rest(now + seconds, now, seconds)
        elif outcome.status:
            self._rests.pop(url, None)
            self._unreached.pop(url, None)

    def _fails(self, url: str, failed: Failed) -> bool:
        """Whether a failure is the proxy's own. Where it says that it reaches no target, that is for others to show."""
        if failed.error != ConnectError.__name__:
            return failed.error in _AT_FAULT
        hosts = self._unreached.setdefault(url, set())
        hosts.add(host_of(failed.url))
        return len(hosts) >= UNREACHED_HOSTS
