"""Metrics for Prometheus, made of what the engine has published when somebody asks.

The number of series is bounded: labels are the standard statuses, our classes of errors, and hosts, 20 at a time and
100 in a run; never URLs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from http import HTTPStatus
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from itertools import accumulate
from threading import Lock
from typing import Any

from scrapekit.dashboard.frame import About
from scrapekit.dashboard.message import Answer, text
from scrapekit.download import PoolStats
from scrapekit.engine import Snapshot
from scrapekit.engine.latency import BOUNDS
from scrapekit.errors import ConfigError

_STATUSES = frozenset(HTTPStatus)
_NAMED = 100
_OTHER = "other"
MISSING = (
    "metrics need prometheus-client, which is not installed here: "
    "in the checkout of scrapekit, pip install '.[metrics]'"
)


def check_installed() -> None:
    """Raise ConfigError where prometheus-client is not there."""
    try:
        import_module("prometheus_client")
    except ImportError as error:
        raise ConfigError(MISSING) from error


class Named:
    """The hosts that have series of their own: the first hundred that were busy, for the busiest of a crawl change, and
    Prometheus keeps each that it has ever seen. Any thread.
    """  # noqa: D205

    def __init__(self) -> None:
        self._lock = Lock()  # guards the next
        self._names: set[str] = set()

    def has(self, name: str) -> bool:
        """Whether it is one of them; from now on, if there is room."""
        with self._lock:
            if len(self._names) < _NAMED and name != _OTHER:
                self._names.add(name)
            return name in self._names


def exposition(about: About, snapshot: Snapshot, pool: PoolStats, accept: str, named: Named) -> Answer:
    """All metrics, in the format that the scraper accepts: that of Prometheus, or OpenMetrics. Any thread."""
    try:
        from prometheus_client import CollectorRegistry, ProcessCollector  # noqa: PLC0415  (an extra)
        from prometheus_client.exposition import choose_encoder  # noqa: PLC0415
    except ImportError:
        return text(501, MISSING)
    registry = CollectorRegistry(auto_describe=False)
    ProcessCollector(registry=registry)
    registry.register(_Crawl(about, snapshot, pool, named))
    encode, media_type = choose_encoder(accept)
    return Answer(200, media_type, encode(registry))


class _Crawl:
    """A collector of one moment."""

    def __init__(self, about: About, snapshot: Snapshot, pool: PoolStats, named: Named) -> None:
        self._about = about
        self._snapshot = snapshot
        self._pool = pool
        self._named = named

    def collect(self) -> Iterator[Any]:
        """The families of metrics."""
        from prometheus_client.core import (  # noqa: PLC0415
            CounterMetricFamily,
            GaugeMetricFamily,
            HistogramMetricFamily,
            InfoMetricFamily,
        )

        about, now, pool = self._about, self._snapshot, self._pool
        yield InfoMetricFamily(
            "scrapekit_job",
            "The crawl.",
            {"spider": about.spider, "job": about.job, "version": _version()},
        )
        for name, count, what in _counters(now, pool):
            yield CounterMetricFamily(f"scrapekit_{name}", what, value=count)
        for name, value, what in _gauges(now, pool):
            yield GaugeMetricFamily(f"scrapekit_{name}", what, value=value)
        yield HistogramMetricFamily(
            "scrapekit_request_duration_seconds",
            "From the start of an exchange to its last byte.",
            buckets=_buckets(now.latency.counts),
            sum_value=now.latency.sum,
        )
        for name, label, counts, what in (
            ("requests", "status", _statuses(now), "Exchanges by status; none: no response came."),
            ("errors", "error", _errors(now), "Requests that failed for good, by the class of the error."),
        ):
            family = CounterMetricFamily(f"scrapekit_{name}", what, labels=[label])
            for kind, count in counts.items():
                family.add_metric([kind], count)
            yield family
        yield from _hosts(now, GaugeMetricFamily, self._named)


def _counters(now: Snapshot, pool: PoolStats) -> tuple[tuple[str, int, str], ...]:
    return (
        ("pages", now.pages, "Responses whose callback returned."),
        ("items", now.items, "Items in the output."),
        ("retries", now.retries, "Attempts that were or will be repeated."),
        ("duplicates", now.duplicates, "Requests left out because they were known."),
        ("failed_requests", now.failed + now.quarantined, "Requests that failed for good."),
        ("response_bytes", now.bytes, "Bytes of response bodies, decoded."),
        ("connections_opened", pool.opened, "Connections opened."),
        ("connections_reused", pool.reused, "Responses over a connection that had served before."),
    )


def _gauges(now: Snapshot, pool: PoolStats) -> tuple[tuple[str, float, str], ...]:
    return (
        ("queue_size", max(0, now.pending - now.in_flight), "Requests known and not started."),
        ("in_flight", now.in_flight, "Requests that workers have."),
        ("workers", now.workers, "Requests that could be in flight at once."),
        ("paused", int(now.paused), "1 while the crawl is paused."),
        ("elapsed_seconds", now.elapsed_now, "Seconds of this run."),
        ("hosts", now.host_count, "Hosts with requests in the window."),
        ("pool_hosts", pool.pools, "Pools that are open: one a host in each process."),
        ("pool_connections_max", pool.maxsize, "Connections that may be open at a time."),
        ("pool_connections_in_use", pool.in_use, "Connections that serve a request."),
        ("pool_waiting", pool.waiting, "Threads that wait for a connection."),
    )


def _hosts(now: Snapshot, family: Any, named: Named) -> Iterable[Any]:
    """The busiest 20 hosts, as far as they are named, and all others as one."""
    in_flight = family("scrapekit_host_in_flight", "Requests that workers have, of the busiest hosts.", labels=["host"])
    queued = family("scrapekit_host_queue_size", "Requests next in line, of the busiest hosts.", labels=["host"])
    limit = family("scrapekit_host_limit", "Requests that it may have in flight now.", labels=["host"])
    waits = family("scrapekit_host_waiting", "1 while it gets no worker, and why.", labels=["host", "reason"])
    hosts = [host for host in now.hosts if named.has(host.name)]
    for host in hosts:
        in_flight.add_metric([host.name], host.in_flight)
        queued.add_metric([host.name], host.queued)
        limit.add_metric([host.name], host.limit)
        if host.reason:
            waits.add_metric([host.name, host.reason], 1)
    if now.host_count > len(hosts):
        out = sum(host.in_flight for host in hosts)
        next_ = sum(host.queued for host in hosts)
        in_flight.add_metric([_OTHER], max(0, now.in_flight - out))
        queued.add_metric([_OTHER], max(0, now.pending - now.in_flight - next_))
    return in_flight, queued, limit, waits


def _statuses(now: Snapshot) -> dict[str, int]:
    """Exchanges by status; those that no standard knows as one, for a server may invent hundreds."""
    found: Counter[str] = Counter()
    for status, count in now.statuses.items():
        found[str(status) if status in _STATUSES else _OTHER] += count
    found["none"] = max(0, now.requests - found.total())
    return found


def _errors(now: Snapshot) -> dict[str, int]:
    """Failed requests by the class of the error."""
    found: Counter[str] = Counter()
    for kind, tally in now.errors.items():
        found[kind.partition(" ")[0]] += tally.count  # StatusError 404
    return found


def _buckets(counts: list[int]) -> list[tuple[str, float]]:
    """As Prometheus has them: each with all that are below it."""
    return list(zip([*map(str, BOUNDS), "+Inf"], accumulate(counts), strict=True))


def _version() -> str:
    try:
        return version("scrapekit")
    except PackageNotFoundError:  # a checkout that is not installed
        return "unknown"
