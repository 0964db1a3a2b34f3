"""Politeness, as the servers see it: limits, delays, Retry-After and robots.txt, through the library on real sockets."""

from __future__ import annotations

import math
import statistics
import threading
import time
from collections import defaultdict
from email.utils import formatdate
from itertools import pairwise

import pytest

import scrapekit
from scrapekit.testing import Reply, RequestView, serve

HOSTS = ("127.0.0.1", "127.0.0.2")


class Pages(scrapekit.Spider):
    """Fetches the URLs that it is given; each page is an item."""

    name = "pages"

    def start(self):
        for url in self.urls:
            yield scrapekit.Request(url)

    def parse(self, response):
        yield {"url": response.url, "status": response.status}


class Site:
    """Answers every path, and keeps what each host was asked for, when, and over which connections."""

    def __init__(self, robots: str | None = None) -> None:
        self.robots = robots
        self.seen: dict[str, list[RequestView]] = defaultdict(list)
        self.connections: dict[str, set[str]] = defaultdict(set)

    def __call__(self, request: RequestView) -> Reply:
        self.seen[request.host].append(request)
        self.connections[request.host].add(threading.current_thread().name)  # the server has a thread for each
        if request.path == "/robots.txt":
            text = self.robots or ""
            return Reply(text.encode(), 200 if self.robots is not None else 404, (("Content-Type", "text/plain"),))
        return self.page(request)

    def page(self, request: RequestView) -> Reply:
        return Reply(b"<p>page</p>", headers=(("Content-Type", "text/html"),))

    def times(self, host: str) -> list[float]:
        """When pages of ``host`` were asked for, in order; robots.txt does not count."""
        return sorted(request.time for request in self.seen[host] if request.path != "/robots.txt")


def crawl(urls, **settings):
    settings.setdefault("http", {"timeout": {"total": 60}})
    return scrapekit.run(Pages, urls=list(urls), settings=settings)


@pytest.mark.parametrize("adaptive", [False, True])
def test_no_host_ever_sees_more_requests_or_connections_than_its_maxsize(adaptive):
    limits = {"127.0.0.1": 2, "127.0.0.2": 3, "localhost": 5}
    site = Site()
    with serve(site, hosts=HOSTS, latency=0.03) as server:
        report = crawl(
            [f"http://{host}:{server.port}/{n}" for n in range(40) for host in limits],
            workers=32,
            throttle={"adaptive": adaptive, "domains": {host: {"maxsize": limit} for host, limit in limits.items()}},
        )
        busiest = dict(server.max_open_by_host)
    assert report.pages == 120
    if not adaptive:
        assert busiest == limits  # reached, and never passed
    for host, limit in limits.items():
        assert busiest[host] <= limit
        assert len(site.connections[host]) <= limit
        assert report.pool.hosts[host].maxsize == limit
        assert report.pool.hosts[host].opened == len(site.connections[host])
    assert report.pool.in_use == report.pool.waiting == 0


def test_a_delay_lies_between_the_requests_of_a_host_although_several_may_be_open():
    site, delay = Site(), 0.05
    with serve(site, latency=3 * delay) as server:
        before = time.monotonic()
        report = crawl(
            [f"{server.url}/{n}" for n in range(16)],
            throttle={"delay": delay, "jitter": 0, "adaptive": False},
            robots={"obey": False},
        )
        assert server.max_open_by_host["127.0.0.1"] > 1
    assert report.pages == 16
    times = site.times("127.0.0.1")
    # However late the server's threads wake up, request n can't have come before n delays have passed since the start.
    assert [n for n, at in enumerate(times) if at - before < n * delay] == []
    gaps = [late - early for early, late in pairwise(times)]
    assert statistics.median(gaps) > delay * 0.9


