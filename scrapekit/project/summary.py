"""The :class:`Summary`: all that is known of a job when it has ended, as plain values for programs and for a page."""

from __future__ import annotations

import shlex
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from msgspec import Struct, field

from scrapekit.download import HostStats
from scrapekit.engine import Stats, Tally
from scrapekit.engine.latency import BOUNDS, Latency
from scrapekit.errors import FrontierError
from scrapekit.messages.reason import reason
from scrapekit.project.job import Record
from scrapekit.project.ledger import Course, HostTotal, Ledger, Slow
from scrapekit.project.report import CrawlReport, Share
from scrapekit.safe import masked

VERSION = 1
_BARS = 120
_MOST = 20  # hosts and slow URLs


class Kind(Struct):
    """One kind of thing that happened: how often, and one example."""

    kind: str
    count: int
    url: str
    message: str


class Bucket(Struct):
    """Exchanges that took at most ``up_to`` seconds, and longer than the bucket before; null for any longer time."""

    up_to: float | None
    count: int


class Times(Struct):
    """How long exchanges took, in seconds: ``half`` of them at most so long, and so on; null where there were none."""

    count: int = 0
    sum: float = 0.0
    half: float | None = None
    p95: float | None = None
    p99: float | None = None
    buckets: list[Bucket] = []


class Summary(Struct, kw_only=True):
    """What ``--report FILE.json`` holds; docs/watching.md describes it. Keys are added, and keep their meaning, within
    one ``version``. Counts are of all runs of the job.
    """  # noqa: D205

    version: int = VERSION
    written: str
    spider: str
    job: str
    state: str
    reason: str = ""
    failure: str | None = None
    started: str = ""
    seconds: float = 0.0
    seconds_now: float | None = None
    pages: int = 0
    pages_per_second: float = 0.0
    items: int = 0
    requests: int = 0
    bytes: int = 0
    queued: int = 0
    pending: int = 0
    duplicates: int = 0
    redirects: int = 0
    retries: int = 0
    failed: int = 0
    quarantined: int = 0
    deaths: int = 0
    statuses: dict[str, int] = {}
    errors: list[Kind] = []
    skipped: list[Kind] = []
    item_errors: list[Kind] = []
    dropped: dict[str, int] = {}
    flags: dict[str, int] = {}
    latency: Times = field(default_factory=Times)
    course: Course | None = None
    hosts: list[HostTotal] = []
    slowest: list[Slow] = []
    connections: HostStats | None = None
    outputs: list[str] = []
    rejected: str = ""
    quarantined_urls: list[str] = []
    spiders: dict[str, Share] = {}
    resume: str = ""


def summarise(
    folder: Path, record: Record, state: str, *, report: CrawlReport | None = None, failure: str | None = None
) -> Summary:
    """The summary of a job that is not running. Reads its whole ledger.

    Args:
        folder: The job's.
        record: Its ``job.json``.
        state: How it stands.
        report: Of its last run, where that has just ended.
        failure: What ended it, where there is no report because it broke off.
    """
    name = shlex.join(record.names)
    unfinished = state not in {"finished", "replaced", "running"}
    summary = Summary(
        written=_time(datetime.now(UTC)),
        spider=record.spider,
        job=folder.name,
        state=state,
        failure=None if failure is None else reason(failure),
        started=_time(datetime.fromisoformat(record.created)) if record.created else "",
        outputs=[masked(path) for path in record.paths],
        resume=f"scrapekit crawl {name} --resume {folder.name}" if unfinished else "",
    )
    try:
        with Ledger(folder) as ledger:
            _count(summary, ledger.stats)
            counts = ledger.counts()
            summary.pending = counts.get("pending", 0) + counts.get("leased", 0)
            summary.course = ledger.course(_BARS)
            summary.hosts = ledger.host_totals(_MOST)
            summary.slowest = ledger.slowest(_MOST)
    except FrontierError as error:  # a broken disk must not keep the rest from being told
        summary.failure = summary.failure or reason(error)
    if report is not None:
        summary.reason = report.stopped_by or report.reason
        summary.failure = None if report.failure is None else reason(report.failure)
        summary.seconds_now = report.elapsed
        total: Any = report.pool
        summary.connections = HostStats(**{name: getattr(total, name) for name in HostStats.__slots__})
        summary.rejected = report.rejected
        summary.quarantined_urls = list(report.quarantined)
        summary.spiders = dict(report.spiders)
    return summary


def _count(summary: Summary, stats: Stats) -> None:
    """Take the counters over."""
    names = ("pages", "items", "requests", "bytes", "queued", "duplicates", "redirects", "retries", "failed",
             "quarantined", "deaths")  # fmt: skip
    for name in names:
        setattr(summary, name, getattr(stats, name))
    summary.seconds = round(stats.elapsed, 3)
    summary.pages_per_second = round(stats.pages / stats.elapsed, 3) if stats.elapsed else 0.0
    summary.statuses = {str(status): count for status, count in sorted(stats.statuses.items())}
    summary.errors, summary.skipped, summary.item_errors = map(
        _kinds, (stats.errors, stats.skipped, stats.item_errors)
    )  # fmt: skip
    summary.dropped, summary.flags = dict(stats.dropped), dict(stats.flags)
    summary.latency = _times(stats.latency)


def _kinds(tallies: dict[str, Tally]) -> list[Kind]:
    most = sorted(tallies.items(), key=lambda each: -each[1].count)
    return [Kind(kind, tally.count, tally.url, tally.message) for kind, tally in most]


def _times(latency: Latency) -> Times:
    buckets = [Bucket(bound, count) for bound, count in zip([*BOUNDS, None], latency.counts, strict=True)]
    half, p95, p99 = (latency.quantile(share) for share in (0.5, 0.95, 0.99))
    return Times(latency.count, round(latency.sum, 3), half, p95, p99, buckets)


def _time(when: datetime) -> str:
    return when.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
