"""The :class:`Crawl`: spiders with their settings, wired into an engine with its hands."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec
from msgspec.structs import replace

from scrapekit.download import PoolStats
from scrapekit.engine import (
    Audience,
    Engine,
    Frontier,
    Inbox,
    InFlight,
    Outcomes,
    Proxies,
    RetryPolicy,
    Robots,
    Scheduler,
    Stats,
    SteadyClock,
)
from scrapekit.errors import FrontierError, Quarantined
from scrapekit.messages import Request
from scrapekit.project.hands import Hands
from scrapekit.project.lineup import Cast, Lineup
from scrapekit.project.outputs import JobFiles, Outputs
from scrapekit.project.report import CrawlReport
from scrapekit.project.sources import unhurried
from scrapekit.safe import safe_lines
from scrapekit.settings import OutputSettings, RetrySettings, Settings
from scrapekit.spider import Spider
from scrapekit.web import CookieJar

logger = logging.getLogger("scrapekit")


class Crawl:
    """One crawl, ready to run. A context manager: leaving it closes every connection, thread and file.

    Args:
        spider: The spider, or several.
        settings: All of them: this is where they are handed out. Of several spiders, those that they share.
        job: Where its state is kept; None for a crawl that can't be resumed, whose state goes when it is closed.
        outputs: Where items go, with the paths as they are to be.
        parents: Whether to make the folders that the outputs lie in.
        resume: Whether to go on with the job: the outputs are cut back to what was committed.
        audience: Whoever is shown what has become final.
        keep: Whether the audience gets the responses and failures themselves, and no callback runs.

    Raises:
        ConfigError: Something can't be used as it was given; the message is one line.
        FrontierError: The job's state can't be read.
    """

    def __init__(
        self,
        spider: Spider | Lineup,
        settings: Settings,
        *,
        job: JobFiles | None = None,
        outputs: Sequence[OutputSettings] = (),
        parents: bool = False,
        resume: bool = False,
        audience: Audience | None = None,
        keep: bool = False,
    ) -> None:
        lineup = spider if isinstance(spider, Lineup) else Lineup([Cast(spider, settings)])
        settings = unhurried(settings)
        settings = replace(settings, export=replace(settings.export, outputs=tuple(outputs)))  # as workers are told
        self._lineup = lineup
        self._job = job
        self._clock = SteadyClock()
        crawl = settings.crawl
        with ExitStack() as opened:
            # An empty name is a temporary database: on the disk, so that memory is flat, and gone at the end.
            frontier = Frontier("" if job is None else str(job.frontier_path), crawl.durability)
            opened.callback(frontier.close)
            self._frontier = frontier
            if resume:
                lineup.check_stored(frontier.callbacks())
            stats = msgspec.convert(frontier.get("stats", {}), Stats, strict=False)
            stats.items_of = {name: stats.items_of.get(name, 0) for name in lineup.casts if name}
            inbox = Inbox()
            seeds = {}
            for owner, pulled in lineup.seeds(frontier, stats, inbox.post):
                seeds[owner] = pulled
                opened.callback(pulled.close)
            for pulled in seeds.values() if not resume and not keep else ():
                pulled.await_first()
            admission = lineup.admission(frontier, stats)
            self._hands = Hands(lineup.casts, settings, inbox.post, keep=keep, resume=resume)
            opened.callback(self._hands.close)
            # Last of all that can refuse what was asked for: until here, an old output is as it was.
            self._outputs = opened.enter_context(
                Outputs(frontier, job, outputs, durability=crawl.durability, parents=parents, resume=resume)
            )
            capacity = self._hands.fleet.capacity
            in_flight = _in_flight(None if job is None else job.in_flight_path, capacity)
            opened.callback(in_flight.close)
            retry = _retry(settings.retry)
            quarantined = frontier.recover(
                in_flight.left, self._clock.now(), settings.retry.max_retry_after, crawl.quarantine_after
            )
            stats.quarantined += len(quarantined)
            for url in quarantined:
                told = {"event": "quarantined", "url": url, "error": Quarantined.__name__}
                logger.error("%s", safe_lines(f"{url}: it was in flight at too many deaths of the process"), extra=told)
            jar = None
            if settings.http.cookies:
                jar = CookieJar()
                jar.load(frontier.cookies())
            jitter = random.Random()  # noqa: S311  (nobody gains by guessing it)
            scheduler = Scheduler(settings.throttle.for_host, jitter, window=max(4096, 4 * capacity))
            robots = None
            if settings.robots.obey:
                robots = Robots(
                    frontier,
                    retry,
                    user_agent=settings.http.user_agent,
                    max_delay=settings.robots.max_crawl_delay,
                    ttl=settings.robots.ttl,
                )
            proxies = Proxies(settings.http.proxies) if any(settings.http.proxies.values()) else None
            self._outcomes = Outcomes(
                frontier=frontier,
                scheduler=scheduler,
                admission=admission,
                retry=retry,
                stats=stats,
                robots=robots,
                jar=jar,
                proxies=proxies,
                pages_per_host=crawl.limits.pages_per_host,
                max_redirects=settings.http.max_redirects,
                quarantine_after=crawl.quarantine_after,
                keep_failures=keep,
                every_attempt=crawl.ledger == "full" and job is not None,  # nobody can look into a job's that is none
            )
            self._outcomes.batch.meta |= lineup.rules()
            self.engine = Engine(
                frontier=frontier,
                scheduler=scheduler,
                outcomes=self._outcomes,
                fleet=self._hands.fleet,
                inbox=inbox,
                seeds=seeds,
                output=self._outputs.items,
                in_flight=in_flight,
                clock=self._clock,
                robots=robots,
                jar=jar,
                proxies=proxies,
                authorization=settings.http.authorization if settings.http.auth else None,
                max_pages=crawl.max_pages,
                max_items=crawl.max_items,
                limit=_limit(settings.http.timeout.total, crawl.callback_timeout),
                drain_timeout=crawl.drain_timeout,
                audience=audience,
            )
            """For its ``snapshot``, ``stop()``, ``pause()`` and ``unpause()``."""
            self._opened = opened.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.close()

    def run(self) -> CrawlReport:
        """Crawl, in the calling thread, until nothing is left or ``engine.stop()``. Once only.

        Raises:
            FrontierError, ExportError: State or output can't be written; what was committed stays.
            FleetError: No worker is left.
        """
        started = self._clock.now()
        self._lineup.begin()
        try:
            reason = self.engine.run()
        finally:
            rejected = self._outputs.write_rejected()
        if reason != "interrupted":
            self._outputs.items.finish()
            reason = "interrupted" if self._outputs.items.left else reason
        stats = self.engine.stats
        failure = self._outcomes.failure
        shares = self._lineup.shares(stats, self._frontier)
        if failure is None and reason == "finished":
            failure = self._lineup.why_failed(stats, shares)
        counts = self._frontier.counts()
        report = CrawlReport(
            spider=self._lineup.name,
            job="" if self._job is None else self._job.id,
            reason=reason,
            stats=stats,
            pool=self._hands.finish(),
            workers=self._hands.fleet.capacity,
            outputs=tuple(self._outputs.items.names),
            written=self._outputs.items.items,
            rejected=rejected,
            elapsed=self._clock.now() - started,
            pending=counts["pending"],
            quarantined=tuple(self._frontier.quarantined()) if stats.quarantined else (),
            failure=failure,
            stopped_by=self._outcomes.stop_reason,
            start_error=self._outcomes.failure,
            spiders=shares,
        )
        self._lineup.end(report)
        return report

    def pool_stats(self) -> PoolStats:
        """The connections of this run now; those of processes and actors as of a second ago. Any thread."""
        return self._hands.pool_stats()

    def drain(self) -> None:
        """Interrupt the crawl in order: start nothing more, and wait for no database. Any thread, and signals."""
        self._outputs.items.leave()
        self.engine.stop("interrupted")

    def halt(self) -> None:
        """Interrupt it at once, and leave callbacks behind that don't return. Any thread, and signal handlers."""
        self._hands.hurry()
        self.engine.stop("interrupted", at_once=True)

    def close(self) -> None:
        """Close everything; idempotent. Not from a worker."""
        self._opened.close()


def _in_flight(path: Path | None, slots: int) -> InFlight:
    try:
        return InFlight(path, slots)
    except OSError as error:
        raise FrontierError(f"{path}: the crawl's state can't be kept: {error.strerror}") from error


def _limit(total: float, callback: float | None) -> Callable[[Request], float] | None:
    """Seconds that a worker may have a request: to fetch it, and then in user code."""
    return None if callback is None else lambda request: (request.timeout or total) + callback


def _retry(retry: RetrySettings) -> RetryPolicy:
    return RetryPolicy(
        times=retry.times,
        statuses=retry.statuses,
        exceptions=retry.exceptions,
        initial=retry.backoff.initial,
        maximum=retry.backoff.max,
        multiplier=retry.backoff.multiplier,
        max_retry_after=retry.max_retry_after,
    )
