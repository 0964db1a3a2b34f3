"""The engine: the one thread that owns the crawl's state. How it turns is here; what outcomes mean, in outcomes.py."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from threading import get_ident

from msgspec import convert, to_builtins
from msgspec.structs import asdict

from scrapekit.engine.batch import Batch
from scrapekit.engine.clock import Clock
from scrapekit.engine.contract import Audience, Fleet, Inbox, Output, Post, Seeds
from scrapekit.engine.dispatch import Dispatcher
from scrapekit.engine.frontier import Frontier
from scrapekit.engine.host import INFINITY
from scrapekit.engine.inflight import InFlight
from scrapekit.engine.outcomes import Outcomes
from scrapekit.engine.proxies import Proxies
from scrapekit.engine.robots import Robots
from scrapekit.engine.scheduler import Drained, Scheduler, Wait
from scrapekit.engine.snapshot import Snapshot
from scrapekit.engine.stats import Stats
from scrapekit.messages import Lost, Outcome, Request, Seeded
from scrapekit.web.cookiejar import CookieJar

logger = logging.getLogger("scrapekit")

COMMIT_OUTCOMES = 200
COMMIT_SECONDS = 0.05
SEED_CHUNK = 256
SEEDS_AHEAD = 10_000  # requests in the frontier, with which no start requests are pulled for idle workers
_TICK = 0.25  # seconds; the engine looks at the clock at least so often


class Engine:
    """Runs one job. Made anywhere, then for the thread that calls :meth:`run`; all others may stop and pause it.

    Args:
        frontier: The durable queue; :meth:`Frontier.recover` has been called.
        scheduler: The window over it.
        outcomes: What outcomes mean.
        fleet: The workers.
        inbox: Where their outcomes arrive.
        seeds: The start requests by spider, whose name is empty where it is the only one; without those that an
            earlier run has taken to the end.
        output: Where items go.
        in_flight: The record of what the workers have.
        clock: Tells the time.
        robots: Who knows robots.txt; None to disobey it.
        jar: The cookies; None to send none.
        proxies: The proxies in turn; None where the settings have none.
        authorization: The Authorization header for a URL, if it gets one; None where the settings have none.
        max_pages: The crawl ends after so many pages.
        max_items: The crawl ends after the page that brings the items to so many.
        limit: Seconds after which a request is given up that does not come back; None for never.
        drain_timeout: Seconds in which :meth:`stop` lets work in flight end.
        audience: Whoever is shown what has become final.
    """

    def __init__(
        self,
        *,
        frontier: Frontier,
        scheduler: Scheduler,
        outcomes: Outcomes,
        fleet: Fleet,
        inbox: Inbox,
        seeds: Mapping[str, Seeds],
        output: Output,
        in_flight: InFlight,
        clock: Clock,
        robots: Robots | None = None,
        jar: CookieJar | None = None,
        proxies: Proxies | None = None,
        authorization: Callable[[str], str | None] | None = None,
        max_pages: int | None = None,
        max_items: int | None = None,
        limit: Callable[[Request], float] | None = None,
        drain_timeout: float = 30.0,
        audience: Audience | None = None,
    ) -> None:
        self._frontier = frontier
        self._scheduler = scheduler
        self._outcomes = outcomes
        self._inbox = inbox
        self._seeds = dict(seeds)
        self._output = output
        self._in_flight = in_flight
        self._dispatcher = Dispatcher(
            fleet,
            scheduler,
            outcomes,
            in_flight,
            robots=robots,
            jar=jar,
            proxies=proxies,
            authorization=authorization,
            max_pages=max_pages,
            limit=limit,
        )
        self._workers = fleet.capacity
        self._clock = clock
        self._jar = jar
        self._max_pages = max_pages
        self._max_items = max_items
        self._drain_timeout = drain_timeout
        self._audience = audience

        self._batch_since = INFINITY
        self._next_retry = frontier.next_retry()
        self._seeds_asked: dict[str, int] = {}  # how many are on their way, of those that were asked
        self._open = 0  # requests known and not finished
        self._started = 0.0
        self._pages_before = outcomes.stats.pages
        self._elapsed_before = outcomes.stats.elapsed
        self._next_snapshot = 0.0
        self._stop_reason: str | None = None
        self._at_once = False
        self._paused = False
        self._drain_until = INFINITY
        self.snapshot = Snapshot()
        """How the crawl stands; replaced, never changed, so any thread may read it."""

    @property
    def stats(self) -> Stats:
        """The counters. Engine thread only, until :meth:`run` has returned."""
        return self._outcomes.stats

    def stop(self, reason: str, *, at_once: bool = False) -> None:
        """End the crawl: start nothing more; let work in flight end, unless ``at_once``. Any thread, and signals."""
        self._at_once = self._at_once or at_once
        self._stop_reason = self._stop_reason or reason
        self._inbox.post(None)

    def pause(self) -> None:
        """Start nothing more until :meth:`unpause`; work in flight ends and is committed. Any thread."""
        self._paused = True
        self._inbox.post(None)

    def unpause(self) -> None:
        """Go on after :meth:`pause`. Any thread."""
        self._paused = False
        self._inbox.post(None)

    def run(self) -> str:
        """Crawl until nothing is left or :meth:`stop`.

        Returns:
            Why it ended: ``finished``, ``max_pages``, ``max_items``, ``stopped`` by StopCrawl, or the reason given to
            :meth:`stop`.

        Raises:
            FrontierError, ExportError: State or output can't be written. What was committed stays.
            FleetError: No worker is left.
        """
        self._owner = get_ident()
        counts = self._frontier.counts()
        self._open = counts["pending"] + counts["leased"]
        self._started = self._clock.now()
        for host, until, why in self._frontier.holds(self._started):
            self._scheduler.hold(host, until, why)
        self._outcomes.batch.meta |= {"output": self._output.position(), "ended": False}
        self._commit(self._started)
        while (reason := self._turn()) is None:
            pass
        for seeds in self._seeds.values():
            seeds.close()
        self._outcomes.batch.meta["ended"] = True  # in order: the output holds what was committed, and nothing else
        self._commit(self._clock.now())
        self._publish(self._clock.now(), reason)
        self._frontier.release()
        self._in_flight.close()
        return reason

    def _turn(self) -> str | None:
        """Hand out what may start, commit what is due, take what has come. The reason to end, or None to go on."""
        assert get_ident() == self._owner, "the engine belongs to the thread that runs it"
        now = self._clock.now()
        # stop() may come from a signal handler at any instant: what it says must not be overwritten.
        if self._stop_reason is None and (why := self._reason_to_stop()) is not None:
            self._stop_reason = why
        answer = None if self._paused or self._stop_reason is not None else self._dispatcher.fill(now)
        if now >= self._next_snapshot:
            self._next_snapshot = now + _TICK
            self._scheduler.forget_idle(now)
            self._dispatcher.watch(now)
            self._publish(now, self._stop_reason or "")
        if self._batch_since == INFINITY and self._outcomes.batch:
            self._batch_since = now
        if self._commit_due(answer, now):
            self._commit(now)
            return None
        reason = self._reason_to_end(answer, now)
        if reason is not None:
            return reason
        self._ask_seeds(idle=answer is not None)
        posts = self._inbox.take(self._patience(answer, now))
        now = self._clock.now()
        for post in posts:
            self._take(post, now)
        return None

    def _take(self, post: Post, now: float) -> None:
        """What has come into the inbox."""
        if isinstance(post, Outcome):
            self._outcomes.take(post, self._dispatcher.landed(post.id), now)
        elif isinstance(post, list):
            for outcome in post:
                self._outcomes.take(outcome, self._dispatcher.landed(outcome.id), now)
        elif isinstance(post, Seeded):
            self._take_seed(post)
        elif isinstance(post, Lost):
            self.stats.deaths += 1
            for lease_id in post.ids:
                self._outcomes.lose(lease_id, self._dispatcher.landed(lease_id), post.reason, now)
        elif post is not None:
            raise post

    # Start requests

    def _ask_seeds(self, *, idle: bool) -> None:
        """Ask for more start requests when neither the window nor the frontier has enough, or workers are ``idle``."""
        if self.stats.stopped:
            for spider in self._seeds.keys() & self.stats.stopped.keys():
                self._take_seed(Seeded([], exhausted=True, spider=spider))
        if len(self._seeds_asked) == len(self._seeds) or self._stop_reason is not None:
            return
        scheduler, unsaved = self._scheduler, len(self._outcomes.batch.rows)
        enough = scheduler.hungry or not scheduler.has_room
        # Workers that find nothing may be served by a host that start() has not come to yet: those that it has come to
        # may all have to wait. The frontier takes what is pulled then, up to a limit.
        if unsaved < SEED_CHUNK and (not enough or (idle and self._open < SEEDS_AHEAD)):
            each = SEED_CHUNK // len(self._seeds) or 1
            for spider in self._seeds.keys() - self._seeds_asked.keys():
                self._seeds_asked[spider] = each
                self._seeds[spider].ask(each)

    def _take_seed(self, seeded: Seeded) -> None:
        if seeded.spider not in self._seeds:
            return
        left = self._seeds_asked.pop(seeded.spider, 0) - len(seeded.links)
        self._outcomes.seed(seeded)
        if seeded.exhausted:
            self._seeds.pop(seeded.spider).close()
        elif left > 0:
            self._seeds_asked[seeded.spider] = left

    # Committing

    def _commit_due(self, answer: Wait | Drained | None, now: float) -> bool:
        """Whether the batch is full or old, or workers could go on with what the commit would bring."""
        batch = self._outcomes.batch
        if batch.outcomes >= COMMIT_OUTCOMES or (batch and now - self._batch_since >= COMMIT_SECONDS):
            return True
        if answer is None:
            return False
        if self._next_retry is not None and self._next_retry <= now:
            return True
        scheduler = self._scheduler
        starving = scheduler.starving(now) or (bool(batch.rows) and not scheduler.queued)
        return starving or scheduler.overflow_room or (isinstance(answer, Drained) and bool(batch))

    def _commit(self, now: float) -> None:
        """Append the items, then make everything final in one transaction, and lease the next window in it."""
        outcomes, scheduler, frontier = self._outcomes, self._scheduler, self._frontier
        batch, outcomes.batch = outcomes.batch, Batch()
        self._batch_since = INFINITY
        if batch.lines:
            self._output.append(batch.lines, batch.routes)
            self._output.flush()
            batch.meta["output"] = self._output.position()
        stats = self.stats
        stats.elapsed = self._elapsed_before + now - self._started
        batch.meta["stats"] = stats
        if self._jar is not None:
            batch.cookies = self._jar.changes()
        more = self._stop_reason is None
        with frontier.commit(batch, (lambda number, row: scheduler.admit(number, row, now)) if more else None, now):
            promoted: Mapping[str, int] = {}
            if self._next_retry is not None and self._next_retry <= now:
                promoted = frontier.promote(now)
            for found in (batch.found, promoted):
                for host, priority in found.items():
                    scheduler.found(host, priority)
            if scheduler.overflow_room:
                scheduler.forget_idle(now)
                scheduler.look(frontier.hosts_after)
            if more:
                for wish in scheduler.wishes():
                    frontier.give_back(scheduler.refill(wish, frontier.lease(wish.host, wish.limit), now))
        if "output" in batch.meta:
            self._output.committed()
        self._open += len(batch.rows) - batch.finished
        if batch.retries or promoted:
            self._next_retry = frontier.next_retry()
        if self._audience is not None and (batch.lines or batch.kept):
            self._audience.committed(batch.lines, batch.kept)

    # Waiting and ending

    def _patience(self, answer: Wait | Drained | None, now: float) -> float:
        """Seconds that the engine may sleep if nothing arrives."""
        moments = [now + _TICK, self._drain_until]
        if self._outcomes.batch:
            moments.append(self._batch_since + COMMIT_SECONDS)
        if isinstance(answer, Wait):
            moments.append(answer.until)
        if answer is not None and self._next_retry is not None:
            moments.append(self._next_retry)
        if answer is not None and (due := self._dispatcher.next_due()) is not None:
            moments.append(due)
        return max(0.0, min(moments) - now)

    def _reason_to_stop(self) -> str | None:
        """Why nothing more is to be started, though more is known."""
        if self._max_items is not None and self.stats.items >= self._max_items:
            return "max_items"
        return None if self._outcomes.stop_reason is None else "stopped"

    def _reason_to_end(self, answer: Wait | Drained | None, now: float) -> str | None:
        if self._stop_reason is not None:
            self._drain_until = min(self._drain_until, now + self._drain_timeout)
            if self._at_once or not self._dispatcher.out or now >= self._drain_until:
                return self._stop_reason
            return None
        if self._max_pages is not None and self.stats.pages >= self._max_pages and not self._dispatcher.out:
            return "max_pages"
        if isinstance(answer, Drained) and self._dispatcher.idle and not (self._seeds or self._next_retry):
            return "finished"
        return None

    def _publish(self, now: float, reason: str) -> None:
        stats, scheduler = self.stats, self._scheduler
        stats.elapsed = self._elapsed_before + now - self._started
        self.snapshot = Snapshot(
            **asdict(convert(to_builtins(stats), Stats, strict=False)),  # a copy down to its tables
            at=now,
            elapsed_now=now - self._started,
            pages_now=stats.pages - self._pages_before,
            pending=self._open,
            in_flight=self._dispatcher.out,
            workers=self._workers,
            hosts=scheduler.busiest(now),
            host_count=scheduler.host_count,
            paused=self._paused,
            reason=reason,
            last_error=self._outcomes.ends.last_error,
        )
