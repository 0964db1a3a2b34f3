"""The :class:`Frame`: all that the page shows of one crawl, sent to it as JSON. The page's side of it is page.js.

Times are seconds since the epoch, durations seconds. Texts of others are as they were, but for passwords, which are
masked; the page puts them in as text.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from scrapekit.dashboard.course import Point
from scrapekit.dashboard.latest import Item
from scrapekit.dashboard.trail import Tried
from scrapekit.download import PoolStats
from scrapekit.engine import Snapshot, Stats, Tally
from scrapekit.project.ledger import Course as Past

_INFINITY = float("inf")
_HOSTS = 20
_KINDS = 30


class Numbers(Struct, frozen=True):
    """The counters; as in :class:`~scrapekit.engine.Stats`, over all runs of the job."""

    pages: int = 0
    items: int = 0
    requests: int = 0
    bytes: int = 0
    queued: int = 0
    in_flight: int = 0
    failed: int = 0
    retries: int = 0
    elapsed: float = 0.0


class HostRow(Struct, frozen=True):
    """A host; ``until`` is None where an event decides."""

    name: str
    in_flight: int = 0
    limit: int = 0
    maxsize: int = 0
    queued: int = 0
    why: str = ""
    until: float | None = None


class SpiderRow(Struct, frozen=True):
    """One of several spiders; ``ended`` is what StopCrawl said that has ended it."""

    name: str
    items: int
    ended: str = ""


class Kind(Struct, frozen=True):
    """A kind of error, with an example."""

    kind: str
    count: int
    url: str = ""
    message: str = ""


class Pool(Struct, frozen=True):
    """The connections, as in :class:`~scrapekit.download.PoolStats`."""

    pools: int
    maxsize: int
    in_use: int
    waiting: int
    opened: int
    reused: int
    retried: int

    @classmethod
    def of(cls, stats: PoolStats) -> Pool | None:
        """None where nobody knows yet."""
        if not stats.requests and not stats.pools:
            return None
        return cls(*(getattr(stats, name) for name in cls.__struct_fields__))


class About(Struct, frozen=True):
    """What stays the same while a crawl runs.

    Args:
        run: Differs from run to run, so that the page knows when another one has taken its place.
        spider: Its name.
        job: The job's id.
        output: Where items go.
        resume: The command to go on with it; empty where there is none.
        started: When the job was made.
    """

    run: str
    spider: str
    job: str = ""
    output: str = ""
    resume: str = ""
    started: float | None = None


class Frame(Struct, frozen=True):
    """How a crawl stands.

    Args:
        at: Now, by the clock that ``until`` is of.
        phase: ``running``, ``paused``, ``stopping``, ``finishing``, or how it has ended: a state of a job.
        why: Why it failed.
        live: Whether it runs in this process, so that there are points.
        controls: Whether it can be paused and stopped from here.
        workers: Requests that could be in flight at once.
        rate: Pages a second, now or over the whole time.
        statuses: Responses by status.
        latency: Seconds in which 50, 90 and 99 % of all exchanges were done; None where there were none.
        left_out: Requests that were not let in, and items that were dropped or not written, by the reason.
        spiders: Of several, what each has come to.
        hosts: Those with the most requests.
        failing: Requests whose last attempt failed, the newest first.
        slowest: The attempts that took longest.
        points: What was measured: all in the first frame that a page gets, the newest in the others.
        course: How it went on, of a job that another process runs or ran.
    """

    at: float
    run: str
    spider: str
    job: str
    output: str
    resume: str
    started: float | None
    phase: str
    numbers: Numbers
    why: str = ""
    live: bool = False
    controls: bool = False
    workers: int = 0
    rate: float = 0.0
    statuses: Mapping[int, int] = {}
    errors: Sequence[Kind] = ()
    latency: Sequence[float | None] = ()
    left_out: Sequence[Kind] = ()
    spiders: Sequence[SpiderRow] = ()
    hosts: Sequence[HostRow] = ()
    pool: Pool | None = None
    failing: Sequence[Tried] = ()
    slowest: Sequence[Tried] = ()
    items: Sequence[Item] = ()
    points: Sequence[Point] = ()
    course: Past | None = None


def numbers_of(stats: Stats, *, queued: int, in_flight: int = 0) -> Numbers:
    """The counters."""
    return Numbers(
        pages=stats.pages,
        items=stats.items,
        requests=stats.requests,
        bytes=stats.bytes,
        queued=queued,
        in_flight=in_flight,
        failed=stats.failed + stats.quarantined,
        retries=stats.retries,
        elapsed=stats.elapsed,
    )


def spiders_of(stats: Stats) -> list[SpiderRow]:
    """What each of several has come to; none where there is only one."""
    return [SpiderRow(name, items, stats.stopped.get(name, "")) for name, items in sorted(stats.items_of.items())]


def hosts_of(snapshot: Snapshot) -> list[HostRow]:
    """Its busiest hosts."""
    return [
        HostRow(
            host.name,
            host.in_flight,
            host.limit,
            host.maxsize,
            host.queued,
            host.reason,
            host.until if host.until < _INFINITY else None,
        )
        for host in snapshot.hosts[:_HOSTS]
    ]


def latency_of(stats: Stats) -> list[float | None]:
    """The percentiles of all exchanges."""
    return [stats.latency.quantile(share) for share in (0.5, 0.9, 0.99)]


def errors_of(stats: Stats) -> list[Kind]:
    """Errors by kind, the commonest first."""
    return _commonest(_kind(kind, tally) for kind, tally in stats.errors.items())


def left_out_of(stats: Stats) -> list[Kind]:
    """What did not come in or go out, the commonest first."""
    found = [_kind(kind, tally) for kind, tally in stats.skipped.items()]
    found += [_kind(f"item: {kind}", tally) for kind, tally in stats.item_errors.items()]
    found += [Kind(f"item dropped: {reason}", count) for reason, count in stats.dropped.items()]
    found += [Kind("duplicates", stats.duplicates)] if stats.duplicates else []
    return _commonest(found)


def _kind(name: str, tally: Tally) -> Kind:
    return Kind(name, tally.count, tally.url, tally.message)


def _commonest(kinds: Iterable[Kind]) -> list[Kind]:
    return sorted(kinds, key=lambda each: (-each.count, each.kind))[:_KINDS]
