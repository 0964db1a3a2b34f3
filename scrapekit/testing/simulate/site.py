"""A world as the crawl meets it: the answers of its servers, and the spider that goes through it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from scrapekit.errors import RequestError
from scrapekit.messages import Fetched, Lease, Outcome, Request, Response
from scrapekit.spider import Spider
from scrapekit.testing.simulate.world import SHARED, Node, World
from scrapekit.testing.web import SimulatedPage, SimulatedWeb
from scrapekit.web.urls import address


class SimSpider(Spider):
    """Does on each page what its body says: one line of facts, then the links, an errback's with a ``!`` before it."""

    name = "simulated"
    unique = ("shared",)

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world
        self._errbacks = {address(node.url).fingerprint for node in world.nodes if node.errback}
        self._numbers = {address(node.url).fingerprint: number for number, node in enumerate(world.nodes)}

    def start(self) -> Iterator[Request]:
        """The world's."""
        return map(self.request, self._world.start)

    def request(self, url: str) -> Request:
        """A request with the errback that its URL has."""
        url = url.strip()
        has = address(url).fingerprint in self._errbacks
        return Request(url, errback="failed" if has else None)

    def parse(self, response: Response) -> Any:
        """Items, links, and an exception if the page is so."""
        number = self._numbers[address(response.url).fingerprint]
        node = self._world.nodes[number]
        for item in range(node.items):
            yield {"page": number, "what": str(item)}
        if node.shared is not None:
            yield {"page": SHARED, "what": str(node.shared), "shared": node.shared}
        yield from map(self.request, node.links)
        if node.raises:
            raise ValueError("simulated")

    def failed(self, error: RequestError) -> Any:
        """One item."""
        assert error.request is not None
        yield {"page": self._numbers[address(error.request.url).fingerprint], "what": "errback"}


class WorldWeb(SimulatedWeb):
    """The world as it answers, with its memory, which outlives every process."""

    def __init__(self, world: World) -> None:
        super().__init__({})
        self.fetches = 0
        self.lost: Counter[int] = Counter()
        self._world = world
        self._nodes = {address(node.url).fingerprint: node for node in world.nodes}
        self._hosts = {host.name: host for host in world.hosts}
        self._failed: Counter[str] = Counter()

    def fetch(self, request: Request, *, host: str, maxsize: int = 8, cookies: str | None = None, **rest: Any) -> Any:
        """As of :class:`SimulatedWeb`, from the world."""
        self.fetches += 1
        node = self._nodes.get(address(request.url).fingerprint)
        page = self._robots(host) if urlsplit(request.url).path == "/robots.txt" else self._page(node)
        self.pages = {request.url: page}
        return super().fetch(request, host=host, maxsize=maxsize, cookies=cookies, **rest)

    def kills(self, lease: Lease) -> bool:
        """Whether the worker process dies of this lease."""
        node = self._nodes.get(address(lease.request.url).fingerprint)
        if node is None or lease.failure is not None or lease.id < 0 or self.lost[id(node)] >= node.lost:
            return False
        self.lost[id(node)] += 1
        return True

    def late(self, lease: Lease) -> float:
        """Seconds that its callback takes."""
        node = self._nodes.get(address(lease.request.url).fingerprint)
        return 0.0 if node is None or lease.id < 0 else node.late

    def hangs(self, lease: Lease, outcome: Outcome) -> bool:
        """Whether it ends in a callback that never returns."""
        node = self._nodes.get(address(lease.request.url).fingerprint)
        ran = lease.failure is None and (
            isinstance(outcome, Fetched) or getattr(outcome, "traceback", None) is not None
        )
        return node is not None and node.hangs and lease.id > 0 and ran

    def _page(self, node: Node | None) -> SimulatedPage:
        if node is None:
            return SimulatedPage(status=404)
        self._failed[node.url] += 1
        if self._failed[node.url] <= node.failures:
            if not node.failure.isdigit():
                return SimulatedPage(error=node.failure)
            headers = (("Retry-After", str(node.retry_after)),) if node.retry_after else ()
            return SimulatedPage(status=int(node.failure), headers=headers)
        if node.redirect is not None:
            return SimulatedPage(status=302, headers=(("Location", node.redirect),))
        return SimulatedPage()

    def _robots(self, host: str) -> SimulatedPage:
        if host not in self._hosts:
            return SimulatedPage(status=404)
        kind = self._hosts[host].robots
        if kind == "unreachable":
            return SimulatedPage(error="ConnectError")
        self._failed[host] += 1
        if kind == "down" or self._failed[host] <= self._hosts[host].robots_failures:
            return SimulatedPage(status=503)
        if kind == "missing":
            return SimulatedPage(status=404)
        delay = "Crawl-delay: 0.5\n" if kind == "delay" else ""
        return SimulatedPage(text=f"User-agent: *\nDisallow: /private/\n{delay}")