@pytest.mark.parametrize("form", ["seconds", "date"])
@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_keeps_the_crawl_off_that_host_while_another_goes_on(form, status):
    class Busy(Site):
        until = math.inf

        def page(self, request):
            if request.host == "127.0.0.1" and self.until == math.inf:
                if form == "seconds":
                    self.until, value = time.time() + 1, "1"
                else:
                    self.until = math.ceil(time.time()) + 1
                    value = formatdate(self.until, usegmt=True)
                return Reply(b"later", status, (("Retry-After", value),))
            asked[request.host].append(time.time())
            return super().page(request)

    asked: dict[str, list[float]] = defaultdict(list)
    site = Busy()
    with serve(site, hosts=HOSTS) as server:
        report = crawl(
            [f"http://{host}:{server.port}/{n}" for n in range(12) for host in HOSTS],
            workers=4,
            throttle={"domains": {"127.0.0.1": {"maxsize": 1}, "127.0.0.2": {"maxsize": 1, "delay": 0.05}}},
            retry={"backoff": {"initial": 0.01}},
        )
    assert report.pages == 24
    assert report.stats.retries == 1
    assert report.stats.statuses[status] == 1
    assert min(asked["127.0.0.1"]) >= site.until  # not even the pages that were not refused
    assert len([at for at in asked["127.0.0.2"] if at < site.until]) >= 3


def test_robots_txt_is_fetched_once_an_origin_before_its_pages_and_obeyed():
    site = Site("User-agent: *\nDisallow: /private/\nAllow: /private/open$\n")
    with serve(site, hosts=HOSTS) as server, serve(site) as other:
        origins = [f"http://{host}:{server.port}" for host in HOSTS] + [other.url]
        paths = ["private/1", "1", "private/open", "2", "private/", "3", "privates"]
        report = crawl([f"{origin}/{path}" for path in paths for origin in origins], workers=32)
        assert [server.hits["/robots.txt"], other.hits["/robots.txt"]] == [2, 1]
        for requests in site.seen.values():
            by_origin: dict[str, list[str]] = defaultdict(list)
            for request in sorted(requests, key=lambda each: each.time):
                by_origin[request.headers["host"]].append(request.path)
            for seen in by_origin.values():
                assert seen[0] == "/robots.txt"
                assert sorted(seen[1:]) == ["/1", "/2", "/3", "/private/open", "/privates"]
    assert report.pages == 15
    assert report.stats.skipped["RobotsDenied"].count == 6
    assert report.stats.failed == 0


def test_crawl_delay_is_kept_and_capped():
    delay = 0.15
    site = Site(f"User-agent: *\nCrawl-delay: {delay}\n")
    with serve(site) as server:
        report = crawl([f"{server.url}/{n}" for n in range(6)])
        robots_at = next(request.time for request in site.seen["127.0.0.1"])
    assert report.pages == 6
    assert [n for n, at in enumerate(site.times("127.0.0.1")) if at - robots_at < n * delay] == []

    endless = Site("User-agent: *\nCrawl-delay: 86400\n")
    with serve(endless) as server:
        report = crawl([f"{server.url}/{n}" for n in range(3)], robots={"max_crawl_delay": 0.05})
    assert report.pages == 3


def test_a_host_whose_robots_txt_fails_is_not_fetched_and_does_not_hold_the_others():
    class Broken(Site):
        def __call__(self, request):
            if request.host == "127.0.0.1" and request.path == "/robots.txt":
                return Reply(b"broken", 500)
            return super().__call__(request)

    site = Broken()
    with serve(site, hosts=HOSTS) as server:
        report = crawl(
            [f"http://{host}:{server.port}/{n}" for n in range(5) for host in HOSTS],
            retry={"times": 1, "backoff": {"initial": 0.01}},
        )
    # RFC 9309, 2.3.1.4: unreachable robots.txt means complete disallow.
    assert site.seen["127.0.0.1"] == []
    assert report.pages == 5
    assert report.stats.skipped["RobotsDenied"].count == 5
